//! The command line, and nothing but its shape.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Takes a release from developed to in production and accepted.
#[derive(Debug, Parser)]
#[command(
    name = "baton",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Global {
    /// The contract
    #[arg(
        long,
        global = true,
        default_value = "handoff.yaml",
        value_name = "PATH"
    )]
    pub(crate) file: PathBuf,
    /// Who is speaking (default: the person whose email is git's)
    #[arg(long = "as", global = true, value_name = "HANDLE")]
    pub(crate) speaker: Option<String>,
    /// The run that is meant (default: the open one)
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) run: Option<String>,
    /// How to answer
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Ask nothing
    #[arg(long, global = true)]
    pub(crate) yes: bool,
}

/// What to judge again, and by which terms.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Replay {
    /// CSV or JSON lines with time, measure, arm, and bad and total, or value
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: PathBuf,
    /// When the change was made; what is before it teaches the judge (default: the beginning)
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The length of an interval (default: the shortest time between two lines)
    #[arg(long, value_name = "DURATION")]
    pub(crate) every: Option<String>,
    /// How long the watch was to last
    #[arg(long = "for", default_value = "30m", value_name = "DURATION")]
    pub(crate) lasts: String,
    /// The largest share of bad ones (of a gauge: the largest value)
    #[arg(long, value_name = "SHARE")]
    pub(crate) at_most: Option<String>,
    /// How much worse than the control it may be
    #[arg(long, value_name = "SHARE")]
    pub(crate) worse_by: Option<String>,
    /// The chance to find harm where there is none
    #[arg(long, default_value = "1%", value_name = "SHARE")]
    pub(crate) false_alarm: String,
    /// Also draw each measure into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    pub(crate) pictures: Option<PathBuf>,
}

/// What to read, and how often.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Reading {
    /// The environment
    pub(crate) environment: String,
    /// Read it twice while it is idle, and propose rules for what changes by itself
    #[arg(
        long,
        value_name = "PAUSE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10s"
    )]
    pub(crate) twice: Option<String>,
}

/// How to answer. `sarif`, `junit` and `markdown` are for `check` and `parity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs; stable
    Json,
    /// Static Analysis Results Interchange Format 2.1.0
    Sarif,
    /// JUnit XML
    Junit,
    /// Markdown
    Markdown,
}

