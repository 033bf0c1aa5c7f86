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

mod commands;
mod facts;
mod lost;
mod shells;

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
