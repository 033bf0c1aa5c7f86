//! Commands on hosts behind a real sshd: the same promises as on this machine,
//! and what a connection that breaks does to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use baton_core::event::Ending;
use baton_core::handoff::contract::SecretRef;
use baton_core::id::AttemptId;
use baton_core::parity::{Collector, HostFacts, LayerStatus};
use baton_core::run::order::Order;
use baton_core::time::Duration as Span;
use baton_engine::collect::{Limits, Place, Site, collect_within};
use baton_engine::shell::Shell;
use baton_engine::shell::attempt::{OUTPUT_HEAD, OUTPUT_TAIL};
use baton_engine::world::{Ended, Found};
use rustix::process::{Signal, kill_process};

use crate::attempt::{alive, end, order, pid_in, until};
use crate::sshd::Sshd;

fn on(sshd: &Sshd, host: &str, body: &str) -> Order {
    let mut order = order(body);
    order.host = Some(sshd.host(host));
    order
}

fn carry_out(sshd: &Sshd, order: &Order) -> Ended {
    let (sender, ends) = channel();
    sshd.shell().start(order, &sender).unwrap();
    end(&ends)
}

fn ran(sshd: &Sshd, attempt: &str, body: &str) -> Ended {
    let mut order = on(sshd, "web1", body);
    order.attempt = AttemptId::from(attempt);
    carry_out(sshd, &order)
}

/// Starts a command that begins, and goes on once `go` is there.
fn begin(sshd: &Sshd, shell: &Shell, ends: &Sender<Ended>) -> Order {
    let order = on(
        sshd,
        "web1",
        "echo $$ >>began; until test -e go; do sleep 0.02; done; echo went; echo A=1 >>$BATON_OUTPUT",
    );
    shell.start(&order, ends).unwrap();
    let _pid = pid_in(&sshd.path("work/began"));
    order
}

fn go(sshd: &Sshd) {
    fs::write(sshd.path("work/go"), "").unwrap();
}

/// It went, once, and everything of it is here.
fn went(sshd: &Sshd, ended: &Ended) {
    assert_eq!(ended.end, Ending::Succeeded);
    assert_eq!(ended.output, b"went\n");
    assert_eq!(ended.outputs["A"], "1");
    let began = fs::read_to_string(sshd.path("work/began")).unwrap();
    assert_eq!(began.lines().count(), 1);
}

/// Nothing below the folder holds this text.
fn nowhere_below(folder: &Path, text: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            nowhere_below(&path, text);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let held = String::from_utf8_lossy(&bytes).contains(text);
            assert!(!held, "{}", path.display());
        }
    }
}

mod needs_sshd {
    use super::*;

    #[test]
    fn every_end_is_told_as_it_was() {
        let sshd = Sshd::new();
        let ended = |attempt, body| ran(&sshd, attempt, body).end;
        assert_eq!(ended("att_1", "true"), Ending::Succeeded);
        assert_eq!(ended("att_2", "exit 3"), Ending::Exited { code: 3 });
        assert_eq!(ended("att_3", "kill -9 $$"), Ending::Killed { signal: 9 });
        assert_eq!(ended("att_4", "false; true"), Ending::Exited { code: 1 });
        let ended = ran(
            &sshd,
            "att_5",
            "pwd; cat; echo over; echo B=x=y >>$BATON_OUTPUT; printf '\\377\\000'; echo e >&2",
        );
        let work = sshd.path("work");
        let said = format!("{}\nover\n", work.display());
        assert_eq!(ended.output, [said.as_bytes(), b"\xff\0e\n"].concat());
        assert_eq!(
            ended.outputs,
            BTreeMap::from([("B".to_owned(), "x=y".to_owned())])
        );
    }

    #[test]
    fn values_arrive_as_they_are_and_nothing_of_ours_with_them() {
        let sshd = Sshd::new();
        let odd = "it's \"$HOME\" `id`\n\\ ü\r*";
        let mut order = on(
            &sshd,
            "web1",
            "printf %s \"$ODD\"; env | grep -c ^baton_ || :",
        );
        for (name, value) in [("ODD", odd), ("IFS", "a"), ("PS4", "x")] {
            let _new = order.env.insert(name.to_owned(), value.to_owned());
        }
        let ended = carry_out(&sshd, &order);
        assert_eq!(ended.end, Ending::Succeeded);
        assert_eq!(String::from_utf8_lossy(&ended.output), format!("{odd}0\n"));
        // Without a folder it is home; other languages run as they do here.
        order.attempt = AttemptId::from("att_2");
        order.host.as_mut().unwrap().dir = None;
        order.fence.lang = "bash".to_owned();
        order.fence.body = "x=(a b); echo ${x[1]}; false | pwd".to_owned();
        let ended = carry_out(&sshd, &order);
        assert_eq!(ended.end, Ending::Exited { code: 1 });
        let home = sshd.path("home").display().to_string();
        assert_eq!(
            String::from_utf8_lossy(&ended.output),
            format!("b\n{home}\n")
        );
    }

