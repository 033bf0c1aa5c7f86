//! The room in the browser: `serve`, `link`, and the room that `launch` and
//! `rehearse` open by themselves.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use baton_core::id::Handle;
use baton_engine::bridges::Post;
use baton_engine::desk::Desk;
use baton_engine::failure::Failure;
use baton_server::{Listen, Room, address_of, new_link};
use serde_json::json;

use crate::args::RoomArgs;
use crate::commands::drive::interrupts;
use crate::exit::Exit;
use crate::render::{Out, Tone, cell, toned};

/// How often it is asked whether the room is to be closed.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

/// `baton serve`.
pub(crate) fn run(desk: &mut Desk, out: &Out, listen: Option<SocketAddr>) -> Result<Exit, Failure> {
    let mut ctrl_c = interrupts()?;
    let room = Room::open(desk, listen.map_or_else(Listen::default, Listen))?;
    // What is said here is heard outside, also while no run is driven.
    let _post = Post::start(&desk.settings, address_of(desk));
    show(desk, out, &room);
    if !out.json {
        out.text(
            "Ctrl-C closes the room; runs go on without it.",
            0,
            Tone::Quiet,
        );
    }
    while !ctrl_c.any() {
        std::thread::sleep(LOOK);
    }
    Ok(Exit::Good)
}

/// `baton link`.
pub(crate) fn link(desk: &Desk, out: &Out, who: Option<&str>) -> Result<Exit, Failure> {
    let who = match who {
        Some(who) => desk.known(&Handle::from(who))?,
        None => desk.me()?,
    };
    let address = address_of(desk).ok_or_else(|| {
        Failure::refused("no room is open on this machine for this handoff")
            .hint("`baton serve` opens it; `baton launch` and `baton rehearse` do by themselves")
    })?;
    let link = new_link(desk, &address, &who)?;
    if out.json {
        out.json(&json!({ "format": 1, "for": who, "link": link }));
    } else {
        out.line(link);
    }
    Ok(Exit::Good)
}

/// Opens the room beside a run: for somebody at a terminal, or where it was said.
pub(crate) fn beside(desk: &Desk, out: &Out, asked: &RoomArgs) -> Result<Option<Room>, Failure> {
    let wanted = asked.listen.is_some() || std::io::stdin().is_terminal();
    if asked.no_room || !wanted {
        return Ok(None);
    }
    let told = out.story();
    if asked.listen.is_none()
        && let Some(address) = address_of(desk)
    {
        told.text(&format!("the room is open at {address}"), 0, Tone::Strong);
        return Ok(None);
    }
    let room = Room::open(desk, asked.listen.map_or_else(Listen::default, Listen))?;
    told.text(
        &format!("the room is open at {}", room.address()),
        0,
        Tone::Strong,
    );
    told.text(
        "each person comes in by a link of their own: `baton link HANDLE`",
        0,
        Tone::Quiet,
    );
    Ok(Some(room))
}

/// Where the room is, and how each person comes in.
fn show(desk: &Desk, out: &Out, room: &Room) {
    let links = room.links();
    if out.json {
        let address = room.address();
        out.json(&json!({ "format": 1, "address": address, "links": links }));
        return;
    }
    out.text(
        &format!("the room is open at {}", room.address()),
        0,
        Tone::Strong,
    );
    out.text(
        "Each link lets one person in, once, within twelve hours:",
        0,
        Tone::Plain,
    );
    let name = |who: &Handle| {
        let person = desk.contract.people.get(who);
        person.map_or("", |person| person.name.as_str())
    };
    for (who, link) in &links {
        out.table(
            2,
            &[vec![cell(who.as_str()), toned(name(who), Tone::Quiet)]],
        );
        // A link is never wrapped: it is there to be copied.
        out.line(format!("    {}", out.paint(link, Tone::Accent)));
    }
    out.text(
        "The public status page needs no link: /status",
        0,
        Tone::Quiet,
    );
}
