//! What the gate remembers of the ledger.
//!
//! [`Facts`] is a fold of entries: one [`Facts::apply`] changes it, in ledger
//! order. It keeps the latest word on everything and forgets what no rule asks
//! for, so that it stays small enough to be cached beside the head it was
//! folded up to. It judges nothing: whether a word still counts is decided
//! against the plan, in [`assess`](super::assess).

mod runs;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::{Ending, Event, Outcome, RunKind, RunTerms};
use crate::id::{
    Component, CriterionId, Digest, EnvName, ExpectationId, Handle, HandoffId, HostName, LessonId,
    MeasureId, RunId, Seq, StepId, TeamName,
};
use crate::ledger::Entry;
use crate::parity::{Mark, RoundTrip};

/// The version of the stored form of [`Facts`]. A cache of another version is
/// thrown away and folded again.
pub const FACTS_FORMAT: u32 = 5;

/// Everything the gate asks of one handoff's past, and the lessons of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    format: u32,
    handoff: HandoffId,
    pub(super) criteria: BTreeMap<CriterionId, Evidence>,
    pub(super) signatures: BTreeMap<CriterionId, BTreeMap<Handle, Signature>>,
    pub(super) measures: BTreeMap<MeasureId, Sight>,
    pub(super) secrets: BTreeMap<EnvName, SecretsSeen>,
    pub(super) preflights: BTreeMap<EnvName, BTreeMap<StepId, HostProofs>>,
    pub(super) answers: BTreeMap<ExpectationId, Vec<Answer>>,
    pub(super) offers: BTreeMap<Handle, Word>,
    pub(super) accepts: BTreeMap<Handle, Word>,
    pub(super) mine: BTreeMap<Handle, BTreeMap<String, Digest>>,
    pub(super) fingerprints: BTreeMap<EnvName, Prints>,
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) votes: BTreeMap<Handle, Vote>,
    /// When a talk in the room was recorded last.
    pub(super) talked: Option<Seq>,
    pub(super) launch_turn: Option<Seq>,
    pub(super) lessons: BTreeMap<LessonId, Lesson>,
}

/// The preflights of one step, by host, then by person.
pub(super) type HostProofs = BTreeMap<HostName, BTreeMap<Handle, Proof>>;

/// The latest run of a criterion's command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Evidence {
    pub(super) definition: Digest,
    pub(super) release: Digest,
    pub(super) environment: Option<Digest>,
    pub(super) end: Ending,
    pub(super) guard: Option<Ending>,
    pub(super) output: Option<Digest>,
    pub(super) at: Timestamp,
}

/// A person's latest signature under a criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Signature {
    pub(super) definition: Digest,
    pub(super) release: Digest,
    pub(super) environment: Option<Digest>,
    pub(super) at: Timestamp,
}

/// The latest look at a success measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sight {
    pub(super) definition: Digest,
    pub(super) blind: Option<String>,
    pub(super) at: Timestamp,
}

/// The latest time the secrets of an environment were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SecretsSeen {
    pub(super) definition: Digest,
    pub(super) secrets: BTreeMap<String, Option<String>>,
}

/// A person's latest preflight of a step on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Proof {
    pub(super) definition: Digest,
    pub(super) end: Ending,
    pub(super) seq: Seq,
}

/// One committed answer, and what it said once it was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) seq: Seq,
    pub(super) by: Handle,
    pub(super) team: TeamName,
    pub(super) definition: Digest,
    pub(super) commitment: Digest,
    pub(super) opened: Option<(Seq, String)>,
}

/// A person's latest word on some content. Saying the same again keeps its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) content: Digest,
    pub(super) seq: Seq,
}

/// The fingerprints of one environment that the gate may compare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Prints {
    pub(super) latest: Option<Print>,
    pub(super) before: BTreeMap<RunId, Print>,
}

/// One fingerprint, as a reference to its blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Print {
    pub(super) definition: Digest,
    pub(super) collectors: Digest,
    pub(super) fingerprint: Digest,
    pub(super) at: Timestamp,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) terms: RunTerms,
    pub(super) opened_at: Timestamp,
    pub(super) by: Handle,
    pub(super) round_trip: Option<RoundTrip>,
    pub(super) ended: Option<Ended>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) because: String,
    pub(super) at: Timestamp,
    pub(super) seq: Seq,
    pub(super) undone: BTreeSet<StepId>,
}

