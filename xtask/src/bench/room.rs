//! Family `room`: how soon a word is on ten thousand screens, what a watcher
//! costs, and how soon the room is there. Beside it the floor (one thread, bytes
//! that are ready, one write a socket) and servers that others would take.

mod fan;
mod servers;

use std::path::Path;
use std::time::Duration;

use super::Figure;
use super::measure::Times;
use crate::{Answer, say};
use fan::Fan;
use servers::{Baton, Floor, Nchan, Plain, Server, SocketIo};

/// Watchers, and how many of them in a burst.
const WATCHERS: usize = 10_000;
const BURST_WATCHERS: usize = 1_000;
/// Events one after the other, in each of so many runs.
const EVENTS: usize = 15;
const RUNS: usize = 5;
/// Events at once.
const BURST: usize = 200;
/// How often Baton is started to see when it is ready.
const STARTS: usize = 10;
/// Sockets of both sides stand in one process each, beside its files.
const FILES: u64 = 11_000;

pub(super) fn measure(baton: &Path) -> Answer<Vec<Figure>> {
    servers::raise_files(FILES)?;
    let mut figures = Vec::new();
    say::aside("starting\n");
    let ready: Answer<Vec<f64>> = (0..STARTS).map(|_| Baton::ready_ms(baton)).collect();
    let ready = Times::new(ready?);
    figures.push(figure("ready_ms", &ready));
    let open = Baton::open(baton)?;
    std::thread::sleep(Duration::from_secs(2));
    figures.push(one("idle_rss_mib", open.rss_kib()? as f64 / 1024.0));
    figures.push(one("first_page_kib", open.first_page_kib()?));
    drop(open);
    let mut seen: Vec<Seen> = Vec::new();
    for run in 1..=RUNS {
        for name in servers::NAMES {
            let Some(mut server) = servers::start(name, baton)? else {
                continue;
            };
            say::aside(&format!("{name}, run {run} of {RUNS}\n"));
            let (p99, kib) = fan_out(server.as_mut())?;
            let rate = burst(server.as_mut())?;
            match seen.iter_mut().find(|it| it.name == name) {
                Some(it) => {
                    it.p99s.push(p99);
                    it.kibs.push(kib);
                    it.rates.push(rate);
                }
                None => seen.push(Seen {
                    name,
                    p99s: vec![p99],
                    kibs: vec![kib],
                    rates: vec![rate],
                }),
            }
        }
    }
    figures.extend(told(seen));
    Ok(figures)
}

/// What was seen of a server, run by run.
struct Seen {
    name: &'static str,
    p99s: Vec<f64>,
    kibs: Vec<f64>,
    rates: Vec<f64>,
}

/// The figures of all servers; Baton's under the keys of the product.
fn told(seen: Vec<Seen>) -> Vec<Figure> {
    let median = |values: &[f64]| Times::new(values.to_vec()).median();
    let floor = seen.iter().find(|it| it.name == Floor::NAME);
    let floor = floor.map(|it| median(&it.p99s));
    let mut figures = Vec::new();
    for it in seen {
        let name = it.name;
        let key = |of: &str| match name == Baton::NAME {
            true => of.to_owned(),
            false => format!("peer_{name}_{of}"),
        };
        let p99 = median(&it.p99s);
        let mut fan = figure(&key("fanout_10k_p99_ms"), &Times::new(it.p99s));
        if let Some(floor) = floor.filter(|_| name != Floor::NAME) {
            fan.floor = Some((floor, "one write a socket"));
            figures.push(one(&key("fanout_10k_p99_to_floor_ratio"), p99 / floor));
        }
        figures.push(fan);
        figures.push(figure(
            &key("burst_deliveries_per_s"),
            &Times::new(it.rates),
        ));
        if name != Floor::NAME {
            figures.push(figure(&key("watcher_kib"), &Times::new(it.kibs)));
        }
    }
    figures
}

fn figure(key: &str, times: &Times) -> Figure {
    Figure {
        key: key.to_owned(),
        value: times.median(),
        spread: times.spread(),
        floor: None,
    }
}

fn one(key: &str, value: f64) -> Figure {
    figure(key, &Times::new(vec![value]))
}

/// The 99th percentile of all deliveries, in milliseconds, and what a watcher
/// took of the server's memory.
fn fan_out(server: &mut dyn Server) -> Answer<(f64, f64)> {
    let idle = server.rss_kib()?;
    let mut fan = Fan::open(server, WATCHERS)?;
    let mut all = Vec::with_capacity(WATCHERS * EVENTS);
    for _ in 0..EVENTS {
        all.extend(fan.tell(1, &mut || server.publish(1))?);
    }
    let kib = server.rss_kib()?.saturating_sub(idle) as f64 / WATCHERS as f64;
    all.sort_by(f64::total_cmp);
    Ok((all[all.len() * 99 / 100], kib))
}

/// Deliveries a second, of many events at once.
fn burst(server: &mut dyn Server) -> Answer<f64> {
    let mut fan = Fan::open(server, BURST_WATCHERS)?;
    let took = fan.tell(BURST, &mut || server.publish(BURST))?;
    let last = took.iter().copied().fold(0.0, f64::max);
    Ok((BURST * BURST_WATCHERS) as f64 / (last / 1000.0))
}

impl Floor {
    const NAME: &'static str = "floor";
}

impl Baton {
    const NAME: &'static str = "baton";
}

impl Plain {
    const NAME: &'static str = "axum";
}

impl Nchan {
    const NAME: &'static str = "nchan";
}

impl SocketIo {
    const NAME: &'static str = "socketio";
}