    /// Its environment, file mode, signals and open files are what sshd gives.
    #[test]
    fn a_command_finds_what_it_would_find_without_us() {
        let sshd = Sshd::new();
        let look = "env | grep -v -e ^BATON_OUTPUT= -e ^PWD= -e ^OLDPWD= -e ^_= -e ^SHLVL= | sort\n\
                    umask; grep Sig /proc/self/status; ls /proc/self/fd | wc -l\n";
        fs::write(sshd.path("work/look"), look).unwrap();
        let look = format!("sh {} </dev/null", sshd.path("work/look").display());
        let plain = std::process::Command::new(sshd.path("ssh"))
            .args(["web1", &look])
            .output()
            .unwrap();
        let plain = String::from_utf8(plain.stdout).unwrap();
        // Each connection has a port of its own.
        let same = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with("SSH_"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let ended = ran(&sshd, "att_1", &look);
        assert_eq!(ended.end, Ending::Succeeded);
        let ours = String::from_utf8(ended.output).unwrap();
        assert_eq!(same(&ours), same(&plain));
        assert!(plain.contains("HOME="), "{plain}");
    }

    /// A login shell that greets everybody is no reason to fail.
    #[test]
    fn a_greeting_is_passed_over() {
        let sshd = Sshd::new();
        fs::write(
            sshd.path("home/.bashrc"),
            "echo welcome\necho baton never\n",
        )
        .unwrap();
        assert_eq!(ran(&sshd, "att_1", "echo hi").output, b"hi\n");
    }

    #[test]
    fn a_flood_is_bounded_and_keeps_its_head_and_tail() {
        let sshd = Sshd::new();
        let flood = "echo head; head -c 100000000 /dev/zero | tr '\\000' x; echo; echo tail";
        let said = ran(&sshd, "att_1", flood).output;
        assert!(said.starts_with(b"head\nxxx") && said.ends_with(b"xxx\ntail\n"));
        let left_out = 100_000_011 - OUTPUT_HEAD - OUTPUT_TAIL;
        let note = format!("\n[{left_out} bytes left out]\n");
        assert_eq!(said.len(), OUTPUT_HEAD + OUTPUT_TAIL + note.len());
        assert!(String::from_utf8_lossy(&said).contains(&note));
        let kept = fs::read_dir(sshd.place("att_1")).unwrap();
        let kept: u64 = kept
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!(
            kept < (OUTPUT_HEAD + OUTPUT_TAIL + 64 * 1024) as u64,
            "{kept}"
        );
    }

    #[test]
    fn secrets_reach_the_command_and_nothing_else() {
        let sshd = Sshd::new();
        // No word of this source, which a compiler may hold in its arguments.
        let token: String = (0..4)
            .map(|_| format!("{:x}", baton_engine::real::random()))
            .collect();
        let lines = format!("-----BEGIN\n{token}\n-----END");
        fs::write(sshd.path("contract/token"), &token).unwrap();
        fs::write(sshd.path("contract/lines"), &lines).unwrap();
        let (head, tail) = token.split_at(9);
        let mut order = on(
            &sshd,
            "web1",
            "echo $$ >began; until test -e go; do sleep 0.02; done\n\
             printf '%s\\n' \"$TOKEN\" \"<$LINES>\" $HALF; printf %s $HEAD; sleep 0.1; echo $TAIL\n\
             printf '\\000\\377\\n'; echo OUT=$TOKEN >>$BATON_OUTPUT",
        );
        for (name, file) in [("TOKEN", "token"), ("LINES", "lines")] {
            let reference = SecretRef::File(file.to_owned());
            let _new = order.secrets.insert(name.to_owned(), reference);
        }
        for (name, value) in [("HEAD", head), ("HALF", head), ("TAIL", tail)] {
            let _new = order.env.insert(name.to_owned(), value.to_owned());
        }
        let (sender, ends) = channel();
        let shell = sshd.shell();
        shell.start(&order, &sender).unwrap();
        let _pid = pid_in(&sshd.path("work/began"));
        for entry in fs::read_dir("/proc").unwrap() {
            // Processes come and go.
            let line = fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            assert!(!line.contains(&token), "{line}");
        }
        go(&sshd);
        let ended = end(&ends);
        assert_eq!(ended.end, Ending::Succeeded);
        let said = format!("***\n<***>\n{head}\n***\n");
        assert_eq!(ended.output, [said.as_bytes(), b"\0\xff\n"].concat());
        assert_eq!(ended.outputs["OUT"], "***");
        nowhere_below(&sshd.path("home"), &token);
        let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
        nowhere_below(&sshd.path("home"), &hex);
    }

    #[test]
    fn what_cannot_start_says_so() {
        let sshd = Sshd::new();
        let mut count = 0;
        let mut not_started = |mut order: Order, why: &str| {
            count += 1;
            order.attempt = AttemptId::new(format!("att_{count}"));
            let ended = carry_out(&sshd, &order);
            let Ending::NotStarted { because } = &ended.end else {
                panic!("{ended:?}");
            };
            assert!(because.contains(why), "{because}");
        };
        let fine = || on(&sshd, "web1", "touch ../done");
        let mut gone = fine();
        gone.host.as_mut().unwrap().dir = Some("/gone/x".to_owned());
        not_started(gone, "the folder /gone/x is not there");
        let mut bare = fine();
        let _path = bare.env.insert("PATH".to_owned(), "/nowhere".to_owned());
        not_started(bare, "sh is not there");
        let mut odd = fine();
        let _odd = odd.env.insert("A;id".to_owned(), String::new());
        not_started(odd, "`A;id` is no name");
        let mut secret = fine();
        let reference = SecretRef::File("gone".to_owned());
        let _new = secret.secrets.insert("KEY".to_owned(), reference);
        not_started(secret, "KEY cannot be had");
        not_started(
            on(&sshd, "nobody", "touch ../done"),
            "nobody cannot be reached: ",
        );
        not_started(on(&sshd, "nobody", "touch ../done"), "Permission denied");
        let option = format!("-oProxyCommand=touch {}", sshd.path("done").display());
        not_started(on(&sshd, &option, "touch ../done"), "is no address");
        fs::remove_dir_all(sshd.path("home")).unwrap();
        fs::write(sshd.path("home"), "").unwrap();
        not_started(fine(), "Not a directory");
        assert!(!sshd.path("done").exists());
    }

    /// Also a grandchild that does not want to go.
    #[test]
    fn a_time_limit_ends_the_whole_group() {
        let sshd = Sshd::new();
        let mut order = on(
            &sshd,
            "web1",
            "sh -c 'trap \"\" TERM; echo $$ >stubborn; while :; do sleep 1; done' & echo $$ >leader; echo so far; wait",
        );
        order.timeout = Span::from_secs(2);
        let ended = carry_out(&sshd, &order);
        assert_eq!(ended.end, Ending::TimedOut);
        assert_eq!(ended.output, b"so far\n");
        for name in ["leader", "stubborn"] {
            let pid = pid_in(&sshd.path("work").join(name));
            until("the group is gone", || !alive(pid));
        }
    }

    #[test]
    fn a_service_that_is_left_running_lives_and_is_not_waited_for() {
        let sshd = Sshd::new();
        // It prints more than a pipe holds: it would die of a closed one, and stop at a full one.
        let ended = ran(
            &sshd,
            "att_1",
            "sh -c 'echo $$ >service; until test -e go; do sleep 0.02; done
                    head -c 1000000 /dev/zero; echo >printed; exec sleep 600' &
             until test -s service; do :; done; echo up",
        );
        assert_eq!(ended.end, Ending::Succeeded);
        assert_eq!(ended.output, b"up\n");
        let service = pid_in(&sshd.path("work/service"));
        go(&sshd);
        until("the service prints", || sshd.path("work/printed").exists());
        let lived = alive(service);
        kill_process(service, Signal::KILL).unwrap();
        assert!(lived);
    }

    #[test]
    fn a_connection_that_breaks_loses_nothing() {
        let sshd = Sshd::new();
        let (sender, ends) = channel();
        let shell = sshd.shell();
        let order = begin(&sshd, &shell, &sender);
        assert!(sshd.cut() > 0);
        // Also the one that asks.
        until("the host is asked", || sshd.cut() > 0);
        go(&sshd);
        went(&sshd, &end(&ends));
        assert!(sshd.place("att_1").join("exit").exists());
        shell.forget(&order.attempt);
        until("the host forgets", || !sshd.place("att_1").exists());
    }

    #[test]
    fn a_host_that_is_away_for_a_while_is_asked_until_it_answers() {
        let mut sshd = Sshd::new();
        let (sender, ends) = channel();
        let _order = begin(&sshd, &sshd.shell(), &sender);
        sshd.stop();
        go(&sshd);
        until("it ends", || sshd.place("att_1").join("exit").exists());
        sshd.start();
        went(&sshd, &end(&ends));
    }

    #[test]
    fn a_host_that_stays_away_leaves_an_unknown_end_in_its_own_time() {
        let mut sshd = Sshd::new();
        let shell = Shell::new(
            sshd.path("contract"),
            sshd.path("contract/attempts"),
            sshd.path("no-wrapper"),
            sshd.ssh().with_patience(Duration::from_secs(1)),
        );
        let (sender, ends) = channel();
        let mut order = on(&sshd, "web1", "echo $$ >began; sleep 60");
        order.timeout = Span::from_secs(1);
        let _new = order
            .env
            .insert("BATON_HOST".to_owned(), "shop-1".to_owned());
        shell.start(&order, &sender).unwrap();
        let _pid = pid_in(&sshd.path("work/began"));
        sshd.stop();
        let ended = end(&ends);
        let Ending::Unknown { because } = &ended.end else {
            panic!("{ended:?}");
        };
        assert!(
            because.starts_with("shop-1 cannot be reached: "),
            "{because}"
        );
        assert!(because.contains("refused"), "{because}");
    }

    #[test]
    fn a_driver_that_dies_is_followed() {
        let sshd = Sshd::new();
        let (mine, dead) = channel();
        let first = sshd.shell();
        let order = begin(&sshd, &first, &mine);
        drop((first, dead));
        let (sender, ends) = channel();
        let next = sshd.shell();
        assert_eq!(next.adopt(&order, &sender).unwrap(), Found::Running);
        go(&sshd);
        let ended = end(&ends);
        went(&sshd, &ended);
        let again = next.adopt(&order, &sender).unwrap();
        assert_eq!(again, Found::Ended(ended));
        next.forget(&order.attempt);
        until("the host forgets", || !sshd.place("att_1").exists());
        assert!(ends.try_recv().is_err(), "an end is told once");
    }

    #[test]
    fn what_never_started_never_will() {
        let sshd = Sshd::new();
        let (sender, ends) = channel();
        let shell = sshd.shell();
        let order = on(&sshd, "web1", "touch done");
        assert_eq!(shell.adopt(&order, &sender).unwrap(), Found::Never);
        assert_eq!(shell.adopt(&order, &sender).unwrap(), Found::Never);
        shell.start(&order, &sender).unwrap();
        let ended = end(&ends);
        assert!(matches!(ended.end, Ending::NotStarted { .. }), "{ended:?}");
        assert!(!sshd.path("work/done").exists());
    }

    /// Nobody judges what a command did while it still runs without its wrapper.
    #[test]
    fn a_killed_wrapper_leaves_an_unknown_end_once_its_command_is_gone() {
        let sshd = Sshd::new();
        let (sender, ends) = channel();
        let order = begin(&sshd, &sshd.shell(), &sender);
        let command = pid_in(&sshd.path("work/began"));
        let wrapper = pid_in(&sshd.place("att_1").join("pid"));
        kill_process(wrapper, Signal::KILL).unwrap();
        until("the wrapper is gone", || !alive(wrapper));
        let (second, found) = channel();
        let next = sshd.shell();
        assert_eq!(next.adopt(&order, &second).unwrap(), Found::Running);
        assert!(alive(command) && ends.try_recv().is_err());
        go(&sshd);
        for ended in [end(&ends), end(&found)] {
            assert!(matches!(ended.end, Ending::Unknown { .. }), "{ended:?}");
        }
        assert!(!alive(command));
    }

    #[test]
    fn a_host_that_hangs_holds_up_no_other_and_not_the_driver() {
        let sshd = Sshd::new();
        let (sender, ends) = channel();
        let shell = sshd.shell();
        let hung = on(&sshd, "hung", "true");
        let began = Instant::now();
        shell.start(&hung, &sender).unwrap();
        let mut quick = on(&sshd, "web1", "true");
        quick.attempt = AttemptId::from("att_2");
        shell.start(&quick, &sender).unwrap();
        let first = end(&ends);
        assert_eq!(
            (first.attempt, first.end),
            (quick.attempt, Ending::Succeeded)
        );
        // It is taken to be busy, so that the driver can look after the others.
        assert_eq!(shell.adopt(&hung, &sender).unwrap(), Found::Running);
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
    }

    #[test]
    fn many_hosts_at_once_all_answer() {
        let sshd = Sshd::new();
        let (sender, ends) = channel();
        let shell = sshd.shell();
        for n in 0..40 {
            let mut order = on(&sshd, &format!("web{n}"), "echo $BATON_HOST");
            order.attempt = AttemptId::new(format!("att_{n}"));
            let _new = order.env.insert("BATON_HOST".to_owned(), n.to_string());
            shell.start(&order, &sender).unwrap();
        }
        let said: Vec<Ended> = (0..40).map(|_| end(&ends)).collect();
        for ended in said {
            assert_eq!(ended.end, Ending::Succeeded, "{ended:?}");
            let host = String::from_utf8(ended.output).unwrap();
            assert_eq!(ended.attempt.as_str(), format!("att_{}", host.trim()));
            shell.forget(&ended.attempt);
        }
        until("the host forgets", || {
            fs::read_dir(sshd.path("home/.baton/attempts"))
                .unwrap()
                .count()
                == 0
        });
    }

    /// The tools of busybox, and whichever `sh`: what a small host has.
    fn shells(sshd: &Sshd) {
        let path = sshd.path("contract/key");
        fs::write(path, "hunter22hunter22").unwrap();
        let shell = sshd.shell();
        let (sender, ends) = channel();
        let mut order = on(
            sshd,
            "web1",
            "echo $KEY; printf '\\000'; echo A=$KEY >>$BATON_OUTPUT; exit 7",
        );
        let reference = SecretRef::File("key".to_owned());
        let _new = order.secrets.insert("KEY".to_owned(), reference);
        shell.start(&order, &sender).unwrap();
        let ended = end(&ends);
        assert_eq!(ended.end, Ending::Exited { code: 7 });
        assert_eq!(ended.output, b"***\n\0");
        assert_eq!(ended.outputs["A"], "***");
        shell.forget(&order.attempt);
        until("the host forgets", || !sshd.place("att_1").exists());

        let mut late = on(sshd, "web1", "sleep 600 & echo $$ >late; sleep 600");
        late.timeout = Span::from_secs(1);
        shell.start(&late, &sender).unwrap();
        assert_eq!(end(&ends).end, Ending::TimedOut);
        let leader = pid_in(&sshd.path("work/late"));
        until("the group is gone", || !alive(leader));
        shell.forget(&late.attempt);
        until("the host forgets", || !sshd.place("att_1").exists());

        let order = begin(sshd, &shell, &sender);
        assert!(sshd.cut() > 0);
        let (second, found) = channel();
        assert_eq!(sshd.shell().adopt(&order, &second).unwrap(), Found::Running);
        go(sshd);
        went(sshd, &end(&found));
        went(sshd, &end(&ends));
    }

    /// A folder with these programs of this machine, and `sh` as this one.
    fn tools(names: &[&str], sh: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let link = |name: &str, as_name: &str| {
            let all = std::env::var("PATH").unwrap();
            let mut places = all.split(':').map(|place| Path::new(place).join(name));
            let found = places.find(|path| path.exists()).unwrap_or_else(|| {
                panic!("{name} is installed");
            });
            std::os::unix::fs::symlink(found, folder.path().join(as_name)).unwrap();
        };
        names.iter().for_each(|name| link(name, name));
        link(sh, "sh");
        folder
    }

    /// All that the far side uses, but for what starts a session.
    const TOOLS: [&str; 14] = [
        "awk", "cat", "head", "ln", "mkdir", "mkfifo", "mv", "od", "rm", "sleep", "tail", "tee",
        "tr", "wc",
    ];

    #[test]
    fn whichever_shell_the_host_has() {
        for sh in ["dash", "bash"] {
            let tools = tools(&[&TOOLS[..], &["setsid"]].concat(), sh);
            shells(&Sshd::with_tools(tools.path().to_str().unwrap()));
        }
    }

    #[test]
    fn needs_busybox_and_with_its_tools_alone() {
        let tools = tempfile::tempdir().unwrap();
        let installed = std::process::Command::new("busybox")
            .args(["--install", "-s"])
            .arg(tools.path())
            .status()
            .expect("busybox is installed");
        assert!(installed.success());
        shells(&Sshd::with_tools(tools.path().to_str().unwrap()));
    }

    #[test]
    fn without_setsid_perl_does_and_without_both_nothing_starts() {
        let with_perl = tools(&[&TOOLS[..], &["perl"]].concat(), "dash");
        shells(&Sshd::with_tools(with_perl.path().to_str().unwrap()));
        let bare = tools(&TOOLS, "dash");
        let sshd = Sshd::with_tools(bare.path().to_str().unwrap());
        let ended = ran(&sshd, "att_1", "touch done");
        let Ending::NotStarted { because } = &ended.end else {
            panic!("{ended:?}");
        };
        assert!(because.contains("neither setsid nor perl"), "{because}");
        assert!(!sshd.path("work/done").exists());
    }

    /// Reads facts of a host, in its folder.
    fn facts(sshd: &Sshd, to: &str, dir: Option<&str>, run: &str, limits: Limits) -> HostFacts {
        let vars = BTreeMap::from([("GREETS".to_owned(), "it's me".to_owned())]);
        let site = Site {
            place: Place::Far {
                ssh: &sshd.ssh(),
                to,
                dir,
            },
            vars: &vars,
            secrets: &BTreeMap::new(),
            key: b"key",
        };
        let collectors = [
            Collector::Os,
            Collector::Files {
                paths: vec!["config/**".to_owned()],
            },
            Collector::Command {
                id: "greet".to_owned(),
                run: run.to_owned(),
            },
        ];
        collect_within(site, &collectors, limits)
    }

    #[test]
    fn facts_of_a_host_are_read_the_same_way() {
        let sshd = Sshd::new();
        fs::create_dir(sshd.path("work/config")).unwrap();
        fs::write(sshd.path("work/config/app.toml"), "a = 1\n").unwrap();
        let work = sshd.path("work").display().to_string();
        let greet = "echo $GREETS; echo of no interest >&2";
        let usual = Limits::default();
        let read = facts(&sshd, "web1", Some(&work), greet, usual);
        for layer in ["os", "files", "command"] {
            assert_eq!(read.layers[layer], LayerStatus::Ok, "{layer}");
        }
        let said = read
            .facts
            .iter()
            .find(|(name, _)| name.layer() == "command");
        let said = format!("{:?}", said.unwrap().1);
        assert!(
            said.contains("it's me") && !said.contains("interest"),
            "{said}"
        );
        assert!(
            read.facts
                .keys()
                .any(|name| name.to_string().contains("app.toml"))
        );
        // Nothing was written there.
        assert!(!sshd.path("home/.baton").exists());

        let why = |read: HostFacts| format!("{:?}", read.layers["os"]);
        let gone = why(facts(&sshd, "web1", Some("/gone"), greet, usual));
        assert!(gone.contains("the folder /gone is not there"), "{gone}");
        let nobody = why(facts(&sshd, "nobody", None, greet, usual));
        assert!(nobody.contains("it cannot be reached: "), "{nobody}");
    }

    #[test]
    fn reading_facts_is_bounded_in_time_and_bytes_and_leaves_nothing_behind() {
        let sshd = Sshd::new();
        let work = sshd.path("work").display().to_string();
        let limits = Limits {
            time: Duration::from_secs(2),
            ..Limits::default()
        };
        let hangs = "echo $$ >reader; sleep 600 & sleep 600";
        let read = facts(&sshd, "web1", Some(&work), hangs, limits);
        assert_eq!(read.layers["os"], LayerStatus::Ok);
        assert_eq!(read.layers["command"], LayerStatus::Timeout);
        let reader = pid_in(&sshd.path("work/reader"));
        until("what it started is gone", || !alive(reader));
        let bytes = Limits {
            bytes: 64,
            ..Limits::default()
        };
        let read = facts(&sshd, "web1", Some(&work), "true", bytes);
        assert!(
            matches!(read.layers["command"], LayerStatus::Partial(_)),
            "{read:?}"
        );
    }
}
