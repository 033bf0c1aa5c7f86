//! The first contract and runbook, drafted from what is found in a folder.
//!
//! Promises: both files read and check without a note, whoever the people are
//! and whatever they are called; every section is answered or declined, with a
//! comment that says what to put there. Deliberately not here: looking around
//! (the caller found everything) and judging whether the guesses are right.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::Weekday;
use jiff::{Span, Timestamp, Zoned};

use super::edit::{plain_or_quoted, quoted};
use crate::time;

/// How many people a draft names; the others are easier added than deleted.
const MOST_PEOPLE: usize = 6;

/// How many characters of a found name are kept.
const LONGEST_NAME: usize = 60;

/// What was found in the folder.
#[derive(Clone, Debug)]
pub struct Found {
    /// The folder's name.
    pub folder: String,
    /// Names and emails of those who worked here, the busiest first.
    pub people: Vec<(String, String)>,
    /// The command that runs the tests.
    pub test: Option<String>,
    /// The version that will be released.
    pub version: Option<String>,
    /// What the release seems to consist of, beside the contract.
    pub artifacts: Vec<String>,
    /// Now: the window is proposed a week later.
    pub today: Timestamp,
    /// IANA name of the time zone people here seem to live in.
    pub zone: String,
}

/// Drafts `handoff.yaml` and `runbook.md`.
pub fn draft(found: &Found) -> (String, String) {
    (contract(found), runbook(&name(&found.folder)))
}

/// One person of the draft.
struct Person {
    /// As it is written in the file, with quotes where they are needed.
    handle: String,
    name: String,
    email: Option<String>,
}

/// Lower-case letters and digits of a text, words joined by `-`; may be empty.
fn slug(text: &str) -> String {
    let lower: String = text
        .chars()
        .take(LONGEST_NAME)
        .flat_map(char::to_lowercase)
        .collect();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// The handoff's name.
fn name(folder: &str) -> String {
    Some(slug(folder))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "service".to_owned())
}

/// The busiest people, each email once.
fn busiest(found: &Found) -> Vec<(&str, String)> {
    let mut emails = BTreeSet::new();
    let people = found
        .people
        .iter()
        .map(|(name, email)| (name.as_str(), email.trim().to_lowercase()));
    let distinct = people.filter(|(_, email)| email.is_empty() || emails.insert(email.clone()));
    distinct.take(MOST_PEOPLE).collect()
}

/// The people with handles that nobody and nothing else bears. A handoff has
/// two sides: where fewer people were found, somebody stands in.
fn people(found: &Found) -> Vec<Person> {
    let mut found = busiest(found);
    while found.len() < 2 {
        found.push(("Somebody", String::new()));
    }
    let reserved = [
        "development",
        "operations",
        "launch-lead",
        "rollback-decider",
    ];
    let mut taken: BTreeSet<String> = reserved.map(str::to_owned).into();
    let mut person = |(name, email): (&str, String)| {
        let first = |text: &str| {
            let slug = slug(text);
            slug.split('-')
                .next()
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
        };
        let base = first(name)
            .or_else(|| first(&email))
            .unwrap_or_else(|| "somebody".to_owned());
        let mut handle = base.clone();
        for number in 2.. {
            if taken.insert(handle.clone()) {
                break;
            }
            handle = format!("{base}{number}");
        }
        let shown: String = name.trim().chars().take(LONGEST_NAME).collect();
        Person {
            handle: plain_or_quoted(&handle),
            name: if shown.trim().is_empty() { base } else { shown },
            email: Some(email).filter(|email| !email.is_empty()),
        }
    };
    found.into_iter().map(&mut person).collect()
}

