//! The follower at work: one look at the ledger after the other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use baton_core::event::Event;
use baton_core::gate::poll;
use baton_core::id::{Handle, RunId, Seq};
use baton_core::ledger::Entry;
use baton_engine::desk::{Settings, talk};
use baton_engine::failure::Failure;
use baton_store::Log as _;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc as told;

use super::frames::{feed, frame, line};
use super::{Ask, Line, News, TICK, name};
use crate::clerk::Table;
use crate::outside::{self, Shared};
use crate::tail::Tails;
use crate::view::board::{Board, NEXT, keep_room, room};
use crate::view::run::{Around, patch, people, poll_view, view};
use crate::wire::{FeedLine, HandoffTurn, Hello, OpenedFrame, RunView, SeatView, SeatsFrame, Via};

/// How often the ledger is looked at while somebody watches.
const LOOK: Duration = Duration::from_millis(5);
/// How often while nobody does.
const LOOK_IDLE: Duration = Duration::from_millis(50);
/// How often seats, drivers and files are looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// How often a silent stream says that it lives.
const ALIVE: Duration = Duration::from_secs(10);
/// How long a run that is over and that nobody watches is kept at hand.
const KEPT: Duration = Duration::from_secs(60);
/// How many entries are read at a time.
const PAGE: usize = 10_000;

/// A run at hand.
struct Kept {
    board: Board,
    shown: RunView,
    lines: Vec<Line>,
    tails: Tails,
    driven: bool,
    /// When somebody last watched it, or it was not over.
    wanted: Instant,
}

pub(super) struct Following<'a> {
    table: Table,
    head: Seq,
    ticks: u64,
    runs: BTreeMap<RunId, Kept>,
    /// What was said in the room since the last launch, about no run.
    room: VecDeque<Entry>,
    seats: BTreeMap<Handle, (Via, Timestamp)>,
    people: Vec<SeatView>,
    watched: BTreeMap<String, usize>,
    news: &'a told::UnboundedSender<News>,
    shared: &'a Shared,
    attempts: std::path::PathBuf,
}

impl<'a> Following<'a> {
    pub(super) fn new(
        settings: &Settings,
        news: &'a told::UnboundedSender<News>,
        shared: &'a Shared,
    ) -> Result<Self, Failure> {
        let mut table = Table::lay(settings)?;
        let desk = table.laid()?;
        let ticks = desk.log.changed()?;
        let (head, _) = desk.log.head()?;
        let room = room(desk, head)?;
        let mut following = Self {
            table,
            head,
            ticks,
            runs: BTreeMap::new(),
            room,
            seats: BTreeMap::new(),
            people: Vec::new(),
            watched: BTreeMap::new(),
            news,
            shared,
            attempts: settings.own_folder().join("attempts"),
        };
        following.glance()?;
        let desk = following.table.laid()?;
        if let Some(open) = desk.facts.open_run().cloned() {
            following.fold(&open)?;
        }
        following.renew_next()?;
        following.publish_outside()?;
        Ok(following)
    }

