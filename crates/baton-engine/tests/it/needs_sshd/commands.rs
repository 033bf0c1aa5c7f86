//! How commands end, what they find and what they leave.

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
                umask; grep -e SigIgn -e SigBlk /proc/self/status; ls /proc/self/fd | wc -l\n";
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