/// Go or no-go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Word {
    /// Go
    Go,
    /// No-go
    NoGo,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a small contract and runbook, from what is found in the folder
    #[command(after_help = "Example: baton init")]
    Init,
    /// Check both files; every error has its place and a hint
    #[command(after_help = "Example: baton lint")]
    Lint {
        /// Print the JSON Schema of the contract instead, for editors
        #[arg(long)]
        schema: bool,
    },
    /// Show the resolved plan: order, owners, times, critical path, digests
    #[command(after_help = "Example: baton plan staging")]
    Plan {
        /// The environment (default: the launch environment)
        environment: Option<String>,
        /// Write plan and undo as one HTML file to print
        #[arg(long, value_name = "FILE")]
        print: Option<PathBuf>,
    },
    /// Run the criteria that are due and say whether the handoff is ready
    #[command(after_help = "Example: baton check --format json")]
    Check {
        /// The environment (default: the launch environment)
        environment: Option<String>,
        /// Reuse evidence only: run nothing
        #[arg(long)]
        now: bool,
    },
    /// Answer an expectation for your team, without seeing the other's answer
    #[command(after_help = "Example: baton answer peak 1200 --as dana")]
    Answer {
        /// The expectation
        id: String,
        /// The answer
        value: String,
        /// The team you answer for (default: yours)
        #[arg(long)]
        team: Option<String>,
    },
    /// Offer this content to the receiving team
    #[command(after_help = "Example: baton offer --as dana")]
    Offer,
    /// Accept the offered content, what is yours, or the running release
    #[command(after_help = "Example: baton accept --mine --as omar")]
    Accept {
        /// Accept every step, criterion, measure and role that is yours
        #[arg(long, conflicts_with = "live")]
        mine: bool,
        /// Take over the running release at the end of the watch
        #[arg(long)]
        live: bool,
    },
    /// Sign a criterion with your word
    #[command(after_help = "Example: baton sign privacy --as pia")]
    Sign {
        /// The criterion
        criterion: String,
    },
    /// Take the fingerprint of an environment
    #[command(after_help = "Example: baton fingerprint production")]
    Fingerprint(Reading),
    /// Compare fingerprints: tested environments against the launch environment
    #[command(after_help = "Example: baton parity staging production")]
    Parity {
        /// One environment against another (default: as the contract says)
        #[arg(num_args = 0..=2)]
        environments: Vec<String>,
    },
    /// Carry out the whole runbook forward, back and forward again
    #[command(after_help = "Example: baton rehearse")]
    Rehearse {
        /// The environment (default: the contract's rehearsal environment)
        environment: Option<String>,
        /// Break it at this step on purpose
        #[arg(long, value_name = "STEP")]
        fail_at: Option<String>,
        /// The room in the browser
        #[command(flatten)]
        room: RoomArgs,
    },
    /// Launch: the gate, the room, the run, the watch, the acceptance
    #[command(after_help = "Example: baton launch --as omar")]
    Launch {
        /// Refuse at once when anything is open, also the room
        #[arg(long)]
        no_wait: bool,
        /// The room in the browser
        #[command(flatten)]
        room: RoomArgs,
    },
    /// Open the room in the browser, and print a link for each person
    #[command(after_help = "Example: baton serve --listen 0.0.0.0:7070")]
    Serve {
        /// Where (default: this machine alone, at a free port)
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
    },
    /// Print a new link into the open room
    #[command(after_help = "Example: baton link omar")]
    Link {
        /// For whom (default: you)
        handle: Option<String>,
    },
    /// Say what you have to do next
    #[command(after_help = "Example: baton next --as lee")]
    Next,
    /// Say that your step, or its undo, is done
    #[command(after_help = "Example: baton done tell-the-customer --as lee")]
    Done {
        /// The step
        step: String,
        /// The host that is meant, where several wait
        #[arg(long, value_name = "HOST")]
        on: Option<String>,
    },
    /// Approve a step
    #[command(after_help = "Example: baton approve migrate --as pia")]
    Approve {
        /// The step
        step: String,
    },
    /// Try again what failed, or what you know did not happen
    #[command(after_help = "Example: baton retry install --as omar")]
    Retry {
        /// The step (default: the one that waits)
        step: Option<String>,
        /// The host that is meant, where several wait
        #[arg(long, value_name = "HOST")]
        on: Option<String>,
    },
    /// Leave out the step that waits, and take it on yourself
    #[command(after_help = "Example: baton skip install --because \"done by hand\" --as omar")]
    Skip {
        /// The step (default: the one that waits)
        step: Option<String>,
        /// Why
        #[arg(long)]
        because: String,
    },
    /// Halt the run at the next safe point
    #[command(after_help = "Example: baton pause --because \"checkout looks slow\"")]
    Pause {
        /// Why
        #[arg(long)]
        because: Option<String>,
    },
    /// Go on with a paused run, or with one whose Baton died
    #[command(after_help = "Example: baton resume --as omar")]
    Resume {
        /// Why
        #[arg(long)]
        because: Option<String>,
    },
    /// Call the way back
    #[command(after_help = "Example: baton rollback --because \"orders are lost\"")]
    Rollback {
        /// Why
        #[arg(long)]
        because: Option<String>,
    },
    /// Freeze the run for good, as it stands
    #[command(after_help = "Example: baton stop --because \"the decider called\"")]
    Stop {
        /// Why
        #[arg(long)]
        because: Option<String>,
    },
    /// Set a blocker aside for a while, in the contract
    #[command(
        after_help = "Example: baton waive parity.unexplained --match 'files:motd' --because \"cosmetic\" --until 2026-12-01T00:00:00Z --as omar"
    )]
    Waive {
        /// The blocker's code
        blocker: String,
        /// Patterns that cover every name of the blocker
        #[arg(long = "match", value_name = "PATTERN")]
        matches: Vec<String>,
        /// Why
        #[arg(long)]
        because: String,
        /// Until when: an instant with a zone, or a duration from now (`7d`)
        #[arg(long)]
        until: String,
    },
    /// Sit in the room: see the feed, count as present, take the same commands
    #[command(after_help = "Example: baton join --as omar")]
    Join,
    /// Say something to the room
    #[command(after_help = "Example: baton say \"payments look fine\" --as lee")]
    Say {
        /// What
        text: String,
        /// Records what came of the talk about a no-go or a gap in confidence
        #[arg(long)]
        talk: bool,
    },
    /// Vote go or no-go, and say how sure you are
    #[command(after_help = "Example: baton vote go --confidence 4 --as omar")]
    Vote {
        /// Go or no-go
        word: Word,
        /// How sure, 1 to 5
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
        confidence: u8,
        /// Why
        #[arg(long)]
        because: Option<String>,
    },
    /// Where everything stands, on one screen
    #[command(after_help = "Example: baton status --watch")]
    Status {
        /// Look again every second
        #[arg(long)]
        watch: bool,
    },
    /// Judge a recorded series as if it were watched: try it on a past incident
    #[command(after_help = "Example: baton watch --replay incident.csv --at 2026-11-22T10:00:00Z")]
    Watch(Replay),
    /// Draft the review of a run from the ledger
    #[command(after_help = "Example: baton review > review.md")]
    Review {
        /// Record that the review was held
        #[arg(long)]
        held: bool,
    },
    /// Keep a lesson, meet one, or list those that are open
    #[command(
        after_help = "Example: baton lesson keep \"Load the rates before the switch\" --touches shop --as omar"
    )]
    Lesson {
        #[command(subcommand)]
        action: Option<LessonAction>,
    },
    /// Export or verify the portable record
    #[command(after_help = "Example: baton record export shop.jsonl")]
    Record {
        #[command(subcommand)]
        action: RecordAction,
    },
    /// Tell the whole story on a real small service, in a temporary folder
    #[command(after_help = "Example: baton demo")]
    Demo {
        /// Leave everything in this folder
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
    },
    /// Say what a code means, its usual causes and cures
    #[command(after_help = "Example: baton explain parity.unexplained")]
    Explain {
        /// The code
        code: String,
    },
    /// Drive the open run when nobody does, and say nothing.
    #[command(hide = true)]
    Drive,
    /// Fill the ledger with events that are true of nothing, to time the gate.
    #[command(hide = true)]
    BenchLedger {
        /// How many
        #[arg(long)]
        events: usize,
    },
    /// Drive a launch whose commands end at once, to time the driver.
    #[command(hide = true)]
    BenchRun,
}

/// The room beside a run.
#[derive(Debug, clap::Args)]
pub(crate) struct RoomArgs {
    /// Open the room here, for a team (default: this machine alone)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_room")]
    pub(crate) listen: Option<SocketAddr>,
    /// Open no room in the browser
    #[arg(long)]
    pub(crate) no_room: bool,
}

/// What to do with lessons.
#[derive(Debug, Subcommand)]
pub(crate) enum LessonAction {
    /// Keep a lesson
    Keep {
        /// What was learned, and what must happen
        text: String,
        /// Components it binds (default: all that this handoff touches)
        #[arg(long)]
        touches: Vec<String>,
    },
    /// Say how a lesson was met
    Met {
        /// The lesson
        id: String,
        /// How
        #[arg(long)]
        how: String,
    },
}

/// What to do with the record.
#[derive(Debug, Subcommand)]
pub(crate) enum RecordAction {
    /// Write the ledger as JSON lines
    Export {
        /// Where to (`-` is standard output)
        path: PathBuf,
    },
    /// Check a record, without any ledger
    Verify {
        /// The record
        path: PathBuf,
    },
}
