//! Connections that break, hosts that are away or hang, drivers that die.

use super::*;

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
    let never = |ended: Ended| {
        assert!(matches!(ended.end, Ending::NotStarted { .. }), "{ended:?}");
    };
    for _ in 0..2 {
        match shell.adopt(&order, &sender).unwrap() {
            Found::Never => {}
            // A host that takes its time is believed to be busy, until it says.
            Found::Running => never(end(&ends)),
            Found::Ended(ended) => panic!("{ended:?}"),
        }
    }
    shell.start(&order, &sender).unwrap();
    never(end(&ends));
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
