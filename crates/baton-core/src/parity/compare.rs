//! Compares fingerprints: the hosts of a group with their siblings, and each
//! tested environment with the one of the launch.
//!
//! Promises that one cause gives one [`Difference`], which says where every
//! value stands; that swapping two environments swaps only the words; and that
//! what could not be read is a [`NotCollected`] and never equality. What the
//! release itself changed is not known here: the gate compares fingerprints
//! that were taken before the rehearsal.

pub mod cause;
pub mod merge;

mod fold;
mod gather;
mod rows;
mod says;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::id::{EnvName, GroupName, HostName};
use crate::parity::compare::gather::{Everywhere, Host, Stage, Standing};
use crate::parity::compare::merge::{Cursor, Here, InMemory, Open, Site, walk};
use crate::parity::compare::rows::{Found, Row};
use crate::parity::fact::FactName;
use crate::parity::fingerprint::{Fingerprint, HostFacts};
use crate::parity::matcher::{Is, Rule, Rules};
use crate::parity::risk::{Risk, Weights};

/// A fingerprint and how its hosts stand together.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    /// What was read.
    pub fingerprint: &'a Fingerprint,
    /// The groups of the contract's environment.
    pub groups: &'a BTreeMap<GroupName, Vec<HostName>>,
}

/// What kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The value is another.
    Changed,
    /// It stands in the tested environment, or on the siblings, and not here.
    Missing,
    /// It stands here, and not in the tested environment, or on the siblings.
    Extra,
    /// The value must differ between the environments, and does not.
    SameSecret,
    /// The environment contradicts itself: its configuration names something
    /// that is not there.
    Contradiction,
}

impl Kind {
    /// The code of the blocker that such a difference is.
    pub fn code(self) -> &'static str {
        match self {
            Self::SameSecret => "parity.same-secret",
            Self::Changed | Self::Missing | Self::Extra | Self::Contradiction => {
                "parity.unexplained"
            }
        }
    }
}

/// One value of a fact, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Side {
    /// The environment.
    pub environment: EnvName,
    /// The hosts that have this value.
    pub hosts: Vec<HostName>,
    /// The value as it is shown to people; `None` where there is no such fact.
    pub value: Option<String>,
}

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The fact; `host:NAME` for a host that has no counterpart.
    pub fact: FactName,
    /// What kind.
    pub kind: Kind,
    /// How much it matters, and why.
    pub risk: Risk,
    /// Where each value stands.
    pub sides: Vec<Side>,
    /// What a waiver must cover: the hosts that stand out from their siblings
    /// or counterparts, if it is not all of them, and the fact.
    pub names: Vec<String>,
    /// A sentence that names every offending thing.
    pub says: String,
}

/// A difference that a rule of the contract finds right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Excused {
    /// The fact.
    pub fact: FactName,
    /// Where each value stands.
    pub sides: Vec<Side>,
    /// Why it is right: `by the rule, …`.
    pub because: String,
    /// A sentence with the values and the rule.
    pub says: String,
}

/// A layer that was not read on some hosts, so that nobody knows whether it is the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCollected {
    /// The environment.
    pub environment: EnvName,
    /// The hosts for which the same reason holds.
    pub hosts: Vec<HostName>,
    /// The layer; `host` when nothing at all was read.
    pub layer: String,
    /// Why, as [`LayerStatus`](crate::parity::LayerStatus) shows it.
    pub reason: String,
    /// What a waiver must cover: the hosts, and the layer as `LAYER:*`.
    pub names: Vec<String>,
    /// A sentence that names every offending thing.
    pub says: String,
}

/// What comparing found, in stable order: of the differences the gravest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What is not the same.
    pub differences: Vec<Difference>,
    /// What is not the same and right by a rule.
    pub excused: Vec<Excused>,
    /// What nobody knows.
    pub not_collected: Vec<NotCollected>,
}

impl Comparison {
    /// Whether everything was read and is the same, or right by a rule.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.not_collected.is_empty()
    }

    /// The same, the differences weighed and ordered by a contract's weights.
    #[must_use]
    pub fn reweighed(mut self, weights: &Weights) -> Self {
        let differences = self.differences.into_iter().map(|of| Difference {
            risk: of.risk.reweighed(weights),
            ..of
        });
        self.differences = differences.collect();
        fold::order(&mut self.differences);
        self
    }
}

