//! What people are asked, as sentences: the same in a terminal and on the page.

use crate::diag::list;

use super::waits::{Ask, Waiting};

/// What a person is asked, as a sentence, and the command that answers.
pub fn asked(waiting: &Waiting) -> (String, Option<String>) {
    let who = list(&waiting.people, 4).replace(" and ", " or ");
    let step = waiting.step.as_ref().map_or("", |step| step.as_str());
    let hosts = match waiting.hosts.as_slice() {
        [] => String::new(),
        hosts => format!(" on {}", list(hosts, 6)),
    };
    match &waiting.ask {
        Ask::Do { tasks } => {
            let list: String = tasks.iter().map(|task| format!("\n  [ ] {task}")).collect();
            let colon = if tasks.is_empty() { "" } else { ":" };
            (
                format!("{who} does {step}{colon}{list}"),
                Some(format!("baton done {step}")),
            )
        }
        Ask::Approve { missing } => {
            let more = if *missing > 1 {
                format!(" ({missing} still missing)")
            } else {
                String::new()
            };
            (
                format!("{who} approves {step}{more}"),
                Some(format!("baton approve {step}")),
            )
        }
        Ask::UndoByHand { instruction } => (
            format!("{who} undoes {step}{hosts} by hand: {}", instruction.trim()),
            Some(format!("baton done {step}")),
        ),
        Ask::SettleRun | Ask::SettleUndo => settle(waiting, &who, step, &hosts),
        Ask::Decide { because, harm } => (
            format!("{who} decides how to go on: {because}"),
            Some(if *harm {
                "baton rollback, baton stop, or baton resume (keep it)".to_owned()
            } else {
                "baton retry, baton skip --because, baton rollback, or baton stop".to_owned()
            }),
        ),
        Ask::ExtendWindow => (
            format!("the launch window is over; {who} decides whether to go on"),
            Some("baton resume --because …   or   baton rollback".to_owned()),
        ),
        Ask::Resume { by, because } => {
            let why = because
                .as_ref()
                .map(|why| format!(": {why}"))
                .unwrap_or_default();
            (
                format!("{by} paused the run{why}"),
                Some("baton resume".to_owned()),
            )
        }
        Ask::Cover { roles } => {
            let roles = list(roles, 4);
            (
                format!("the run pauses: nobody for {roles} is in the room; {who} is called"),
                Some("baton join".to_owned()),
            )
        }
        Ask::AcceptLive => (
            format!("everything is carried out and watched; {who} takes over"),
            Some("baton accept --live".to_owned()),
        ),
    }
}

/// Nobody knows whether something happened: its owner looks, and says.
fn settle(waiting: &Waiting, who: &str, step: &str, hosts: &str) -> (String, Option<String>) {
    let on = if waiting.hosts.len() > 1 {
        " --on HOST"
    } else {
        ""
    };
    let (happened, yes, no) = match waiting.ask {
        Ask::SettleUndo => ("was undone", "it was", "it was not"),
        _ => ("took effect", "it did, even in part", "it did not"),
    };
    (
        format!("nobody knows whether {step} {happened}{hosts}; {who} looks and says"),
        Some(format!(
            "baton done {step}{on}  ({yes})   or   baton retry {step}{on}  ({no})"
        )),
    )
}
