//! The sentences of comparing. They name hosts, environments and values, and
//! need no word of ours to be understood.

use std::collections::BTreeSet;

use crate::diag::list;
use crate::id::{EnvName, HostName};
use crate::parity::compare::Kind;
use crate::parity::compare::gather::{Place, Standing};
use crate::parity::fact::{Class, FactName, Value};
use crate::parity::matcher::{Is, Rule, SIZE_RATIO, sizes_within};

/// Most hosts that are listed in a sentence; the sides of a difference list all.
pub(super) const HOSTS_MAX: usize = 5;

/// The name of a host as it is said.
pub(super) fn host(host: &HostName) -> &str {
    if host.is_here() {
        "the contract's folder"
    } else {
        host
    }
}

fn hosts(hosts: &[&HostName]) -> String {
    let shown: Vec<&str> = hosts.iter().map(|name| host(name)).collect();
    list(&shown, HOSTS_MAX)
}

fn value(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), Value::shown)
}

/// "1 of 8 hosts differs: r8 has files:router = A, the other 7 have B (production)".
pub(super) fn siblings(
    fact: &FactName,
    standing: &Standing<'_>,
    usual: Option<Option<&Value>>,
) -> String {
    let odd: Vec<(Option<&Value>, &Vec<&HostName>)> = standing
        .values
        .iter()
        .map(|(value, hosts)| (value.as_ref(), hosts))
        .filter(|(value, _)| usual != Some(*value))
        .collect();
    let total: usize = standing.values.values().map(Vec::len).sum();
    let count: usize = odd.iter().map(|(_, hosts)| hosts.len()).sum();
    let mut parts: Vec<String> = odd
        .iter()
        .map(|(of, names)| {
            let have = if names.len() == 1 { "has" } else { "have" };
            match of {
                Some(of) => format!("{} {have} {fact} = {}", hosts(names), of.shown()),
                None => format!("{} {have} no {fact}", hosts(names)),
            }
        })
        .collect();
    if let Some(usual) = usual {
        let rest = total - count;
        let have = if rest == 1 { "has" } else { "have" };
        parts.push(format!("the other {rest} {have} {}", value(usual)));
    }
    let head = match (usual, count) {
        (None, _) => format!("{total} hosts differ"),
        (Some(_), 1) => format!("1 of {total} hosts differs"),
        (Some(_), _) => format!("{count} of {total} hosts differ"),
    };
    format!("{head}: {} ({})", parts.join(", "), standing.environment)
}

/// One side of a sentence about two environments: `staging has A (web1), B (web2)`.
fn has(standing: &Standing<'_>) -> String {
    let values: Vec<String> = standing
        .values
        .iter()
        .map(|(of, names)| match standing.values.len() {
            1 => value(of.as_ref()),
            _ => format!("{} ({})", value(of.as_ref()), hosts(names)),
        })
        .collect();
    format!("{} has {}", standing.environment, values.join(", "))
}

/// The hosts of a side, when all of them have one value and it thus names none.
fn whom(standing: &Standing<'_>) -> String {
    match standing.values.values().collect::<Vec<_>>().as_slice() {
        [names] => format!(" ({})", hosts(names)),
        _ => String::new(),
    }
}

/// "files:config/app.toml differs: staging has A, production has B (web1, web2)".
pub(super) fn environments(
    fact: &FactName,
    kind: Kind,
    ours: &Standing<'_>,
    theirs: &Standing<'_>,
    rule: Option<&Rule>,
) -> String {
    let verb = match kind {
        Kind::Missing => format!("is missing in {}", theirs.environment),
        Kind::Extra => format!("is missing in {}", ours.environment),
        Kind::Changed | Kind::SameSecret | Kind::Contradiction => "differs".to_owned(),
    };
    let but = match rule.map(|rule| rule.is) {
        Some(Is::Ratio { max }) => format!("; the rule allows numbers up to {max} times apart"),
        Some(Is::MustDiffer) | None => String::new(),
        Some(is) => format!("; by the rule, it {is}"),
    };
    format!(
        "{fact} {verb}: {}, {}{}{but}",
        has(ours),
        has(theirs),
        whom(theirs)
    )
}

/// "env:DB_URL is the same in staging and production and must differ (web1, web2)".
pub(super) fn same_secret(
    fact: &FactName,
    ours: &Standing<'_>,
    theirs: &Standing<'_>,
    strays: &BTreeSet<Place<'_>>,
) -> String {
    let names: BTreeSet<&HostName> = strays.iter().map(|(_, host)| *host).collect();
    let names: Vec<&HostName> = names.into_iter().collect();
    format!(
        "{fact} is the same in {} and {} and must differ ({})",
        ours.environment,
        theirs.environment,
        hosts(&names)
    )
}

/// "configuration of production names path:/srv/shop/key, and there is nothing there (web1)".
pub(super) fn contradiction(
    fact: &FactName,
    standing: &Standing<'_>,
    strays: &BTreeSet<Place<'_>>,
    says: Option<&Value>,
) -> String {
    let what = fact.as_str().split_once(':').map_or("", |(_, what)| what);
    let names: Vec<&HostName> = strays.iter().map(|(_, host)| *host).collect();
    let why = match says.and_then(Value::text) {
        Some("nothing there") => "which is not there",
        Some("nobody listens") => "at which nobody listens",
        _ => "which nobody there knows",
    };
    format!(
        "the configuration of {} names {}, {why} ({})",
        standing.environment,
        what.replacen(':', " ", 1),
        hosts(&names)
    )
}

/// "production has host db2, and staging has neither such a host nor its group".
pub(super) fn lone(name: &HostName, here: &EnvName, there: &EnvName) -> String {
    format!(
        "{here} has host {}, and {there} has neither such a host nor its group",
        host(name)
    )
}

/// "env:WORKERS: staging has 4, production has 16; by the rule, env:WORKERS may be up to 8 times apart".
pub(super) fn excused(fact: &FactName, sides: &[&Standing<'_>], why: &str) -> String {
    let sides: Vec<String> = sides.iter().map(|side| has(side)).collect();
    format!("{fact}: {}; {why}", sides.join(", "))
}

/// Why a rule of the contract finds values right.
pub(super) fn by_rule(rule: &Rule) -> String {
    format!("by the rule, {rule}")
}

/// Why these values are right by what the fact is: an amount of the machine
/// that is not too far from its counterpart.
pub(super) fn by_nature(class: Option<Class>, values: &[&Value]) -> Option<String> {
    let near = class == Some(Class::Size) && sizes_within(values.iter().copied(), SIZE_RATIO);
    near.then(|| format!("a size of the machine, which may be up to {SIZE_RATIO} times apart"))
}
