//! `fingerprint` and `parity`: what an environment is, and how two differ.

mod propose;
mod show;

use std::collections::BTreeSet;

use baton_core::diag::{Note, Question};
use baton_core::event::Event;
use baton_core::gate::{parity_notes, unused_waivers};
use baton_core::id::{Digest, EnvName};
use baton_core::parity::twice::propose;
use baton_core::parity::{Fingerprint, LayerStatus};
use baton_core::run::survey::survey;
use baton_core::time::Duration;
use baton_engine::collect::fingerprint as fingerprint_of;
use jiff::Timestamp;

use crate::args::Reading;
use crate::exit::Exit;
use crate::render::Out;
use baton_engine::desk::Desk;
use baton_engine::desk::parity::{Compared, Known, compare as compared, place, terms};
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
    let Compared {
        tested,
        launch,
        found,
    } = compared(desk, environments)?;
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