/// A person's latest vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Vote {
    pub(super) go: bool,
    /// How sure; `None` while it is closed.
    pub(super) confidence: Option<u8>,
    pub(super) commitment: Option<Digest>,
    pub(super) because: Option<String>,
    pub(super) content: Digest,
    pub(super) seq: Seq,
    /// Their latest no-go on this content, this vote included.
    pub(super) no_go: Option<Seq>,
}

/// A lesson that is not met yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lesson {
    pub(super) text: String,
    pub(super) touches: Vec<Component>,
    pub(super) owner: Handle,
}

/// A fingerprint that was taken, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    /// The blob.
    pub fingerprint: &'a Digest,
    /// Digest of the environment's definition at that time.
    pub definition: &'a Digest,
    /// Digest of what was asked for.
    pub collectors: &'a Digest,
    /// When.
    pub at: Timestamp,
}

/// What a blind answer commits to: SHA-256 over the salt, a zero byte and the value.
pub fn commitment(salt: &str, value: &str) -> Digest {
    Digest::finish(
        Sha256::new()
            .chain_update(salt)
            .chain_update([0])
            .chain_update(value),
    )
}

impl Facts {
    /// Nothing has happened yet to this handoff.
    pub fn new(handoff: HandoffId) -> Self {
        Self {
            format: FACTS_FORMAT,
            handoff,
            criteria: BTreeMap::new(),
            signatures: BTreeMap::new(),
            measures: BTreeMap::new(),
            secrets: BTreeMap::new(),
            preflights: BTreeMap::new(),
            answers: BTreeMap::new(),
            offers: BTreeMap::new(),
            accepts: BTreeMap::new(),
            mine: BTreeMap::new(),
            fingerprints: BTreeMap::new(),
            runs: BTreeMap::new(),
            votes: BTreeMap::new(),
            talked: None,
            launch_turn: None,
            lessons: BTreeMap::new(),
        }
    }

    /// Whether these facts are of this handoff and this [`FACTS_FORMAT`]; a
    /// cache that is not is folded again.
    pub fn are_of(&self, handoff: &HandoffId) -> bool {
        self.format == FACTS_FORMAT && self.handoff == *handoff
    }

    /// The blobs of the fingerprints the gate may compare.
    pub fn fingerprint_blobs(&self) -> impl Iterator<Item = &Digest> {
        self.fingerprints.values().flat_map(|prints| {
            let all = prints.latest.iter().chain(prints.before.values());
            all.map(|print| &print.fingerprint)
        })
    }

