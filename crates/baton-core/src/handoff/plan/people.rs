//! Who a name stands for, and whether there are enough of them.

use crate::diag::{Note, nearest};
use crate::handoff::contract::{At, Contract};
use crate::handoff::runbook::Step;
use crate::id::Handle;

/// The people a role's `owner` or `backup` names: a person or a team.
pub(super) fn holders(contract: &Contract, who: Option<&At<String>>) -> Vec<Handle> {
    who.and_then(|who| contract.team_or_person(who))
        .unwrap_or_default()
}

/// Owners and backups of a step. Where a role is both, its own backup stands in.
pub(super) fn of_step(
    contract: &Contract,
    step: &Step,
    notes: &mut Vec<Note>,
) -> (Vec<Handle>, Vec<Handle>) {
    let owners = named(contract, step, "owner", step.owner.as_ref(), notes);
    let role = step
        .owner
        .as_ref()
        .filter(|owner| Some(*owner) == step.backup.as_ref())
        .filter(|owner| !contract.people.contains_key(owner.as_str()))
        .and_then(|owner| contract.roles.get(owner.as_str()));
    let backups = match role {
        Some(role) => holders(contract, role.backup.as_ref()),
        None => named(contract, step, "backup", step.backup.as_ref(), notes),
    };
    let mut distinct: Vec<&Handle> = owners.iter().chain(&backups).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if let (Some(backup), Some(_), [only]) = (&step.backup, owners.first(), distinct.as_slice()) {
        let note = Note::error(
            "ownership.no-backup",
            format!("{only} is both owner and backup of `{}`", step.id.value),
        );
        let note = note.naming(&step.id.value).owned_by(Some(only));
        notes.push(super::placed(
            note.next("name someone else as backup"),
            backup.span,
        ));
    }
    (owners, backups)
}

/// The people an attribute of a step names.
fn named(
    contract: &Contract,
    step: &Step,
    what: &str,
    who: Option<&At<String>>,
    notes: &mut Vec<Note>,
) -> Vec<Handle> {
    let Some(who) = who else { return Vec::new() };
    let found = contract.members(who);
    let says = match &found {
        None => "who is no person, team or role",
        Some(people) if people.is_empty() => "which stands for nobody",
        Some(_) => return found.unwrap_or_default(),
    };
    let says = format!(
        "the {what} of `{}` is `{}`, {says}",
        step.id.value, who.value
    );
    let note = Note::error("runbook.owner", says).naming(&step.id.value);
    let hint = hint(contract, who.as_str(), found.is_some());
    notes.push(super::placed(note.next(hint), who.span));
    Vec::new()
}

/// Checks that as many people exist as must approve a step.
pub(super) fn approval(contract: &Contract, step: &Step, notes: &mut Vec<Note>) {
    let Some(approve) = &step.approve else { return };
    let of = approve.of.as_str();
    let id = &step.id.value;
    let note = match contract.members(of) {
        None => Note::error(
            "runbook.reference",
            format!("`{id}` needs the approval of `{of}`, who is no person, team or role"),
        )
        .next(hint(contract, of, false)),
        Some(people) if people.len() < approve.count as usize => Note::error(
            "runbook.value",
            format!(
                "`{id}` needs the approval of {} of `{of}`, which has {}",
                approve.count,
                people.len()
            ),
        )
        .next("ask for fewer, or name a larger team"),
        Some(_) => return,
    };
    notes.push(super::placed(note.naming(id), approve.of.span));
}

fn hint(contract: &Contract, who: &str, known: bool) -> String {
    let people = contract.people.keys().map(|name| name.as_str());
    let teams = contract.teams.keys().map(|name| name.as_str());
    let roles = contract.roles.keys().map(|name| name.as_str());
    if known {
        return format!("give `{who}` members, or an owner who has some, in `handoff.yaml`");
    }
    nearest(who, people.chain(teams).chain(roles)).map_or_else(
        || "people, teams and roles stand in `handoff.yaml`".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    )
}