/// Ten to twelve on a working day, a week from now; `None` past the calendar's end.
fn window(found: &Found) -> Option<String> {
    let zone = time::zone(&found.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let mut day = found
        .today
        .to_zoned(zone)
        .checked_add(Span::new().days(7))
        .ok()?;
    while matches!(
        day.weekday(),
        Weekday::Friday | Weekday::Saturday | Weekday::Sunday
    ) {
        day = day.tomorrow().ok()?;
    }
    let at = |hour| -> Option<Zoned> {
        day.with()
            .time(jiff::civil::time(hour, 0, 0, 0))
            .build()
            .ok()
    };
    let written = |at: Zoned| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    Some(format!(
        "{{ opens: {}, closes: {} }}",
        written(at(10)?),
        written(at(12)?)
    ))
}

fn contract(found: &Found) -> String {
    let people = people(found);
    let handles: Vec<&str> = people.iter().map(|person| person.handle.as_str()).collect();
    let (giving, taking) = handles.split_at(handles.len() / 2);
    let zone = time::zone(&found.zone).map(|_| found.zone.as_str());
    let name = name(&found.folder);
    let mut text = format!(
        "# What both sides agree to before {name} is launched. `baton lint` checks this file,\n\
         # `baton explain CODE` says what a message means.\n\
         name: {name}\n\
         summary: The first launch with a handoff\n\
         from: development                 # hands over\n\
         to: operations                    # takes over\n\
         touches: [{name}]\n\n\
         # Everybody who owns something: with zone and hours, so that nobody is asked to be\n\
         # there at night. `key` is the public SSH key that signs their word.\n\
         people:\n"
    );
    for person in &people {
        let mut line = format!("  {}: {{ name: {}", person.handle, quoted(&person.name));
        if let Some(email) = &person.email {
            let _written = write!(line, ", email: {}", quoted(email));
        }
        if let Some(zone) = zone {
            let _written = write!(line, ", zone: {zone}");
        }
        let _written = writeln!(text, "{line}, hours: \"Mon-Fri 09:00-17:00\" }}");
    }
    text.push_str(&teams_and_roles(giving, taking, busiest(found).len() < 2));
    text.push_str(&release(found));
    text.push_str(&places(window(found)));
    text.push_str(&answers(found, giving, taking));
    text
}

fn teams_and_roles(giving: &[&str], taking: &[&str], alone: bool) -> String {
    let sides = if alone {
        "# A handoff has two sides: put a second person in the place of somebody."
    } else {
        "# A guess: put everybody on the side they are on."
    };
    let lead = taking[0];
    let decider = taking.get(1).unwrap_or(&giving[0]);
    format!(
        "\n{sides}\nteams:\n  development: [{}]\n  operations: [{}]\n\
         roles:                            # in the room during the launch\n  \
         launch-lead: {{ owner: {lead}, backup: {decider} }}\n  \
         rollback-decider: {{ owner: {decider}, backup: {lead} }}\n",
        giving.join(", "),
        taking.join(", "),
    )
}

fn release(found: &Found) -> String {
    let version = found
        .version
        .as_deref()
        .map(str::trim)
        .filter(|version| !version.is_empty());
    // A `$` would be a variable of the contract, which nothing sets.
    let artifacts = found
        .artifacts
        .iter()
        .filter(|path| !path.trim().is_empty() && !path.contains('$'));
    let artifacts: Vec<String> = artifacts.map(|path| plain_or_quoted(path)).collect();
    format!(
        "\nrelease:\n  version: {}\n  \
         kind: code                      # code | config | data | infrastructure | emergency\n  \
         # Files or globs: evidence is bound to their digests; to the version alone while there are none.\n  \
         artifacts: [{}]\n",
        plain_or_quoted(version.unwrap_or("0.1.0")),
        artifacts.join(", ")
    )
}

fn places(window: Option<String>) -> String {
    let window = window.map_or_else(String::new, |window| format!("  window: {window}\n"));
    format!(
        "\n# Folders on this machine for a start; `{{ ssh: user@host, dir: /srv/app }}` is a real host.\n\
         # `vars` reach every script as environment variables, `secrets` by reference only:\n\
         # `secrets: {{ DB_KEY: {{ env: STAGING_DB_KEY }} }}`.\n\
         environments:\n  \
         staging:\n    \
         hosts:\n      web1: {{ dir: env/staging/web1 }}\n      web2: {{ dir: env/staging/web2 }}\n    \
         groups: {{ web: [web1, web2] }}\n  \
         production:\n    \
         hosts:\n      web1: {{ dir: env/production/web1 }}\n      web2: {{ dir: env/production/web2 }}\n    \
         groups: {{ web: [web1, web2] }}\n\n\
         launch:\n  environment: production\n{window}  \
         # freezes: [ {{ from: …, to: …, because: … }} ]\n"
    )
}

fn answers(found: &Found, giving: &[&str], taking: &[&str]) -> String {
    let (giver, taker) = (giving[0], taking[0]);
    // Whoever is alone on a side has nobody there who stands in.
    let backup = |team: &[&str], other: &str| match team {
        [_alone] => format!("    backup: {other}\n"),
        _ => String::new(),
    };
    let (backs_giver, backs_taker) = (backup(giving, taker), backup(taking, giver));
    // A test command with a `$` may need variables that no criterion has.
    let test = found.test.as_deref().map(str::trim);
    let test = match test.filter(|test| !test.is_empty() && !test.contains('$')) {
        Some(test) => format!("    run: {}\n    fresh: 24h\n", plain_or_quoted(test)),
        None => format!(
            "    sign: {giver}                    # or `run: COMMAND`: exit 0 is evidence\n"
        ),
    };
    format!(
        "\n# What both teams answer before they see each other's answer.\n\
         expectations:\n  \
         - {{ id: downtime, ask: \"How long may it be away during the launch?\", answer: duration }}\n  \
         - {{ id: way-back, ask: \"Can it be taken back without losing data?\", answer: yes-no }}\n\n\
         # The definition of done: each line needs fresh evidence for this very release.\n\
         done:\n  \
         - id: tests\n    says: The tests pass on this release\n    owner: {giver}\n{backs_giver}{test}  \
         - id: runbook-read\n    says: Somebody who takes over has read the runbook\n    owner: {taker}\n{backs_taker}    sign: {taker}\n\n\
         # What must be alike in staging and production for a rehearsal to mean anything.\n\
         parity:\n  compare: [staging]\n  fresh: 24h\n  facts:                                   # collect what this release changes, too:\n    - os                                   # a rehearsal shows by it that the way back works\n    - files: {{ paths: [\"config/**\"] }}\n\n\
         # What is watched after the launch. Nothing was found that could be measured; once there is:\n\
         # success: [ {{ id: answers, says: It answers, owner: {taker}, probe: {{ url: \"http://$HOST/\", every: 1s }}, at_most: 1% }} ]\n\
         success: {{ declined: \"Nothing measures it yet\", by: {giver} }}\n\n\
         runbook: runbook.md\n\
         rehearsal: {{ in: staging, within: 7d }}   # forward, back, and forward again\n\
         room: {{ notify: [] }}                     # slack, email, webhook or matrix hear what happens\n\
         review: {{ within: 5d }}                   # after the launch: what was learned\n"
    )
}

fn runbook(name: &str) -> String {
    format!(
        r#"# Launch {name}

The document people read is the program that runs. Prose is free everywhere;
the first list of a step says who and where, and a fence with a role is run.

## Roll out

### Install the release {{#install}}

- owner: operations (backup: development)
- on: web, 1 at a time
- expect: 1m

Replace these lines by what installs {name} on one host. They run in the
host's folder, and for a start they only write down which release is there.

```sh run
if [ -f RELEASE ]; then cp RELEASE RELEASE.before; fi
printf '%s\n' "$BATON_RELEASE" > RELEASE
```

How one can see that it worked:

```sh verify
grep -qxF "$BATON_RELEASE" RELEASE
```

And the way back, which the rehearsal proves:

```sh undo
if [ -f RELEASE.before ]; then mv RELEASE.before RELEASE; else rm -f RELEASE; fi
```

## Hand over

### Look at it

- owner: operations (backup: development)
- changes: nothing

A step without a run is done by a person, who ticks its list.

- [ ] It answers
- [ ] Somebody who uses it says so
"#
    )
}