    /// The latest fingerprint of an environment.
    pub fn fingerprint_of(&self, environment: &EnvName) -> Option<Taken<'_>> {
        let print = self.fingerprints.get(environment)?.latest.as_ref()?;
        Some(Taken {
            fingerprint: &print.fingerprint,
            definition: &print.definition,
            collectors: &print.collectors,
            at: print.at,
        })
    }

    /// Whether a fingerprint from before a rehearsal is kept of an environment,
    /// so that the latest may not be the one that counts.
    pub fn was_rehearsed_in(&self, environment: &EnvName) -> bool {
        let prints = self.fingerprints.get(environment);
        prints.is_some_and(|prints| !prints.before.is_empty())
    }

    /// The latest offer of each person: the content they offered.
    pub fn offers(&self) -> impl Iterator<Item = (&Handle, &Digest)> {
        self.offers.iter().map(|(by, word)| (by, &word.content))
    }

    /// The latest acceptance of each person: the content they accepted.
    pub fn acceptances(&self) -> impl Iterator<Item = (&Handle, &Digest)> {
        self.accepts.iter().map(|(by, word)| (by, &word.content))
    }

    /// Who offered this content last of all they offered, and where the ledger
    /// says so.
    pub fn offered<'a>(&'a self, content: &'a Digest) -> impl Iterator<Item = (&'a Handle, Seq)> {
        said_of(&self.offers, content)
    }

    /// The same of those who accepted it.
    pub fn accepted<'a>(&'a self, content: &'a Digest) -> impl Iterator<Item = (&'a Handle, Seq)> {
        said_of(&self.accepts, content)
    }

    /// What a person has accepted as theirs, by key, as it was then.
    pub fn accepted_by(&self, person: &Handle) -> Option<&BTreeMap<String, Digest>> {
        self.mine.get(person)
    }

    /// The run of this handoff that is not over; there is one at most.
    pub fn open_run(&self) -> Option<&RunId> {
        let mut runs = self.runs.iter().rev();
        runs.find(|(_, run)| run.ended.is_none()).map(|(id, _)| id)
    }

    /// The latest run of this handoff, open or over.
    pub fn latest_run(&self) -> Option<&RunId> {
        self.runs.keys().next_back()
    }

    /// The latest launch of this handoff, open or over, until its review was held.
    pub fn latest_launch(&self) -> Option<&RunId> {
        let mut runs = self.runs.iter().rev();
        let launch = |run: &Run| run.terms.what == RunKind::Launch;
        runs.find(|(_, run)| launch(run)).map(|(id, _)| id)
    }

    /// Lessons of any handoff that are not met.
    pub fn open_lessons(&self) -> impl Iterator<Item = &LessonId> {
        self.lessons.keys()
    }

    /// Takes the next entry of the ledger into account. Entries of other
    /// handoffs only teach lessons.
    pub fn apply(&mut self, entry: &Entry) {
        self.learn(&entry.event);
        if entry.handoff != self.handoff {
            return;
        }
        match &entry.event {
            Event::CriterionRan { .. }
            | Event::Signed { .. }
            | Event::MeasureSeen { .. }
            | Event::SecretsResolved { .. } => self.apply_evidence(entry),
            Event::Preflighted { .. } | Event::Fingerprinted { .. } => self.apply_reading(entry),
            Event::Answered { .. } | Event::Opened { .. } => self.apply_answer(entry),
            Event::Offered { .. }
            | Event::Accepted { .. }
            | Event::AcceptedMine { .. }
            | Event::Voted { .. }
            | Event::ConfidenceOpened { .. }
            | Event::Talked { .. } => self.apply_word(entry),
            Event::RunOpened(_)
            | Event::RoundTrip(_)
            | Event::RunEnded { .. }
            | Event::Reviewed { .. } => {
                self.apply_run(entry);
            }
            // The steps of a run, the talk in the room and lessons are no evidence of the gate.
            _ => {}
        }
    }

    fn learn(&mut self, event: &Event) {
        match event {
            Event::LessonKept {
                lesson,
                text,
                touches,
                owner,
            } => {
                let kept = Lesson {
                    text: text.clone(),
                    touches: touches.clone(),
                    owner: owner.clone(),
                };
                self.lessons.insert(lesson.clone(), kept);
            }
            Event::LessonMet { lesson, .. } => {
                self.lessons.remove(lesson);
            }
            _ => {}
        }
    }

    fn apply_evidence(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.event {
            Event::CriterionRan {
                criterion,
                definition,
                release,
                environment,
                end,
                guard,
                output,
                took: _,
            } => {
                let evidence = Evidence {
                    definition: definition.clone(),
                    release: release.clone(),
                    environment: environment.clone(),
                    end: end.clone(),
                    guard: guard.clone(),
                    output: output.clone(),
                    at,
                };
                self.criteria.insert(criterion.clone(), evidence);
            }
            Event::Signed {
                criterion,
                definition,
                release,
                environment,
            } => {
                let signature = Signature {
                    definition: definition.clone(),
                    release: release.clone(),
                    environment: environment.clone(),
                    at,
                };
                let of = self.signatures.entry(criterion.clone()).or_default();
                of.insert(entry.by.clone(), signature);
            }
            Event::MeasureSeen {
                measure,
                definition,
                blind,
            } => {
                let sight = Sight {
                    definition: definition.clone(),
                    blind: blind.clone(),
                    at,
                };
                self.measures.insert(measure.clone(), sight);
            }
            Event::SecretsResolved {
                environment,
                definition,
                secrets,
            } => {
                let seen = SecretsSeen {
                    definition: definition.clone(),
                    secrets: secrets.clone(),
                };
                self.secrets.insert(environment.clone(), seen);
            }
            _ => {}
        }
    }

    fn apply_reading(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Preflighted {
                step,
                host,
                environment,
                definition,
                end,
            } => {
                let proof = Proof {
                    definition: definition.clone(),
                    end: end.clone(),
                    seq: entry.seq,
                };
                self.preflights
                    .entry(environment.clone())
                    .or_default()
                    .entry(step.clone())
                    .or_default()
                    .entry(host.clone())
                    .or_default()
                    .insert(entry.by.clone(), proof);
            }
            Event::Fingerprinted {
                environment,
                definition,
                collectors,
                fingerprint,
                mark,
            } => {
                let print = Print {
                    definition: definition.clone(),
                    collectors: collectors.clone(),
                    fingerprint: fingerprint.clone(),
                    at: entry.at,
                };
                let prints = self.fingerprints.entry(environment.clone()).or_default();
                match (mark, &entry.run) {
                    (Some(Mark::Before), Some(run)) => {
                        prints.before.insert(run.clone(), print.clone());
                        prints.latest = Some(print);
                    }
                    (None, _) => prints.latest = Some(print),
                    // In the middle of a rehearsal an environment is on its way.
                    (Some(_), _) => {}
                }
            }
            _ => {}
        }
    }

    fn apply_answer(&mut self, entry: &Entry) {
        let (by, seq) = (&entry.by, entry.seq);
        match &entry.event {
            Event::Answered {
                expectation,
                definition,
                team,
                commitment,
            } => self
                .answers
                .entry(expectation.clone())
                .or_default()
                .push(Answer {
                    seq,
                    by: by.clone(),
                    team: team.clone(),
                    definition: definition.clone(),
                    commitment: commitment.clone(),
                    opened: None,
                }),
            Event::Opened {
                expectation,
                team,
                value,
                salt,
            } => {
                let shown = commitment(salt, value);
                let answers = self.answers.get_mut(expectation).into_iter().flatten();
                // What was not committed to is no answer; the first opening counts.
                for answer in answers {
                    if answer.team == *team && answer.commitment == shown && answer.opened.is_none()
                    {
                        answer.opened = Some((seq, value.clone()));
                    }
                }
            }
            _ => {}
        }
    }

    fn apply_word(&mut self, entry: &Entry) {
        let (by, seq) = (&entry.by, entry.seq);
        match &entry.event {
            Event::Offered { content, .. } => say(&mut self.offers, by, content, seq),
            Event::Accepted { content } => say(&mut self.accepts, by, content, seq),
            Event::AcceptedMine { items } => {
                let accepted = items.iter().map(|(key, d)| (key.clone(), d.clone()));
                self.mine.entry(by.clone()).or_default().extend(accepted);
            }
            Event::Voted {
                go,
                confidence,
                commitment,
                because,
                content,
            } => {
                let before = self.votes.get(by).filter(|vote| vote.content == *content);
                let no_go = before.and_then(|vote| vote.no_go);
                let vote = Vote {
                    go: *go,
                    confidence: *confidence,
                    commitment: commitment.clone(),
                    because: because.clone(),
                    content: content.clone(),
                    seq,
                    no_go: if *go { no_go } else { Some(seq) },
                };
                self.votes.insert(by.clone(), vote);
            }
            Event::ConfidenceOpened {
                commitment: shut,
                confidence,
                salt,
            } => {
                // What was not committed to is nobody's confidence.
                let opens = *shut == commitment(salt, &confidence.to_string());
                let vote = self.votes.get_mut(by);
                let vote = vote.filter(|vote| opens && vote.commitment.as_ref() == Some(shut));
                if let Some(vote) = vote.filter(|_| (1..=5).contains(confidence)) {
                    vote.confidence = Some(*confidence);
                }
            }
            Event::Talked { .. } => self.talked = Some(seq),
            _ => {}
        }
    }
}

fn said_of<'a>(
    words: &'a BTreeMap<Handle, Word>,
    content: &'a Digest,
) -> impl Iterator<Item = (&'a Handle, Seq)> {
    let of = words
        .iter()
        .filter(move |(_, word)| word.content == *content);
    of.map(|(by, word)| (by, word.seq))
}

fn say(words: &mut BTreeMap<Handle, Word>, by: &Handle, content: &Digest, seq: Seq) {
    if words.get(by).is_none_or(|word| word.content != *content) {
        let content = content.clone();
        words.insert(by.clone(), Word { content, seq });
    }
}
