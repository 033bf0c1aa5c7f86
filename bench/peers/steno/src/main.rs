//! steno 0.5 with a log that is flushed after every record, as its users would
//! have to write one: no-op actions after or beside each other, and actions of
//! some milliseconds in a process that is killed.
//!
//! ```text
//! steno-peer after N         prints the milliseconds of N actions in sequence
//! steno-peer beside N        the same, beside each other
//! steno-peer killed N MS     each action writes a line to `effects` and sleeps;
//!                            goes on with `saga.log` when there is one
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use steno::{
    ActionContext, ActionError, ActionFunc, ActionRegistry, DagBuilder, Node, SagaCachedState,
    SagaCreateParams, SagaDag, SagaId, SagaName, SagaNodeEvent, SagaType, SecClient, SecStore,
};

const LOG: &str = "saga.log";

#[derive(Debug)]
struct Flushed(Mutex<File>);

#[derive(Serialize, Deserialize)]
enum Record {
    Create(SagaCreateParams),
    Event(SagaNodeEvent),
    Update(SagaCachedState),
}

impl Flushed {
    fn open() -> Result<Arc<Self>> {
        let file = OpenOptions::new().create(true).append(true).open(LOG)?;
        Ok(Arc::new(Self(Mutex::new(file))))
    }

    fn put(&self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = self.0.lock().map_err(|_| anyhow!("the log is lost"))?;
        file.write_all(&line)?;
        Ok(file.sync_data()?)
    }
}

#[async_trait::async_trait]
impl SecStore for Flushed {
    async fn saga_create(&self, params: SagaCreateParams) -> Result<()> {
        self.put(&Record::Create(params))
    }

    async fn record_event(&self, event: SagaNodeEvent) {
        self.put(&Record::Event(event)).expect("the log takes it");
    }

    async fn saga_update(&self, _id: SagaId, update: SagaCachedState) {
        self.put(&Record::Update(update)).expect("the log takes it");
    }
}

#[derive(Debug)]
struct Saga;

#[derive(Debug)]
struct Work {
    effects: Option<Mutex<File>>,
    pause: Duration,
}

impl SagaType for Saga {
    type ExecContextType = Arc<Work>;
}

async fn act(context: ActionContext<Saga>) -> Result<u32, ActionError> {
    let work = context.user_data();
    if let Some(effects) = &work.effects {
        let line = format!("{}\n", context.node_label());
        let mut file = effects.lock().expect("nobody panics with it");
        file.write_all(line.as_bytes()).expect("effects are written");
    }
    if !work.pause.is_zero() {
        tokio::time::sleep(work.pause).await;
    }
    Ok(1)
}

async fn undo(_context: ActionContext<Saga>) -> Result<()> {
    Ok(())
}

type Registry = Arc<ActionRegistry<Saga>>;

fn dag(nodes: Vec<Node>, beside: bool, end: Node) -> Result<Arc<SagaDag>> {
    let mut dag = DagBuilder::new(SagaName::new("bench"));
    if beside {
        dag.append_parallel(nodes);
        dag.append(end);
    } else {
        nodes.into_iter().for_each(|node| dag.append(node));
    }
    Ok(Arc::new(SagaDag::new(dag.build()?, serde_json::json!({}))))
}

async fn carry_out(sec: &SecClient, dag: Arc<SagaDag>, work: Work, registry: Registry) -> Result<()> {
    let id: SagaId = serde_json::from_value("00000000-0000-4000-8000-000000000001".into())?;
    let done = sec.saga_create(id, Arc::new(Arc::new(work)), dag, registry).await?;
    sec.saga_start(id).await?;
    ensure!(done.await.kind.is_ok(), "the saga failed");
    Ok(())
}

async fn go_on(sec: &SecClient, old: &str, work: Work, registry: Registry) -> Result<()> {
    let (mut created, mut events) = (None, Vec::new());
    for line in old.lines() {
        // A line that was cut by the kill was not acknowledged.
        match serde_json::from_str(line) {
            Ok(Record::Create(params)) => created = Some(params),
            Ok(Record::Event(event)) => events.push(event),
            Ok(Record::Update(_)) | Err(_) => {}
        }
    }
    let SagaCreateParams { id, dag, .. } = created.context("the log begins with no saga")?;
    let work = Arc::new(Arc::new(work));
    let done = sec.saga_resume(id, work, dag, registry, events).await?;
    sec.saga_start(id).await?;
    ensure!(done.await.kind.is_ok(), "the saga failed");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> Result<usize> { Ok(words.get(at).context("a number")?.parse()?) };
    let mode = words.first().context("after, beside or killed")?.as_str();
    let steps = number(1)?;
    let action = ActionFunc::new_action("step", act, undo);
    let mut registry = ActionRegistry::new();
    registry.register(Arc::clone(&action));
    let registry = Arc::new(registry);
    let node = |name: String| Node::action(name.clone(), name, action.as_ref());
    let nodes = || (0..steps).map(|n| node(format!("s{n}"))).collect();
    let slog = slog::Logger::root(slog::Discard, slog::o!());
    let mut work = Work {
        effects: None,
        pause: Duration::ZERO,
    };
    if mode == "killed" {
        let pause = u64::try_from(number(2)?)?;
        let effects = OpenOptions::new().create(true).append(true).open("effects")?;
        (work.effects, work.pause) = (Some(Mutex::new(effects)), Duration::from_millis(pause));
        let old = std::fs::read_to_string(LOG).unwrap_or_default();
        let sec = steno::sec(slog, Flushed::open()?);
        if !old.is_empty() {
            return go_on(&sec, &old, work, registry).await;
        }
        let dag = dag(nodes(), false, node("end".to_owned()))?;
        return carry_out(&sec, dag, work, registry).await;
    }
    // A log that is left would grow from run to run.
    drop(std::fs::remove_file(LOG));
    let sec = steno::sec(slog, Flushed::open()?);
    let dag = dag(nodes(), mode == "beside", node("end".to_owned()))?;
    let begun = Instant::now();
    carry_out(&sec, dag, work, registry).await?;
    println!("{:.3}", begun.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}
