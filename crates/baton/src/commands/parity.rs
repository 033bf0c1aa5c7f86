//! `fingerprint` and `parity`: what an environment is, and how two differ.
//!
//! A fingerprint that is of an earlier definition, or was taken for other
//! questions, is not compared: what nobody asked is no equality.

mod propose;
mod show;

use std::collections::{BTreeMap, BTreeSet};

use baton_core::diag::{Note, Question, list};
use baton_core::event::Event;
use baton_core::gate::{parity_notes, unused_waivers};
use baton_core::handoff::contract::{Environment, ParityTerms};
use baton_core::id::{Digest, EnvName, GroupName, HostName};
use baton_core::parity::compare::compare_open;
use baton_core::parity::compare::merge::Open;
use baton_core::parity::fingerprint::asked;
use baton_core::parity::sheet::Stored;
use baton_core::parity::twice::propose;
use baton_core::parity::{Fingerprint, LayerStatus, Sheet};
use baton_core::run::survey::survey;
use baton_core::time::Duration;
use baton_engine::collect::fingerprint as fingerprint_of;
use baton_store::Log as _;
use jiff::Timestamp;

use crate::args::Reading;
use crate::exit::Exit;
use crate::render::Out;
use baton_engine::desk::Desk;
use baton_engine::failure::{Failure, Kind};

/// Reads an environment.
fn read(desk: &Desk, environment: &EnvName) -> Result<Fingerprint, Failure> {
    let terms = terms(desk)?;
    let _known = place(desk, environment)?;
    let survey = survey(&desk.contract, environment, &terms.facts)
        .ok_or_else(|| Failure::new(Kind::Bug, "an environment that is not there"))?;
    let print = fingerprint_of(
        &survey,
        &desk.settings.folder,
        &desk.settings.own_folder(),
        &desk.ssh(),
    );
    print.map_err(|error| {
        Failure::part("cannot read the key under which secrets are compared").because(&error)
    })
}

/// Keeps a fingerprint, and returns its blob.
fn keep(desk: &mut Desk, environment: &EnvName, print: &Fingerprint) -> Result<Digest, Failure> {
    let by = desk.author()?;
    let definition = desk.plan.digests.environments.get(environment).cloned();
    let definition =
        definition.ok_or_else(|| Failure::new(Kind::Bug, "an environment without a digest"))?;
    let blob = desk.keep_bytes(&print.to_bytes())?;
    let event = Event::Fingerprinted {
        environment: environment.clone(),
        definition,
        collectors: print.asked.clone(),
        fingerprint: blob.clone(),
        mark: None,
    };
    let _entries = desk.append(&by, None, vec![event])?;
    Ok(blob)
}

fn terms(desk: &Desk) -> Result<&ParityTerms, Failure> {
    let parity = &desk.contract.parity;
    parity.defined().ok_or_else(|| match parity.declined() {
        Some(part) => Failure::wrong(format!(
            "{} declined to compare environments: {}",
            part.by.value, part.declined
        )),
        None => Failure::wrong("the contract does not say how environments are compared")
            .hint("say it under `parity:`: which environments, and which facts"),
    })
}

fn place<'d>(desk: &'d Desk, environment: &EnvName) -> Result<&'d Environment, Failure> {
    let environments = &desk.contract.environments;
    environments.get(environment).ok_or_else(|| {
        let names: Vec<&str> = environments.keys().map(EnvName::as_str).collect();
        Failure::wrong(format!("the contract has no environment {environment}"))
            .hint(format!("it has {}", list(&names, 8)))
    })
}

/// `baton fingerprint ENV [--twice[=PAUSE]]`. Of two readings the second is kept.
pub(crate) fn fingerprint(desk: &mut Desk, out: &Out, reading: &Reading) -> Result<Exit, Failure> {
    let environment = EnvName::from(reading.environment.as_str());
    let _known = place(desk, &environment)?;
    let _terms = terms(desk)?;
    let _author = desk.author()?;
    let pause = reading.twice.as_deref().map(Duration::parse).transpose();
    let pause = pause.map_err(|why| {
        Failure::wrong(why).hint("say how long to wait in between, as in `--twice=1m`")
    })?;
    out.progress(&format!("reading {environment}"));
    let mut print = read(desk, &environment)?;
    let mut again = None;
    if let Some(pause) = pause {
        out.progress(&format!("reading {environment} again in {pause}"));
        std::thread::sleep(pause.to_std());
        let first = std::mem::replace(&mut print, read(desk, &environment)?);
        again = Some(propose(&first, &print, &terms(desk)?.rules));
    }
    let blob = keep(desk, &environment, &print)?;
    let whole = print
        .hosts
        .values()
        .all(|facts| facts.layers.values().all(LayerStatus::is_whole));
    show::fingerprint(desk, out, &blob, &print, again.as_ref());
    Ok(if whole && !print.hosts.is_empty() {
        Exit::Good
    } else {
        Exit::Unknown
    })
}