impl<'a> Environment<'a> {
    /// Opens the facts of all its hosts.
    pub fn open(self) -> Open<'a, InMemory<'a>> {
        let hosts = self.fingerprint.hosts.iter();
        let site = |(name, facts): (&'a HostName, &'a HostFacts)| Site {
            name,
            layers: &facts.layers,
            facts: InMemory::new(&facts.facts),
        };
        Open {
            environment: &self.fingerprint.environment,
            groups: self.groups,
            sites: hosts.map(site).collect(),
        }
    }
}

/// Compares the hosts of every group with their siblings, exactly, but for the
/// rules that say how values may lie apart; what must differ between
/// environments must still be the same within one.
pub fn compare_hosts(environment: Environment<'_>, rules: &[Rule]) -> Comparison {
    Work::new(vec![environment.open()], rules, true).finish()
}

/// Compares two environments: `tested` and the one the release is to go to.
///
/// Hosts are compared by group: the values a fact has in a group of the one
/// against those in the group of the same name of the other, however many hosts
/// each has. A host in no such group is compared with the host of its name.
pub fn compare_environments(
    tested: Environment<'_>,
    launch: Environment<'_>,
    rules: &[Rule],
) -> Comparison {
    Work::new(vec![tested.open(), launch.open()], rules, false).finish()
}

/// The whole comparison that the gate asks for: siblings in every environment,
/// and each tested environment against the one of the launch. A host that
/// stands out from its siblings is named once, not again for the environment.
pub fn compare(launch: Environment<'_>, tested: &[Environment<'_>], rules: &[Rule]) -> Comparison {
    let tested = tested.iter().map(|environment| environment.open());
    compare_open(launch.open(), tested.collect(), rules)
}

/// The same, of facts that are read as they are needed.
pub fn compare_open<'a, C: Cursor>(
    launch: Open<'a, C>,
    tested: Vec<Open<'a, C>>,
    rules: &[Rule],
) -> Comparison {
    let all = tested.into_iter().chain([launch]).collect();
    Work::new(all, rules, true).finish()
}

/// Some hosts that are compared with each other, by their places among all.
enum Set {
    /// Of one environment.
    Siblings { stage: usize, hosts: Vec<usize> },
    /// Of a tested environment, and of the launch environment.
    Counterparts {
        stage: usize,
        ours: Vec<usize>,
        theirs: Vec<usize>,
    },
}

/// A comparison at work. The launch environment is the last stage.
struct Work<'a, 'r, C> {
    cursors: Vec<C>,
    hosts: Vec<Host<'a>>,
    stages: Vec<Stage<'a>>,
    sets: Vec<Set>,
    rules: Rules<'r>,
    /// Whether an environment is also held against itself.
    contradictions: bool,
    /// By stage: what was found among siblings, and between it and the launch.
    among: Vec<Vec<Row<'a>>>,
    between: Vec<Vec<Row<'a>>>,
    excused: Vec<Excused>,
}

impl<'a, 'r, C: Cursor> Work<'a, 'r, C> {
    fn new(all: Vec<Open<'a, C>>, rules: &'r [Rule], siblings: bool) -> Self {
        let (mut cursors, mut hosts, mut stages) = (Vec::new(), Vec::new(), Vec::new());
        for open in all {
            let mut places = BTreeMap::new();
            for site in open.sites {
                let _before = places.insert(site.name, hosts.len());
                hosts.push(Host {
                    environment: open.environment,
                    name: site.name,
                    layers: site.layers,
                });
                cursors.push(site.facts);
            }
            stages.push(Stage {
                environment: open.environment,
                groups: open.groups,
                places,
            });
        }
        let mut work = Self {
            cursors,
            hosts,
            among: stages.iter().map(|_| Vec::new()).collect(),
            between: stages.iter().map(|_| Vec::new()).collect(),
            sets: Vec::new(),
            stages,
            rules: Rules::new(rules),
            contradictions: siblings,
            excused: Vec::new(),
        };
        if siblings {
            work.pair_siblings();
        }
        work.pair_counterparts();
        work
    }

    fn pair_siblings(&mut self) {
        for (stage, of) in self.stages.iter().enumerate() {
            let groups = of.groups.values().map(|hosts| Set::Siblings {
                stage,
                hosts: of.of(hosts),
            });
            self.sets.extend(groups);
        }
    }

