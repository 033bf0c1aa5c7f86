//! `fingerprint` and `parity`: what an environment is, and how two differ.

mod show;

use baton_core::event::Event;
use baton_core::id::{Digest, EnvName};
use baton_core::parity::{Fingerprint, LayerStatus};
use baton_core::run::survey::survey;
use baton_engine::collect::fingerprint as fingerprint_of;

use crate::exit::Exit;
use crate::render::Out;
use baton_engine::desk::Desk;
use baton_engine::desk::parity::{Compared, compare as compared, place, terms};
use baton_engine::failure::{Failure, Kind};

/// Takes the fingerprint of an environment, keeps it, and returns its blob.
fn taken(desk: &mut Desk, environment: &EnvName) -> Result<(Digest, Fingerprint), Failure> {
    let terms = terms(desk)?.clone();
    let _known = place(desk, environment)?;
    let by = desk.author()?;
    let survey = survey(&desk.contract, environment, &terms.facts)
        .ok_or_else(|| Failure::new(Kind::Bug, "an environment that is not there"))?;
    let print = fingerprint_of(
        &survey,
        &desk.settings.folder,
        &desk.settings.own_folder(),
        &desk.ssh(),
    );
    let print = print.map_err(|error| {
        Failure::part("cannot read the key under which secrets are compared").because(&error)
    })?;
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
    Ok((blob, print))
}

/// `baton fingerprint ENV`.
pub(crate) fn fingerprint(desk: &mut Desk, out: &Out, environment: &str) -> Result<Exit, Failure> {
    let environment = EnvName::from(environment);
    let _known = place(desk, &environment)?;
    let _terms = terms(desk)?;
    out.progress(&format!("reading {environment}"));
    let (blob, print) = taken(desk, &environment)?;
    let whole = print
        .hosts
        .values()
        .all(|facts| facts.layers.values().all(LayerStatus::is_whole));
    show::fingerprint(desk, out, &blob, &print);
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
    show::comparison(desk, out, &tested, &launch, &found);
    Ok(if !found.differences.is_empty() {
        Exit::Bad
    } else if !found.is_equal() {
        Exit::Unknown
    } else {
        Exit::Good
    })
}
