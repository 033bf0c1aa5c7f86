//! The judge through the driver: what is counted, what is recorded, what follows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use baton_core::event::{Ending, Event, RunKind, RunTerms};
use baton_core::handoff::plan::Plan;
use baton_core::id::{AttemptId, Digest, EnvName, Handle, MeasureId, RunId, Seq, canonical};
use baton_core::ledger::{Draft, Entry};
use baton_core::run::State;
use baton_core::run::order::Order;
use baton_core::run::state::{Ahead, Probe};
use baton_core::run::survey::Survey;
use baton_core::time::Duration;
use baton_core::watch::{Counts, Decision, Learned, Sample};
use baton_engine::drive::{Driver, Halted};
use baton_engine::world::{Ended, Found, Lost, Wake, World};
use baton_store::{Log as _, SqliteLog};
use baton_testkit::plans::{Conduct, Kind, Nature, plan};
use jiff::Timestamp;
use serde_json::json;

/// A world in which every command succeeds and every look counts the same. When
/// nothing but a person could go on, the terminal is closed.
struct Same {
    now: Timestamp,
    dice: u64,
    ended: VecDeque<Ended>,
    sample: Sample,
    split: Option<f64>,
}

impl World for Same {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn random(&mut self) -> u64 {
        self.dice += 1;
        self.dice
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.ended.push_back(Ended {
            attempt: order.attempt.clone(),
            end: Ending::Succeeded,
            outputs: BTreeMap::new(),
            output: Vec::new(),
            took: Duration::from_secs(1),
        });
        Ok(())
    }

    fn adopt(&mut self, _order: &Order) -> Result<Found, Lost> {
        Ok(Found::Never)
    }

    fn settled(&mut self, _attempt: &AttemptId) {}

    fn survey(&mut self, _survey: Survey) -> Result<(), Lost> {
        Err(Lost("nothing is surveyed here".to_owned()))
    }

    fn learn(&mut self, _ahead: &Ahead) -> BTreeMap<MeasureId, Learned> {
        let learned = Learned {
            split: self.split,
            ..Learned::default()
        };
        BTreeMap::from([("errors".into(), learned)])
    }

    fn probe(&mut self, _probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        Ok(())
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        Ok(BTreeMap::from([("errors".into(), self.sample.clone())]))
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        Ok(match (self.ended.pop_front(), until) {
            (Some(ended), _) => Wake::Ended(ended),
            (None, Some(until)) => {
                self.now = until.max(self.now);
                Wake::Stirred
            }
            (None, None) => Wake::Interrupted(2),
        })
    }
}

/// One step, on one host and then on another, each watched for 40 s against what
/// has not changed yet.
fn staged() -> Plan {
    let mut plan = plan(&[Kind {
        hosts: 2,
        staged: true,
        ..Kind::of(Nature::Provable, Conduct::Works)
    }]);
    plan.steps[0].written.watch = Some(Duration::from_secs(40));
    let success = json!({ "defined": [{
        "id": "errors", "says": "errors", "owner": null, "backup": null,
        "source": { "probe": { "url": "http://$HOST/", "every": 1000 } },
        "quantile": null, "at_most": null, "worse_by": 0.01,
    }] });
    plan.contract.success = serde_json::from_value(success).unwrap();
    plan
}

/// The events of a launch in which so much of the traffic went to either side.
fn launched(split: Option<f64>, canary: u64, control: u64) -> (Halted, Vec<Event>) {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, plan) = (
        SqliteLog::open(&folder.path().join("ledger")).unwrap(),
        staged(),
    );
    let other = Digest::of(b"other");
    let terms = RunTerms {
        what: RunKind::Launch,
        plan: log.put(&canonical(&plan)).unwrap(),
        content: other.clone(),
        procedure: other.clone(),
        roster: other.clone(),
        release: other.clone(),
        environment: EnvName::from("prod"),
        definition: other,
        fail_at: None,
        unproven: Vec::new(),
    };
    let mut world = Same {
        now: Timestamp::from_second(1_800_000_000).unwrap(),
        dice: 0,
        ended: VecDeque::new(),
        sample: Sample::of(Counts::new(0, canary), Some(Counts::new(0, control))),
        split,
    };
    let run = RunId::from("run_1");
    let draft = Draft {
        at: world.now,
        by: Handle::from("dana"),
        handoff: plan.handoff,
        run: Some(run.clone()),
        event: Event::RunOpened(terms),
    };
    let _opened = log.append(vec![draft], None, None).unwrap();
    let mut seen = |_: &Entry, _: &State| {};
    let me = Handle::from("dana");
    let driver = Driver::take(&mut log, &mut world, &mut seen, &run, &me, "here", true).unwrap();
    let (halted, _) = driver.drive().unwrap();
    let entries = log.read_run(&run, Seq(0), usize::MAX).unwrap();
    (
        halted,
        entries.into_iter().map(|entry| entry.event).collect(),
    )
}

#[test]
fn traffic_that_is_not_split_as_meant_holds_the_run() {
    let (halted, events) = launched(Some(0.5), 900, 100);
    assert!(matches!(halted, Halted::Frozen), "{halted:?}");
    let judged = events.iter().filter_map(|event| match event {
        Event::Judged { verdict, .. } => Some(verdict),
        _ => None,
    });
    let judged: Vec<_> = judged.collect();
    assert_eq!(judged.len(), 40, "every second for 40 s");
    assert!(judged.iter().all(|v| v.decision == Decision::Hold));
    let frozen = events.iter().find_map(|event| match event {
        Event::Frozen { because } => Some(because.as_str()),
        _ => None,
    });
    let says =
        "errors cannot be compared: 90% of the traffic goes to the change, where 50% was meant";
    assert!(
        frozen.is_some_and(|because| because.contains(says)),
        "{frozen:?}"
    );
}

#[test]
fn traffic_that_is_split_as_its_history_or_baton_splits_it_goes_on() {
    // What is slow is asked less often by Baton's own probes, and still compared.
    for split in [Some(0.9), None] {
        let (_, events) = launched(split, 900, 100);
        let frozen = events
            .iter()
            .find(|event| matches!(event, Event::Frozen { .. }));
        assert_eq!(frozen, None);
        let watched = events
            .iter()
            .filter(|event| matches!(event, Event::WatchEnded { .. }));
        assert_eq!(watched.count(), 3, "two stages and the whole release");
    }
}
