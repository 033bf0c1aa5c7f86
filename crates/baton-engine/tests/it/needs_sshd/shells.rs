//! Whichever shell and tools a host has.

use super::*;

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

    reads_along(sshd, &shell);

    let order = begin(sshd, &shell, &sender);
    assert!(sshd.cut() > 0);
    let (second, found) = channel();
    assert_eq!(sshd.shell().adopt(&order, &second).unwrap(), Found::Running);
    go(sshd);
    went(sshd, &end(&found));
    went(sshd, &end(&ends));
}

/// What is printed is here while the command runs, line by line.
fn reads_along(sshd: &Sshd, shell: &Shell) {
    let (sender, ends) = channel();
    let body = "for line in one two; do echo $line; until test -e $line; do sleep 0.02; done; done";
    let order = on(sshd, "web1", body);
    shell.start(&order, &sender).unwrap();
    let shown = sshd.path("contract/attempts/att_1/output");
    for (word, so_far) in [("one", "one\n"), ("two", "one\ntwo\n")] {
        until("it is shown", || {
            fs::read_to_string(&shown).is_ok_and(|text| text == so_far)
        });
        fs::write(sshd.path("work").join(word), "").unwrap();
    }
    assert_eq!(end(&ends).output, b"one\ntwo\n");
    shell.forget(&order.attempt);
    assert!(!shown.exists());
    until("the host forgets", || !sshd.place("att_1").exists());
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
const TOOLS: [&str; 15] = [
    "awk", "cat", "dd", "head", "ln", "mkdir", "mkfifo", "mv", "od", "rm", "sleep", "tail", "tee",
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
