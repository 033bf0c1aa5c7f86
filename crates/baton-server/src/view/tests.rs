//! A small handoff in a folder of its own, and what its page shows.

mod folds;
mod hostile;

use std::fs;
use std::path::PathBuf;

use baton_core::event::{Ending, Event, RunKind, RunTerms};
use baton_core::gate::{criterion_definition, criterion_environment};
use baton_core::id::{Digest, EnvName, Handle, RunId};
use baton_core::watch::{Counts, Decision, Design, Finding, Sample, State, Verdict};
use baton_engine::desk::{Desk, Files, Settings};
use jiff::Timestamp;
use tempfile::TempDir;

/// What both files say.
pub(super) const CONTRACT: &str = "\
name: shop
summary: Shop 2.4 takes orders in two currencies
from: development
to: operations
touches: [shop]
people:
  dana: { name: Dana Ito, zone: Asia/Tokyo, hours: Mon-Fri 09:00-17:30 }
  lee: { name: Lee Novak, zone: Europe/Prague }
  omar: { name: Omar Diaz, zone: Europe/Madrid }
  pia: { name: Pia Lund }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: { owner: omar, backup: pia }
  rollback-decider: { owner: pia, backup: omar }
release:
  version: 2.4.0
  kind: code
  artifacts: [shop.bin]
environments:
  staging:
    hosts: { web1: { dir: staging/web1 }, web2: { dir: staging/web2 } }
    groups: { web: [web1, web2] }
    secrets: { KEY: { env: KEY } }
  production:
    hosts: { web1: { dir: production/web1 }, web2: { dir: production/web2 } }
    groups: { web: [web1, web2] }
    secrets: { KEY: { env: KEY } }
launch:
  environment: production
  window: { opens: 2027-11-25T09:00+01:00, closes: 2027-11-25T12:00+01:00 }
expectations:
  - { id: peak, ask: \"Peak orders per minute?\", answer: number, within: 10% }
  - { id: unit, ask: \"Unit of the amount?\", answer: [cents, euros] }
done:
  - { id: tests, says: The tests pass, owner: dana, run: sh tests.sh, fresh: 24h }
  - { id: privacy, says: The privacy review is signed, owner: pia, sign: pia }
parity:
  compare: [staging]
  facts:
    - env: { names: [\"SHOP_*\", KEY] }
  rules:
    - { match: \"env:SHOP_WORKERS\", is: ratio, max: 8 }
success:
  - { id: errors, says: Requests that fail, owner: omar, probe: { url: \"http://$HOST/\", every: 1s }, at_most: 1%, worse_by: 0.5% }
waivers:
  - { blocker: parity.unexplained, match: [\"env:SHOP_NOTE\"], because: It is a note, owner: omar, until: 2036-01-01T00:00:00Z }
runbook: runbook.md
rehearsal: { in: staging, within: 7d }
room: {}
review: { within: 5d }
";

pub(super) const RUNBOOK: &str = "\
# Launch shop

## Prepare

### Back up {#backup}

- owner: omar (backup: pia)
- on: web1
- expect: 2m
- changes: nothing

Why *we* do this.

```sh run
true
```

### Ship {#ship}

- owner: lee (backup: dana)
- on: web, 1 at a time
- expect: 10m
- approve: 1 of operations
- watch: 30s

```sh run
ln -s new current
```

```sh undo
rm current
```

### Tell the customer {#tell}

- owner: lee (backup: dana)
- no way back: They know then.

- [ ] The status page says so
";

/// A folder with a handoff.
pub(super) struct Place {
    folder: TempDir,
}

impl Place {
    pub(super) fn new(contract: &str, runbook: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        place.write("handoff.yaml", contract);
        place.write("runbook.md", runbook);
        place.write("shop.bin", "2.4.0");
        place
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The desk, as somebody whose home this is.
    pub(super) fn desk(&self, home: &str) -> Desk {
        let folder = self.folder.path().to_owned();
        let settings = Settings {
            file: folder.join("handoff.yaml"),
            home: folder.join(home),
            folder,
            speaker: None,
            run: None,
            ssh: PathBuf::from("ssh"),
        };
        match Desk::open(&settings) {
            Ok(desk) => desk,
            Err(failure) => {
                let notes = Files::read(&settings).unwrap().notes;
                panic!("{failure:?}\n{notes:#?}");
            }
        }
    }
}

pub(super) fn by(handle: &str) -> Handle {
    Handle::from(handle)
}

/// A command of the definition of done ended like this on the release as it is.
pub(super) fn ran(desk: &mut Desk, criterion: &str, end: Ending) {
    let plan = desk.plan.clone();
    let mut done = plan.contract.done.iter();
    let of = done.find(|of| of.id.as_str() == criterion).unwrap();
    let output = desk.keep_bytes(b"what it printed").unwrap();
    let event = Event::CriterionRan {
        criterion: of.id.value.clone(),
        definition: criterion_definition(of),
        release: release(desk).unwrap(),
        environment: criterion_environment(&plan, of).cloned(),
        end,
        guard: None,
        took: baton_core::time::Duration::from_secs(1),
        output: Some(output),
    };
    let _entries = desk.append(&by("dana"), None, vec![event]).unwrap();
}

pub(super) fn release(desk: &Desk) -> Result<Digest, String> {
    desk.release()
}

/// Opens a run on the plan as it is.
pub(super) fn opened(desk: &mut Desk, what: RunKind) -> RunId {
    let environment = match what {
        RunKind::Launch => desk.plan.environment.clone(),
        RunKind::Rehearsal => EnvName::from("staging"),
    };
    let plan = desk.plan_for(&environment).unwrap();
    let run = RunId::made(Timestamp::now(), 7);
    let terms = RunTerms {
        what,
        plan: desk.keep(&*plan).unwrap(),
        content: plan.digests.content.clone(),
        procedure: plan.digests.procedure.clone(),
        roster: plan.digests.roster.clone(),
        release: release(desk).unwrap(),
        definition: plan.digests.environments[&environment].clone(),
        environment,
        fail_at: None,
        unproven: Vec::new(),
    };
    let event = Event::RunOpened(terms);
    let _entries = desk.append(&by("omar"), Some(&run), vec![event]).unwrap();
    run
}

/// A look of the judge at `errors`.
pub(super) fn judged(bad: u64, total: u64, state: State) -> Event {
    let counts = Counts::new(bad, total);
    let finding = Finding {
        measure: "errors".into(),
        bad,
        total,
        control: None,
        ratio: None,
        interval: None,
        effect: None,
        e: 1.5,
        bar: 100.0,
        alpha: 0.01,
        dispersion: None,
        design: Design::Limit,
        decided_in: None,
        assumptions: Vec::new(),
        state,
    };
    Event::Judged {
        samples: [("errors".into(), Sample::of(counts, None))].into(),
        verdict: Verdict {
            decision: Decision::Hold,
            because: "so far".to_owned(),
            measures: vec![finding],
        },
    }
}
