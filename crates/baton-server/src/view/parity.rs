//! How the environments differ, by what the ledger knows of them.

use std::collections::BTreeMap;

use baton_core::diag::Note;
use baton_core::gate::set_aside;
use baton_core::id::HostName;
use baton_core::parity::compare::cause::causes;
use baton_core::parity::compare::{Comparison, Excused, Side};
use baton_core::parity::{Difference, FactName};
use baton_engine::desk::Desk;
use baton_engine::desk::agree::why_waived;
use baton_engine::desk::parity::{Compared, Known, compare};
use baton_engine::failure::Failure;
use jiff::Timestamp;

use crate::wire::{Collected, ParityRow, ParityView};

/// What stands for a fact that is not there.
const NONE: &str = "none";

/// The latest fingerprints, compared as `baton parity` compares them, folded by
/// cause, the gravest first. Where nothing can be compared it says why, and
/// claims no equality.
///
/// # Errors
/// Those of the ledger.
pub(crate) fn of(desk: &mut Desk) -> Result<ParityView, Failure> {
    let launch = desk.plan.environment.clone();
    let tested = desk.contract.tested().into_iter();
    let tested = tested.filter(|name| **name != launch).cloned();
    let mut environments: Vec<String> = tested.map(|name| name.to_string()).collect();
    environments.push(launch.to_string());
    let compared = match compare(desk, &[]) {
        Ok(compared) => compared,
        Err(why) => {
            return Ok(ParityView {
                environments,
                rows: Vec::new(),
                collected: Vec::new(),
                not_compared: Some(sentence(&why)),
            });
        }
    };
    Ok(ParityView {
        environments,
        rows: rows(desk, &compared.found),
        collected: collected(&compared),
        not_compared: None,
    })
}

fn sentence(why: &Failure) -> String {
    let causes = why.causes.iter().map(String::as_str);
    let parts: Vec<&str> = std::iter::once(why.message.as_str())
        .chain(causes)
        .collect();
    parts.join(": ")
}

fn rows(desk: &Desk, found: &Comparison) -> Vec<ParityRow> {
    let notes = found
        .differences
        .iter()
        .map(|of| Note::error(of.kind.code(), of.says.clone()).naming_all(of.names.iter()));
    let (_standing, waived) = set_aside(&desk.contract, notes.collect(), Timestamp::now());
    let waiver = |of: &Difference| {
        let by = waived
            .iter()
            .find(|waived| waived.note.says == of.says && waived.note.names == of.names)?;
        Some(format!("waived by {}", why_waived(&desk.contract, by)))
    };
    let causes = causes(&found.differences);
    let different = causes.iter().flat_map(|cause| {
        cause.differences.iter().map(|of| ParityRow {
            cause: cause.says.clone(),
            risk: of.risk.word().to_owned(),
            factors: of.risk.factors.iter().map(ToString::to_string).collect(),
            explained_by: waiver(of),
            ..row(&of.fact, &of.sides)
        })
    });
    different.chain(found.excused.iter().map(excused)).collect()
}

fn excused(of: &Excused) -> ParityRow {
    ParityRow {
        cause: of.says.clone(),
        explained_by: Some(of.because.clone()),
        ..row(&of.fact, &of.sides)
    }
}

fn row(fact: &FactName, sides: &[Side]) -> ParityRow {
    let mut hosts: BTreeMap<String, String> = BTreeMap::new();
    for side in sides {
        let value = side.value.as_deref().unwrap_or(NONE);
        for host in &side.hosts {
            let place = place(&side.environment, host);
            let _before = hosts.insert(place, value.to_owned());
        }
    }
    let subject = fact
        .thing()
        .split_once(':')
        .map_or("", |(_, subject)| subject);
    ParityRow {
        cause: String::new(),
        risk: String::new(),
        factors: Vec::new(),
        layer: fact.layer().to_owned(),
        subject: subject.to_owned(),
        attribute: fact.attribute_name().unwrap_or_default().to_owned(),
        hosts,
        explained_by: None,
        matcher: fact.to_string(),
    }
}

fn place(environment: &str, host: &HostName) -> String {
    if host.is_here() {
        format!("{environment}, the contract's folder")
    } else {
        format!("{environment}/{host}")
    }
}

fn collected(compared: &Compared) -> Vec<Collected> {
    let all = compared.tested.iter().chain([&compared.launch]);
    all.flat_map(of_one).collect()
}

fn of_one(known: &Known) -> impl Iterator<Item = Collected> {
    let head = &known.sheet.head;
    head.hosts.iter().flat_map(|(host, read)| {
        read.layers.iter().map(|(layer, status)| Collected {
            host: place(&head.environment, host),
            layer: layer.clone(),
            status: if status.is_whole() {
                "ok".to_owned()
            } else {
                status.to_string()
            },
        })
    })
}
