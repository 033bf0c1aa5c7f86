//! The gate on the two files as people write them.

use expect_test::expect;

use super::world::{World, time};
use crate::gate::*;
use crate::handoff::{contract, plan, runbook};
use crate::id::*;

const CONTRACT: &str = include_str!("../../handoff/testdata/shop.yaml");
const RUNBOOK: &str = include_str!("../../handoff/fixtures/shop.md");

/// The blockers of a handoff to which nothing has happened yet.
fn first_check(contract: &str, runbook: &str) -> Vec<Note> {
    let (contract, mut lint) = contract::lint(contract.as_bytes());
    let (runbook, notes) = runbook::parse(runbook.as_bytes());
    lint.extend(notes);
    let (contract, runbook) = (contract.unwrap(), runbook.unwrap());
    let (plan, notes) = plan::resolve(&contract, &runbook, &contract.launch.environment.value);
    lint.extend(notes);
    let plan = plan.unwrap_or_else(|| panic!("{lint:#?}"));
    let readings = Readings {
        at_launch: false,
        ..World::ready().readings
    };
    let facts = Facts::new(plan.handoff.clone());
    let now = time("2026-11-20T09:00:00Z");
    let verdict = assess(&plan, &facts, &readings, &lint, now);
    assert_eq!(verdict.verdict, Answer::NotReady);
    verdict.blockers
}

fn shown(blockers: &[Note]) -> String {
    let lines = blockers.iter().map(|note| {
        let by = note.owner.as_ref().map_or("-", Handle::as_str);
        let next = note.next.as_deref().unwrap_or_default();
        format!("{}: {} [{by}: {next}]\n", note.code, note.says)
    });
    lines.collect()
}

#[test]
fn a_first_check_says_all_that_is_open() {
    expect![[r#"
        definition.blind-measure: The measure errors (Requests that fail) has not been asked for live data yet. [omar: baton check]
        definition.blind-measure: The measure speed (Answer time of checkout) has not been asked for live data yet. [omar: baton check]
        definition.missing: refuses-bad-rules (The rule checker refuses a rule that matches everything) has not been run on this release. [lee: baton check]
        definition.missing: restore (Last night's backup restores with the same row counts) has not been run on this release. [omar: baton check]
        definition.missing: tests (The test suite passes on this release) has not been run on this release. [dana: baton check]
        definition.unsigned: privacy (The privacy review is signed) waits for the signature of pia. [pia: baton sign privacy --as pia]
        alignment.not-accepted: Nobody of operations has accepted this content yet. [omar: baton accept --as omar]
        alignment.not-offered: Nobody of development has offered this content yet. [dana: baton offer --as dana]
        alignment.unanswered: development and operations have not answered currency (Unit of the amount field?) [dana: baton answer currency VALUE]
        alignment.unanswered: development and operations have not answered downtime (Downtime the customer was told?) [dana: baton answer downtime VALUE]
        alignment.unanswered: development and operations have not answered peak (Peak orders per minute production must hold?) [dana: baton answer peak VALUE]
        parity.no-fingerprint: There is no fingerprint of production yet. [omar: baton fingerprint production]
        parity.no-fingerprint: There is no fingerprint of staging yet. [omar: baton fingerprint staging]
        ownership.no-access: Dana Ito (dana) has not proven access to what they may have to do: install on web1 and web2. [dana: baton check --as dana]
        ownership.no-access: Lee Novak (lee) has not proven access to what they may have to do: install on web1 and web2. [lee: baton check --as lee]
        ownership.not-accepted: Dana Ito (dana) has not accepted what is theirs: role communications, criterion tests, criterion refuses-bad-rules, step install and step tell-the-customer. [dana: baton accept --mine --as dana]
        ownership.not-accepted: Lee Novak (lee) has not accepted what is theirs: role communications, criterion tests, criterion refuses-bad-rules, step install and step tell-the-customer. [lee: baton accept --mine --as lee]
        ownership.not-accepted: Omar Diaz (omar) has not accepted what is theirs: role launch-lead, role rollback-decider, criterion restore, criterion privacy, measure errors, measure speed and step back-up-the-orders. [omar: baton accept --mine --as omar]
        ownership.not-accepted: Pia Lund (pia) has not accepted what is theirs: role launch-lead, role rollback-decider, criterion restore, criterion privacy, measure errors, measure speed and step back-up-the-orders. [pia: baton accept --mine --as pia]
        runbook.secret-unresolved: The secret DB_KEY of production has not been asked for yet. [lee: baton check]
        rehearsal.missing: This has not been rehearsed in staging yet. [omar: baton rehearse staging]
    "#]].assert_eq(&shown(&first_check(CONTRACT, RUNBOOK)));
}

#[test]
fn what_reading_has_said_is_not_said_twice() {
    let contract = CONTRACT.replace("  launch-lead:", "  nobody-special:");
    let runbook =
        RUNBOOK
            .replacen("(backup: pia)", "", 1)
            .replacen("- owner: lee (backup: dana)\n", "", 1);
    assert_ne!(contract, CONTRACT);
    let blockers = first_check(&contract, &runbook);
    let ownership = blockers
        .iter()
        .filter(|note| ["ownership.unowned", "ownership.no-backup"].contains(&note.code.0));
    let said: Vec<String> = ownership
        .map(|note| format!("{} {}", note.code, note.names.join(" ")))
        .collect();
    let once = [
        "ownership.no-backup back-up-the-orders",
        "ownership.unowned install",
        "ownership.unowned launch-lead",
    ];
    assert_eq!(said, once);
}
