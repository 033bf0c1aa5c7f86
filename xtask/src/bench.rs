//! `cargo xtask bench`: figures of the release binary, each beside a floor that
//! this machine cannot go below, so that a reader can tell slow from far.

mod gate;
mod judge;
mod machine;
mod measure;
mod parity;
mod room;
mod run;

use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::args::Args;
use crate::{Answer, say, shell};

pub(crate) const HELP: &str = "\
cargo xtask bench NAME [--json] [--record]

gate   lint and check with 1,000 criteria, 1,000 steps and 100,000 events
parity three fingerprints of a million facts beside deepdiff, jsondiffpatch, comm and diff; faults put
       into a capture of this machine; three hosts over ssh; noise and ranking on the public data in
       bench/parity
run    what a step costs, and how soon a killed run goes on; beside it what others need,
       installed below target/bench-peers (--slow: ansible-core too)
room   a word on ten thousand screens, beside the floor, axum's own events and nginx with nchan
judge  false alarms and delays of the judge and of its peers' rules, simulated and recorded

--json     one object { \"machine\": {...}, \"figures\": { \"key\": number } } instead of the table;
           keys end in their unit
--record   also writes that object to bench/results/NAME-DATE.json
";

/// Builds what it measures, and measures it.
type Family = fn(&Ask) -> Answer<Vec<Figure>>;

const FAMILIES: [(&str, Family); 5] = [
    ("gate", |_| gate::measure(&shell::build_baton("release")?)),
    ("judge", |_| judge::measure()),
    ("parity", |_| parity::measure()),
    ("room", |_| {
        crate::web::build()?;
        room::measure(&shell::build_baton("release")?)
    }),
    ("run", |ask| {
        run::measure(&shell::build_baton("release")?, ask)
    }),
];

/// What else was asked for.
struct Ask {
    /// Also what takes minutes.
    slow: bool,
}

/// One number.
struct Figure {
    /// Ends in the unit.
    key: String,
    value: f64,
    /// How far single runs lay apart, for people.
    spread: String,
    /// What it cannot go below on this machine, and why.
    floor: Option<(f64, &'static str)>,
}

pub(crate) fn chore(mut args: Args) -> Answer {
    let (json, record) = (args.flag("--json"), args.flag("--record"));
    let ask = Ask {
        slow: args.flag("--slow"),
    };
    let (words, _) = args.rest()?;
    let known = FAMILIES.map(|(name, _)| name).join(", ");
    let [name] = words.as_slice() else {
        return Err(format!("it wants the name of one family: {known}"));
    };
    let Some((name, family)) = FAMILIES.into_iter().find(|(family, _)| family == name) else {
        return Err(format!("there is no family {name}; there is: {known}"));
    };
    let figures = family(&ask)?;
    let numbers = || {
        let numbers = figures.iter();
        numbers.map(|figure| (figure.key.clone(), figure.value))
    };
    if record {
        keep(name, numbers())?;
    }
    say::out(&if json {
        format!("{:#}\n", object(machine::describe(), numbers()))
    } else {
        table(&figures)
    });
    Ok(ExitCode::SUCCESS)
}

/// Writes figures to `bench/results/NAME-DATE.json`.
pub(crate) fn keep(name: &str, figures: impl IntoIterator<Item = (String, f64)>) -> Answer<()> {
    let folder = shell::root().join("bench/results");
    let file = folder.join(format!("{name}-{}.json", machine::today()));
    let text = format!("{:#}\n", object(machine::describe(), figures));
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&file, text))
        .map_err(|why| format!("cannot write {}: {why}", file.display()))?;
    say::aside(&format!("recorded in {}\n", file.display()));
    Ok(())
}

fn object(machine: Map<String, Value>, figures: impl IntoIterator<Item = (String, f64)>) -> Value {
    let figures: Map<String, Value> = figures
        .into_iter()
        .map(|(key, value)| (key, rounded(value).into()))
        .collect();
    serde_json::json!({ "machine": machine, "figures": figures })
}

/// Three places are more than any of these figures repeats.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn table(figures: &[Figure]) -> String {
    let head = ["figure", "measured", "single runs", "cannot go below"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for figure in figures {
        let floor = figure
            .floor
            .map(|(value, why)| format!("{value:.2} ({why})"))
            .unwrap_or_default();
        let measured = format!("{:>8.2}", figure.value);
        rows.push(vec![
            figure.key.clone(),
            measured,
            figure.spread.clone(),
            floor,
        ]);
    }
    say::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> [Figure; 2] {
        let lint = Figure {
            key: "lint_ms".to_owned(),
            value: 12.345_678,
            spread: "12 to 14".to_owned(),
            floor: Some((1.0, "start")),
        };
        [
            lint,
            Figure {
                key: "binary_mib".to_owned(),
                value: 7.5,
                spread: String::new(),
                floor: None,
            },
        ]
    }

    #[test]
    fn the_object_has_machine_and_figures() {
        let numbers = figures().map(|figure| (figure.key.clone(), figure.value));
        let object = object(machine::describe(), numbers);
        assert_eq!(object["figures"]["lint_ms"], 12.346);
        assert_eq!(object["figures"]["binary_mib"], 7.5);
        assert!(object["machine"]["cores"].as_u64().unwrap() > 0);
    }

    #[test]
    fn the_table_has_the_floor_beside() {
        let table = table(&figures());
        assert_eq!(table.lines().count(), 3);
        assert!(
            table.contains("12.35") && table.contains("1.00 (start)"),
            "{table}"
        );
    }

    #[test]
    fn every_family_is_in_the_help() {
        for (name, _) in FAMILIES {
            assert!(HELP.contains(&format!("\n{name} ")), "{name}");
        }
    }
}