/// `baton parity [ENV [ENV]]`.
pub(crate) fn compare(
    desk: &mut Desk,
    out: &Out,
    environments: &[String],
) -> Result<Exit, Failure> {
    let (tested, launch) = which(desk, environments)?;
    let launch = latest(desk, &launch)?;
    let tested = tested
        .iter()
        .map(|name| latest(desk, name))
        .collect::<Result<Vec<_>, _>>()?;
    let terms = terms(desk)?;
    let views = tested.iter().map(Known::open).collect();
    let found = compare_open(launch.open(), views, &terms.rules).reweighed(&terms.weights);
    let blockers = parity_notes(&found);
    let warnings = unused(desk, &tested, &launch, &blockers);
    let notes = show::Notes { blockers, warnings };
    show::comparison(desk, out, &tested, &launch, &found, &notes);
    Ok(if !found.differences.is_empty() {
        Exit::Bad
    } else if !found.is_equal() {
        Exit::Unknown
    } else {
        Exit::Good
    })
}

/// Waivers that fit nothing of what was found. Only a comparison of all that the
/// gate compares can tell, and of the fingerprints that count for it.
fn unused(desk: &Desk, tested: &[Known], launch: &Known, notes: &[Note]) -> Vec<Note> {
    let environment = |known: &Known| known.sheet.head.environment.clone();
    let of_launch = environment(launch) == desk.contract.launch.environment.value;
    let compared: BTreeSet<EnvName> = tested.iter().map(environment).collect();
    let mut asked: BTreeSet<EnvName> = desk.contract.tested().into_iter().cloned().collect();
    asked.remove(&environment(launch));
    let fresh = desk.contract.parity.defined().and_then(|terms| terms.fresh);
    let counts = |known: &Known| {
        let head = &known.sheet.head;
        let age = Duration::between(head.at, Timestamp::now());
        fresh.is_none_or(|fresh| age <= fresh) && !desk.facts.was_rehearsed_in(&head.environment)
    };
    if !of_launch || compared != asked || !tested.iter().chain([launch]).all(counts) {
        return Vec::new();
    }
    unused_waivers(&desk.contract, &[Question::Parity], notes)
}

/// Which environments are compared with which one: two that are named; one that
/// is named, or the launch environment, with those the gate compares.
fn which(desk: &Desk, environments: &[String]) -> Result<(Vec<EnvName>, EnvName), Failure> {
    let (tested, launch) = match environments {
        [one, other] => (
            vec![EnvName::from(one.as_str())],
            EnvName::from(other.as_str()),
        ),
        rest => {
            let named = rest.first().map(|name| EnvName::from(name.as_str()));
            let launch = named.unwrap_or_else(|| desk.plan.environment.clone());
            let _asked = terms(desk)?;
            let tested = desk.contract.tested().into_iter();
            let tested = tested.filter(|name| **name != launch).cloned();
            (tested.collect(), launch)
        }
    };
    if tested.contains(&launch) {
        return Err(Failure::wrong(format!(
            "{launch} cannot be compared with itself"
        )));
    }
    for name in tested.iter().chain([&launch]) {
        let _known = place(desk, name)?;
    }
    Ok((tested, launch))
}

/// A fingerprint that can be compared.
struct Known {
    blob: Digest,
    sheet: Sheet,
    groups: BTreeMap<GroupName, Vec<HostName>>,
}

impl Known {
    fn open(&self) -> Open<'_, Stored<'_>> {
        self.sheet.open(&self.groups)
    }
}

/// The latest fingerprint of an environment, when it is of what the contract
/// says now.
fn latest(desk: &mut Desk, name: &EnvName) -> Result<Known, Failure> {
    let hint = format!("`baton fingerprint {name}` takes one");
    let missing = |why: &str| Failure::part(format!("{why} {name}")).hint(&hint);
    let taken = desk.facts.fingerprint_of(name);
    let taken = taken.ok_or_else(|| missing("there is no fingerprint yet of"))?;
    if desk.plan.digests.environments.get(name) != Some(taken.definition) {
        return Err(missing(
            "the definition has changed since the fingerprint was taken of",
        ));
    }
    if *taken.collectors != asked(&terms(desk)?.facts) {
        return Err(missing(
            "the contract asks for other facts since the fingerprint was taken of",
        ));
    }
    let blob = taken.fingerprint.clone();
    let bytes = desk.log.get(&blob)?;
    let read = bytes.and_then(Sheet::read);
    let sheet = read.ok_or_else(|| missing("nobody can read the fingerprint of"))?;
    if sheet.head.hosts.is_empty() {
        return Err(
            Failure::part(format!("{name} has no host that could be compared"))
                .hint("name its hosts in the contract"),
        );
    }
    let groups = place(desk, name)?.groups.iter();
    let groups = groups.map(|(group, hosts)| {
        let hosts = hosts.iter().map(|host| host.value.clone());
        (group.clone(), hosts.collect())
    });
    Ok(Known {
        blob,
        sheet,
        groups: groups.collect(),
    })
}