    fn pair_counterparts(&mut self) {
        let Some((launch, tested)) = self.stages.split_last() else {
            return;
        };
        for (stage, of) in tested.iter().enumerate() {
            let pairing = gather::pairing(of, launch);
            let pairs = pairing.pairs.into_iter();
            self.sets
                .extend(pairs.map(|(ours, theirs)| Set::Counterparts {
                    stage,
                    ours: of.of(ours),
                    theirs: launch.of(theirs),
                }));
            let (here, there) = (of.environment, launch.environment);
            let gone = pairing.only_tested.into_iter();
            let rows = &mut self.between[stage];
            rows.extend(gone.map(|host| rows::lone(host, here, there, Kind::Missing)));
            let new = pairing.only_launch.into_iter();
            rows.extend(new.map(|host| rows::lone(host, there, here, Kind::Extra)));
        }
    }

    fn finish(mut self) -> Comparison {
        let mut cursors = std::mem::take(&mut self.cursors);
        let must_differ = self.rules.prefixes(|is| is == Is::MustDiffer);
        let may_hold = |layer: &str| {
            layer == rows::REFERENCES || must_differ.iter().any(|prefix| may_meet(prefix, layer))
        };
        let mut with_facts: BTreeSet<String> = BTreeSet::new();
        let mut last = None;
        let layer = |layer: &str| {
            if last.as_deref() != Some(layer) {
                last = Some(layer.to_owned());
                with_facts.insert(layer.to_owned());
            }
        };
        let everyone = 0..self.hosts.len();
        walk(
            &mut cursors,
            |layer| !may_hold(layer),
            layer,
            |here| {
                let named = rows::may_contradict(here.name)
                    || must_differ
                        .iter()
                        .any(|prefix| here.name.starts_with(prefix));
                if named || !here.agree(everyone.clone()) {
                    self.visit(here);
                }
            },
        );
        let among = self.among.into_iter().flat_map(fold::stage).collect();
        let between = self.between.into_iter().flat_map(fold::stage).collect();
        let tested = self.stages.len() > 1;
        let unread = gather::unread(&self.stages, &self.hosts, &with_facts, tested);
        fold::finish(fold::fold(among, between), self.excused, unread)
    }

    /// Compares one fact in every set of hosts.
    fn visit(&mut self, here: &Here<'_, C>) {
        let name = FactName::of_line(here.name);
        let rule = self.rules.find(&name);
        let must_differ = rule.is_some_and(|rule| rule.is == Is::MustDiffer);
        let facts = here.cursors.iter().zip(here.present);
        let facts: Vec<_> = facts
            .map(|(cursor, there)| cursor.fact().filter(|_| *there))
            .collect();
        let row = Everywhere {
            name: &name,
            hosts: &self.hosts,
            facts: &facts,
        };
        if rows::may_contradict(here.name) && self.contradictions {
            for (stage, of) in self.stages.iter().enumerate() {
                let hosts: Vec<usize> = of.places.values().copied().collect();
                let standing = Standing::of(&row, of.environment, &hosts, None);
                match rows::contradiction(&name, &standing, rule) {
                    Found::Same => {}
                    Found::Right(right) => self.excused.push(right),
                    Found::Wrong(row) => self.among[stage].push(row),
                }
            }
        }
        for set in &self.sets {
            let (found, rows) = match set {
                Set::Siblings { stage, hosts } => {
                    if here.agree(hosts.iter().copied()) {
                        continue;
                    }
                    let of = self.stages[*stage].environment;
                    let standing = Standing::of(&row, of, hosts, None);
                    (
                        rows::sibling(&name, &standing, rule),
                        &mut self.among[*stage],
                    )
                }
                Set::Counterparts {
                    stage,
                    ours,
                    theirs,
                } => {
                    if !must_differ && here.agree(ours.iter().chain(theirs).copied()) {
                        continue;
                    }
                    let (tested, launch) = (&self.stages[*stage], self.stages.last());
                    let Some(launch) = launch else { continue };
                    let ours = Standing::of(&row, tested.environment, ours, rule);
                    let theirs = Standing::of(&row, launch.environment, theirs, rule);
                    let found = rows::counterpart(&name, &ours, &theirs, rule);
                    (found, &mut self.between[*stage])
                }
            };
            match found {
                Found::Same => {}
                Found::Right(right) => self.excused.push(right),
                Found::Wrong(row) => rows.push(row),
            }
        }
    }
}

/// Whether a name of this layer may start with this text.
fn may_meet(prefix: &str, layer: &str) -> bool {
    match prefix.split_once(':') {
        Some((of, _)) => of == layer,
        None => layer.starts_with(prefix),
    }
}

#[cfg(test)]
mod tests;
