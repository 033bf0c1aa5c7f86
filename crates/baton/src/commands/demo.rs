//! `demo`: the whole story of one release, on a real small service.
//!
//! Every act says first what is to come, then lets the product do it: the demo
//! only types commands, as four people would at their terminals, turns the
//! known fault of the shop on, and checks that each act came out as told.

mod stage;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::env_vars;
use crate::exit::Exit;
use crate::render::{Out, Tone};
use baton_engine::desk::program;
use baton_engine::failure::Failure;
use stage::Stage;
use terminal::{Live, Sitting};

/// How long a live act may take before the demo gives up on it.
const ACT_MOST: Duration = Duration::from_secs(60);

/// `baton demo`.
pub(crate) fn run(keep: Option<&Path>, out: &Out) -> Result<Exit, Failure> {
    let began = Instant::now();
    let temporary = tempfile::Builder::new()
        .prefix("baton-demo-")
        .tempdir()
        .map_err(|error| Failure::part("cannot make a folder for the demo").because(&error))?;
    let dir = match keep {
        Some(dir) => empty_folder(dir)?,
        None => temporary.path().to_owned(),
    };
    let stage = Stage::build(&dir)?;
    let mut story = Story {
        out,
        stage,
        program: program()?,
        act: 0,
        wrong: Vec::new(),
    };
    story.tell()?;
    let wrong = std::mem::take(&mut story.wrong);
    drop(story);
    out.gap();
    if !wrong.is_empty() {
        for what in &wrong {
            out.text(&format!("not as told: {what}"), 0, Tone::Bad);
        }
        return Ok(Exit::Bad);
    }
    let took = baton_core::time::Duration::from_millis(
        u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    );
    out.line(out.paint(
        format!("Every act came out as told, in {took}."),
        Tone::Good,
    ));
    match keep {
        Some(dir) => out.next(&format!(
            "cd {} and look around: baton status, baton review",
            dir.display()
        )),
        None => out.next("cargo xtask demo --keep DIR leaves everything there to play with"),
    }
    Ok(Exit::Good)
}

fn empty_folder(dir: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::part(format!("cannot use {}", dir.display())).because(error)
    };
    std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
    let mut entries = std::fs::read_dir(dir).map_err(|error| failed(&error))?;
    if entries.next().is_some() {
        return Err(Failure::wrong(format!("{} is not empty", dir.display()))
            .hint("name a folder that is empty or not there yet"));
    }
    std::path::absolute(dir).map_err(|error| failed(&error))
}

/// How much of a command's answer is shown.
#[derive(Clone, Copy)]
enum Shown {
    /// All of it.
    All,
    /// The first lines.
    First(usize),
}

struct Story<'a> {
    out: &'a Out,
    stage: Stage,
    program: PathBuf,
    act: u32,
    wrong: Vec<String>,
}