    /// Follows until nobody can ask any more.
    pub(super) fn follow(&mut self, asked: &mpsc::Receiver<Ask>) -> Result<(), Failure> {
        let (mut glanced, mut ticked, mut alive) = (Instant::now(), Instant::now(), Instant::now());
        let mut look = LOOK;
        loop {
            match asked.recv_timeout(look) {
                Ok(ask) => self.answer(ask)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let began = Instant::now();
            self.catch_up()?;
            self.tails();
            if glanced.elapsed() >= GLANCE {
                glanced = Instant::now();
                self.glance()?;
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick()?;
            }
            if alive.elapsed() >= ALIVE {
                alive = Instant::now();
                self.everywhere(&Bytes::from_static(b": alive\n\n"));
            }
            // Folding a very large run takes its time: the rest of the machine
            // gets three times as much.
            let rest = if self.busy() { LOOK } else { LOOK_IDLE };
            look = rest.max(began.elapsed() * 3);
        }
    }

    /// Whether anybody would miss a few moments.
    fn busy(&self) -> bool {
        self.watched.values().any(|count| *count > 0)
    }

    fn answer(&mut self, ask: Ask) -> Result<(), Failure> {
        match ask {
            Ask::Watch { topic, after, to } => {
                self.catch_up()?;
                let before = self.greeting(topic.as_ref(), after);
                if let Some(kept) = topic.as_ref().and_then(|run| self.runs.get_mut(run)) {
                    kept.wanted = Instant::now();
                }
                let count = self.watched.entry(name(topic.as_ref())).or_default();
                *count = (*count).max(1);
                let _closed = self.news.send(News::Watch(topic, before, to));
            }
            Ask::Run(run, to) => {
                self.catch_up()?;
                let run = self.meant(run);
                let _gone = to.send(self.runs.get(&run).map(|kept| kept.shown.clone()));
            }
            Ask::Lines(run, after, most, to) => {
                self.catch_up()?;
                let lines = self.runs.get(&run).map(|kept| {
                    let from = kept.lines.partition_point(|line| line.seq <= after);
                    let lines = kept.lines[from..].iter().take(most);
                    lines.cloned().collect()
                });
                let _gone = to.send(lines);
            }
            Ask::Adopt(board, lines, to) => {
                let run = board.state.run.clone();
                if !self.runs.contains_key(&run) {
                    self.adopt(*board, &lines)?;
                    self.overtake(&run)?;
                }
                let _gone = to.send(());
            }
            Ask::Output(attempt, to) => {
                let mut boards = self.runs.values().map(|kept| &kept.board);
                let _gone = to.send(boards.find_map(|board| board.output(&attempt)));
            }
            Ask::Told(run, to) => {
                let lines = self.runs.get(&run).and_then(|kept| kept.lines.last());
                let _gone = to.send(lines.map_or(0, |line| line.seq));
            }
            Ask::Head(to) => {
                let _gone = to.send(self.head.0);
            }
            Ask::Watched(watched) => self.watched = watched,
        }
        Ok(())
    }

    /// The launch to come is the one that is under way, when it has come.
    fn meant(&mut self, run: RunId) -> RunId {
        let desk = self.table.laid_as_it_is();
        match desk.facts.open_run() {
            Some(open) if run.as_str() == NEXT && desk.facts.latest_launch() == Some(open) => {
                open.clone()
            }
            _ => run,
        }
    }

    /// What a watcher is told first: where the stream stands, and the lines they missed.
    fn greeting(&self, topic: Option<&RunId>, after: Option<u64>) -> Bytes {
        let hello = Hello {
            seq: self.head.0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: Timestamp::now(),
        };
        let mut greeting = Vec::from(frame("hello", None, &hello));
        let kept = topic.and_then(|run| self.runs.get(run));
        if let (Some(kept), Some(after)) = (kept, after) {
            let from = kept.lines.partition_point(|line| line.seq <= after);
            for line in &kept.lines[from..] {
                greeting.extend_from_slice(&feed(line));
            }
        }
        Bytes::from(greeting)
    }

    /// Reads what is new in the ledger.
    fn catch_up(&mut self) -> Result<(), Failure> {
        let desk = self.table.laid_as_it_is();
        let ticks = desk.log.changed()?;
        if ticks == self.ticks {
            return Ok(());
        }
        self.ticks = ticks;
        let mut turned = None;
        let before = self.head;
        loop {
            let desk = self.table.laid()?;
            let page = desk.log.read(self.head, PAGE)?;
            let Some(last) = page.last() else { break };
            self.head = last.seq;
            let handoff = desk.handoff();
            for entry in page {
                if entry.handoff != handoff && !self.runs.contains_key(run_of(&entry)) {
                    continue;
                }
                if turns_handoff(&entry.event) {
                    turned = Some(entry.seq);
                }
                self.take(entry)?;
            }
        }
        if turned.is_some() {
            self.publish_outside()?;
        }
        if self.head != before {
            self.show_all()?;
        }
        if let Some(seq) = turned {
            self.renew_next()?;
            let turn = HandoffTurn { seq: seq.0 };
            // Behind everything that was told: whoever comes back by it missed nothing.
            self.everywhere(&frame("handoff", Some(self.head.0), &turn));
        }
        Ok(())
    }

    /// Takes one entry in, and tells the line it is worth.
    fn take(&mut self, entry: Entry) -> Result<(), Failure> {
        match (&entry.run, &entry.event) {
            (Some(run), Event::RunOpened(_)) => {
                let run = run.clone();
                self.fold(&run)?;
                let opened = OpenedFrame {
                    run: run.to_string(),
                };
                let told = frame("opened", Some(entry.seq.0), &opened);
                for topic in [None, Some(RunId::from(NEXT))] {
                    let _closed = self.news.send(News::Tell(topic, told.clone()));
                }
            }
            (Some(run), _) => {
                if let Some(kept) = self.runs.get_mut(run) {
                    // Whether they still do is their lease's to say, a moment later.
                    kept.driven |= matches!(entry.event, Event::DriverTook { .. });
                    // Folding it from the ledger may have taken this in already.
                    if entry.seq > kept.board.state.last()
                        && let Some(line) = kept.board.take(&entry)?
                    {
                        tell_line(self.news, run, kept, &line);
                    }
                } else if entry.seq > Seq(0) {
                    self.fold(&run.clone())?;
                }
            }
            (None, _) => {
                let next = RunId::from(NEXT);
                if let Some(kept) = self.runs.get_mut(&next)
                    && let Some(line) = kept.board.line(&entry)
                {
                    tell_line(self.news, &next, kept, &line);
                }
            }
        }
        keep_room(&mut self.room, entry);
        Ok(())
    }

    /// Folds a run from the ledger and keeps it at hand. One that cannot be folded is not
    /// at hand, and darkens nothing else: whoever asks for it is told why.
    fn fold(&mut self, run: &RunId) -> Result<(), Failure> {
        if self.runs.contains_key(run) {
            return Ok(());
        }
        let desk = self.table.laid()?;
        let mut lines = Vec::new();
        match Board::of(desk, run, &mut |line| lines.push(line)) {
            Ok(board) => self.adopt(board, &lines),
            Err(_) => Ok(()),
        }
    }

    fn adopt(&mut self, board: Board, lines: &[FeedLine]) -> Result<(), Failure> {
        let run = board.state.run.clone();
        let driven = self.is_driven(&run)?;
        let shown = view(&board, self.around(&board, driven)?);
        let lines = lines.iter().map(line).collect();
        let kept = Kept {
            board,
            shown,
            lines,
            tails: Tails::default(),
            driven,
            wanted: Instant::now(),
        };
        let _before = self.runs.insert(run, kept);
        Ok(())
    }

    /// Takes in what was appended to a run since somebody else folded it.
    fn overtake(&mut self, run: &RunId) -> Result<(), Failure> {
        let Some(kept) = self.runs.get_mut(run) else {
            return Ok(());
        };
        let desk = self.table.laid()?;
        loop {
            let page = desk.log.read_run(run, kept.board.state.last(), PAGE)?;
            let fresh: Vec<_> = page.iter().filter(|entry| entry.seq <= self.head).collect();
            if fresh.is_empty() {
                break;
            }
            for entry in fresh {
                if let Some(told) = kept.board.take(entry)? {
                    kept.lines.push(line(&told));
                }
            }
        }
        self.show(run)
    }

    /// The launch to come, laid out anew.
    fn renew_next(&mut self) -> Result<(), Failure> {
        let next = RunId::from(NEXT);
        let desk = self.table.laid()?;
        let mut board = Board::to_come(desk)?;
        let lines: Vec<FeedLine> = self
            .room
            .iter()
            .filter_map(|entry| board.line(entry))
            .collect();
        let Some(kept) = self.runs.get_mut(&next) else {
            return self.adopt(board, &lines);
        };
        kept.board = board;
        kept.lines = lines.iter().map(line).collect();
        self.show(&next)
    }

    /// Shows every run that is at hand, where it has changed.
    fn show_all(&mut self) -> Result<(), Failure> {
        let runs: Vec<RunId> = self.runs.keys().cloned().collect();
        runs.iter().try_for_each(|run| self.show(run))
    }

    fn show(&mut self, run: &RunId) -> Result<(), Failure> {
        let Some(kept) = self.runs.get(run) else {
            return Ok(());
        };
        if kept.shown.ended.is_some() && kept.shown.seq == kept.board.state.last().0 {
            return Ok(());
        }
        let driven = kept.driven;
        let around = self.around_of(run, driven)?;
        let Some(kept) = self.runs.get_mut(run) else {
            return Ok(());
        };
        let now = view(&kept.board, around);
        if let Some(patch) = patch(&kept.shown, &now) {
            let told = frame("run", patch.seq, &patch);
            let _closed = self.news.send(News::Tell(Some(run.clone()), told));
        }
        kept.shown = now;
        Ok(())
    }

    fn around_of(&mut self, run: &RunId, driven: bool) -> Result<Around, Failure> {
        let board = self.runs.remove(run);
        let around = match &board {
            Some(kept) => self.around(&kept.board, driven),
            None => Err(Failure::refused(format!("there is no run {run}"))),
        };
        if let Some(kept) = board {
            let _same = self.runs.insert(run.clone(), kept);
        }
        around
    }

    fn around(&mut self, board: &Board, driven: bool) -> Result<Around, Failure> {
        let now = Timestamp::now();
        let (seats, seen) = (self.people.clone(), self.head.0);
        let desk = self.table.laid()?;
        let contract = &board.state.plan.contract;
        let ours = board.state.plan.handoff == desk.plan.handoff;
        let said = poll(&board.state.plan, &desk.facts, now);
        Ok(Around {
            now,
            seq: if board.to_come {
                seen
            } else {
                board.state.last().0
            },
            driven,
            people: if ours {
                seats
            } else {
                people(contract, &BTreeMap::new())
            },
            poll: poll_view(contract, &said, board.to_come),
        })
    }

    fn is_driven(&mut self, run: &RunId) -> Result<bool, Failure> {
        let desk = self.table.laid()?;
        Ok(talk::driven_by(desk, run)?.is_some())
    }

    /// Looks at seats, drivers and files.
    fn glance(&mut self) -> Result<(), Failure> {
        let now = Timestamp::now();
        if self.table.freshen() {
            self.renew_next()?;
            self.publish_outside()?;
            let turn = HandoffTurn { seq: self.head.0 };
            self.everywhere(&frame("handoff", None, &turn));
        }
        let desk = self.table.laid()?;
        let prefix = desk.seat("");
        let mut seats = BTreeMap::new();
        for lease in desk.log.leases(&prefix, now)? {
            let Some((who, place)) = lease
                .name
                .strip_prefix(&prefix)
                .and_then(|rest| rest.split_once('/'))
            else {
                continue;
            };
            let who = Handle::from(who);
            let via = if place.starts_with("page-") {
                Via::Page
            } else {
                Via::Terminal
            };
            let since = self.seats.get(&who).map_or(now, |(_, since)| *since);
            let seat = seats.entry(who).or_insert((via, since));
            if via == Via::Terminal {
                seat.0 = via;
            }
        }
        let now_here = people(&desk.contract, &seats);
        self.seats = seats;
        if now_here != self.people {
            self.people = now_here;
            let seats = SeatsFrame {
                people: self.people.clone(),
            };
            self.everywhere(&frame("seats", None, &seats));
            self.show_all()?;
        }
        let open: Vec<RunId> = self.runs.keys().cloned().collect();
        for run in open {
            let driven = run.as_str() != NEXT && self.is_driven(&run)?;
            if let Some(kept) = self.runs.get_mut(&run)
                && kept.driven != driven
            {
                kept.driven = driven;
                self.show(&run)?;
            }
        }
        Ok(())
    }

    /// What only time changes, and what nobody wants any more.
    fn tick(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        for (run, kept) in &mut self.runs {
            let watched = self
                .watched
                .get(run.as_str())
                .is_some_and(|count| *count > 0);
            if watched || kept.board.state.ended().is_none() {
                kept.wanted = now;
            }
        }
        let over = self
            .runs
            .extract_if(.., |_, kept| kept.wanted.elapsed() > KEPT);
        for (run, _) in over {
            let _closed = self.news.send(News::Over(Some(run)));
        }
        self.show_all()
    }

    /// Output of commands that are under way.
    fn tails(&mut self) {
        for (run, kept) in &mut self.runs {
            if self
                .watched
                .get(run.as_str())
                .is_none_or(|count| *count == 0)
            {
                continue;
            }
            let active = kept.board.state.active().map(|(attempt, _)| attempt);
            kept.tails.follow(&self.attempts, active, &mut |piece| {
                let told = frame("output", None, &piece);
                let _closed = self.news.send(News::Tell(Some(run.clone()), told));
            });
        }
    }

    fn everywhere(&self, told: &Bytes) {
        let runs = self.runs.keys().cloned().map(Some);
        for topic in runs.chain([None]) {
            let _closed = self.news.send(News::Tell(topic, told.clone()));
        }
    }

    fn publish_outside(&mut self) -> Result<(), Failure> {
        let desk = self.table.laid()?;
        let latest = desk.facts.latest_launch().cloned();
        if let Some(run) = &latest {
            self.fold(run)?;
        }
        let board = latest
            .and_then(|run| self.runs.get(&run))
            .map(|kept| &kept.board);
        let desk = self.table.laid_as_it_is();
        outside::publish(self.shared, desk, board);
        Ok(())
    }
}

/// The run of an entry, or one that there is not.
fn run_of(entry: &Entry) -> &RunId {
    static NONE: std::sync::OnceLock<RunId> = std::sync::OnceLock::new();
    let none = NONE.get_or_init(|| RunId::from(""));
    entry.run.as_ref().unwrap_or(none)
}

/// Whether the gate, or the list of handoffs and runs, may say something else now.
fn turns_handoff(event: &Event) -> bool {
    !matches!(
        event,
        Event::AttemptStarted { .. }
            | Event::AttemptEnded { .. }
            | Event::AttemptVoided { .. }
            | Event::DriverTook { .. }
            | Event::Judged { .. }
            | Event::Said { .. }
            | Event::Joined
            | Event::Left
    )
}

fn tell_line(news: &told::UnboundedSender<News>, run: &RunId, kept: &mut Kept, told: &FeedLine) {
    let line = line(told);
    let _closed = news.send(News::Tell(Some(run.clone()), feed(&line)));
    kept.lines.push(line);
}