impl Story<'_> {
    fn tell(&mut self) -> Result<(), Failure> {
        self.not_ready()?;
        self.agree()?;
        self.mend_parity()?;
        self.own()?;
        self.rehearse()?;
        self.hand_over()?;
        self.launch_with_harm()?;
        self.learn()?;
        self.launch_clean()?;
        self.close()
    }

    fn not_ready(&mut self) -> Result<(), Failure> {
        self.act("Shop 2.4.0 is developed. Dana asks whether it may go, and is told why not.");
        self.types("dana", &["lint"], 0, &["no errors"], Shown::All)?;
        let says = [
            "not ready",
            "alignment.unanswered",
            "rehearsal.missing",
            "ownership.not-accepted",
        ];
        self.types("dana", &["check"], 1, &says, Shown::First(24))
    }

    fn agree(&mut self) -> Result<(), Failure> {
        self.act("Both teams answer the same questions, neither seeing the other's answer.");
        self.says("dana", &["answer", "peak", "1200"])?;
        self.says("omar", &["answer", "peak", "1150"])?;
        self.says("dana", &["answer", "currency", "cents"])?;
        self.says("omar", &["answer", "currency", "euros"])?;
        self.quietly("dana", &["check", "--now"], 1, &[])?;
        self.tell_line(
            "One side counts in cents, the other in euros. Baton found it; they talk, and agree.",
        );
        self.types_about(
            "dana",
            &["check", "--now"],
            1,
            "alignment.conflict",
            &["cents", "euros"],
        )?;
        self.says("dana", &["answer", "currency", "cents"])?;
        self.says("omar", &["answer", "currency", "cents"])?;
        let after = self.quietly("dana", &["check", "--now"], 1, &[])?;
        self.expect(
            !after.contains("alignment.conflict"),
            "the conflict is settled",
        );
        Ok(())
    }

    fn mend_parity(&mut self) -> Result<(), Failure> {
        self.act(
            "Does staging mirror production? Somebody once changed a time-out and told nobody.",
        );
        self.says("omar", &["fingerprint", "staging"])?;
        self.says("omar", &["fingerprint", "production"])?;
        self.types("omar", &["parity"], 1, &["config/shop.toml"], Shown::All)?;
        self.tell_line(
            "The change was right: staging gets the same time-out, and is looked at again.",
        );
        for host in ["web1", "web2"] {
            let file = |environment: &str| {
                self.stage
                    .dir
                    .join(format!("env/{environment}/{host}/config/shop.toml"))
            };
            let copied = std::fs::copy(file("production"), file("staging"));
            let _bytes =
                copied.map_err(|error| Failure::part("cannot mend staging").because(&error))?;
        }
        self.quietly("omar", &["fingerprint", "staging"], 0, &[])?;
        self.types("omar", &["parity"], 0, &[], Shown::All)
    }

    fn own(&mut self) -> Result<(), Failure> {
        self.act("Everybody accepts what is theirs, and proves that they have access.");
        for person in ["dana", "lee", "omar", "pia"] {
            self.says(person, &["accept", "--mine"])?;
            self.quietly(person, &["check"], 1, &[])?;
        }
        self.says("pia", &["sign", "privacy"])
    }

    fn rehearse(&mut self) -> Result<(), Failure> {
        self.act("The rehearsal in staging: forward, every undo in reverse, and forward again.");
        let live = self.live("omar", &["rehearse"])?;
        let told = self.lee_tells(&live, 2)?;
        let (status, said) = live.end(ACT_MOST);
        self.expect(told && status == Some(0), "the rehearsal goes as asked");
        self.expect(
            said.contains("rehearsal succeeded"),
            "the way back is proven",
        );
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), Failure> {
        self.act("Dana offers exactly this content, Omar accepts it. Now it is ready.");
        self.says("dana", &["offer"])?;
        self.says("omar", &["accept"])?;
        self.types("omar", &["check"], 0, &["ready"], Shown::All)
    }

    fn launch_with_harm(&mut self) -> Result<(), Failure> {
        self.act("The launch. It waits until everybody who is needed is there and has voted.");
        let live = self.live("omar", &["launch"])?;
        let waits = live.saw("the room is open", ACT_MOST);
        self.expect(waits, "the launch waits for the room");
        let room = self.fill_room()?;
        let told = self.lee_tells(&live, 1)?;
        let watching = live.saw("watch of the whole release began", ACT_MOST);
        self.expect(told && watching, "the judge begins to watch");
        self.tell_line(
            "Everything is carried out. Now the known fault strikes: some checkouts fail.",
        );
        self.stage.fault(true)?;
        let (status, said) = live.end(ACT_MOST);
        self.expect(
            status == Some(4),
            "the launch is rolled back, with exit status 4",
        );
        self.expect(
            said.contains("errors") && said.contains("rolled back"),
            "the judge found the harm",
        );
        for host in ["production/web1", "production/web2"] {
            let health = self.stage.health(host)?;
            let back = health.contains("\"version\":\"2.3.9\"") && health.contains("\"schema\":1");
            self.expect(back, "2.3.9 runs again, on the schema it had");
            self.out.line(format!(
                "    {host}: {}",
                self.out.paint(health.trim(), Tone::Quiet)
            ));
        }
        room.into_iter().for_each(Sitting::up);
        Ok(())
    }

    fn learn(&mut self) -> Result<(), Failure> {
        self.act("The review writes itself from the ledger; a lesson is kept, and binds until it is met.");
        self.types("pia", &["review"], 0, &["rolled back"], Shown::First(12))?;
        let text = "Load the exchange rates under a lock before 2.4 goes out again";
        self.says("pia", &["lesson", "keep", text])?;
        self.types_about("pia", &["check", "--now"], 1, "review.lesson-open", &[])?;
        self.tell_line("Lee mends the fault; Pia says how the lesson was met.");
        self.stage.fault(false)?;
        let open = self.quietly("pia", &["lesson", "--format", "json"], 0, &[])?;
        let id = open
            .split('"')
            .find(|word| word.starts_with("les_"))
            .unwrap_or("les_")
            .to_owned();
        let how = "the rates are read under a lock";
        self.says("pia", &["lesson", "met", &id, "--how", how])
    }

    fn launch_clean(&mut self) -> Result<(), Failure> {
        self.act("Launch day again, without the fault. It is boring, as it should be.");
        let live = self.live("omar", &["launch"])?;
        self.expect(
            live.saw("the room is open", ACT_MOST),
            "the launch waits for the room",
        );
        let room = self.fill_room()?;
        let told = self.lee_tells(&live, 1)?;
        let kept = live.saw("takes over", ACT_MOST);
        self.expect(told && kept, "the judge keeps the release");
        self.says("omar", &["accept", "--live"])?;
        let (status, _) = live.end(ACT_MOST);
        self.expect(status == Some(0), "the launch succeeds");
        let health = self.stage.health("production/web1")?;
        self.expect(
            health.contains("\"version\":\"2.4.0\""),
            "2.4.0 runs in production",
        );
        room.into_iter().for_each(Sitting::up);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.act("It is in production and accepted. The record can be checked by anybody, without Baton's ledger.");
        self.says("omar", &["review", "--held"])?;
        self.says("omar", &["record", "export", "shop.jsonl"])?;
        self.types(
            "omar",
            &["record", "verify", "shop.jsonl"],
            0,
            &[],
            Shown::All,
        )
    }

    /// Omar, Pia and Lee sit down and vote.
    fn fill_room(&mut self) -> Result<Vec<Sitting>, Failure> {
        let mut room = Vec::new();
        for (person, sure) in [("omar", "4"), ("pia", "4"), ("lee", "5")] {
            room.push(Sitting::down(self.command(person, &["join"]))?);
            self.says(person, &["vote", "go", "--confidence", sure])?;
        }
        Ok(room)
    }

    /// Lee does the step that only a person can, each time it is asked for.
    fn lee_tells(&mut self, live: &Live, times: usize) -> Result<bool, Failure> {
        for _ in 0..times {
            if !live.saw("baton done tell", ACT_MOST) {
                return Ok(false);
            }
            let deadline = Instant::now() + ACT_MOST;
            while !self
                .answer("lee", &["next", "--format", "json"])?
                .1
                .contains("baton done tell")
            {
                if Instant::now() > deadline {
                    return Ok(false);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            self.says("lee", &["done", "tell"])?;
        }
        Ok(true)
    }

    fn act(&mut self, says: &str) {
        self.act += 1;
        self.out.gap();
        self.out
            .text(&format!("{}. {says}", self.act), 0, Tone::Strong);
    }

    fn tell_line(&self, says: &str) {
        self.out.text(says, 2, Tone::Strong);
    }

    fn expect(&mut self, holds: bool, what: &str) {
        if !holds {
            self.out.text(&format!("not as told: {what}"), 4, Tone::Bad);
            self.wrong.push(format!("act {}: {what}", self.act));
        }
    }

    fn command(&self, person: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let _command = command
            .args(args)
            .current_dir(&self.stage.dir)
            .env(env_vars::BATON_AS, person)
            .env(
                env_vars::BATON_HOME,
                self.stage.dir.join(".baton/homes").join(person),
            )
            .env(env_vars::COLUMNS, (self.out.width - 4).to_string());
        if self.out.colours() {
            let _command = command.env(env_vars::CLICOLOR_FORCE, "1");
        }
        command
    }

    fn prompt(&self, person: &str, args: &[&str]) {
        let quoted: Vec<String> = args
            .iter()
            .map(|word| {
                if word.contains(' ') {
                    format!("\"{word}\"")
                } else {
                    (*word).to_owned()
                }
            })
            .collect();
        let line = format!("{person} $ baton {}", quoted.join(" "));
        self.out
            .line(format!("  {}", self.out.paint(line, Tone::Accent)));
    }

    fn live(&self, person: &str, args: &[&str]) -> Result<Live, Failure> {
        self.prompt(person, args);
        Live::start(self.command(person, args), self.out)
    }

    fn answer(&self, person: &str, args: &[&str]) -> Result<(Option<i32>, String), Failure> {
        let done = self
            .command(person, args)
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| Failure::part("cannot start Baton").because(&error))?;
        let mut said = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.code() != Some(0) {
            said.push_str(&String::from_utf8_lossy(&done.stderr));
        }
        Ok((done.status.code(), said))
    }

    /// Types a command that has to succeed, and shows the first line of its answer.
    fn says(&mut self, person: &str, args: &[&str]) -> Result<(), Failure> {
        self.types(person, args, 0, &[], Shown::First(1))
    }

    /// Types a command and shows what it answers.
    fn types(
        &mut self,
        person: &str,
        args: &[&str],
        status: i32,
        says: &[&str],
        shown: Shown,
    ) -> Result<(), Failure> {
        self.prompt(person, args);
        let said = self.quietly(person, args, status, says)?;
        let most = match shown {
            Shown::All => usize::MAX,
            Shown::First(most) => most,
        };
        let lines: Vec<&str> = said
            .lines()
            .skip_while(|line| line.trim().is_empty())
            .collect();
        for line in lines.iter().take(most) {
            self.out.raw(&format!("    {line}"));
        }
        if lines.len() > most && most > 1 {
            let more = lines.len() - most;
            self.out.line(format!(
                "    {}",
                self.out.paint(format!("… {more} more lines"), Tone::Quiet)
            ));
        }
        Ok(())
    }

    /// Types a command and shows what it says of one code.
    fn types_about(
        &mut self,
        person: &str,
        args: &[&str],
        status: i32,
        code: &str,
        says: &[&str],
    ) -> Result<(), Failure> {
        self.prompt(person, args);
        let said = self.quietly(person, args, status, &[&[code], says].concat())?;
        let about = said.lines().skip_while(|line| !line.contains(code)).take(3);
        for line in about {
            self.out.raw(&format!("    {line}"));
        }
        Ok(())
    }

    /// Types a command without showing its answer; checks status and words.
    fn quietly(
        &mut self,
        person: &str,
        args: &[&str],
        status: i32,
        says: &[&str],
    ) -> Result<String, Failure> {
        let (code, said) = self.answer(person, args)?;
        let typed = args.join(" ");
        if code != Some(status) {
            self.out.raw(&said);
            self.expect(
                false,
                &format!("`baton {typed}` ends with {status}, not {code:?}"),
            );
        }
        for word in says {
            self.expect(said.contains(word), &format!("`baton {typed}` says {word}"));
        }
        Ok(said)
    }
}
