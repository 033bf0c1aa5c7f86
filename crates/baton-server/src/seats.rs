//! Seats of people whose page is open and seen. Each visible page is a lease of
//! its own, as a terminal's seat is; who closes it, or whose machine dies, is
//! gone within seconds.

use std::collections::BTreeMap;

use baton_core::event::Event;
use baton_core::id::{Epoch, Handle};
use baton_core::time::Duration;
use baton_engine::desk::{Desk, holder};
use baton_engine::failure::Failure;
use baton_store::{Log as _, StoreError};
use jiff::Timestamp;

/// How long a seat is kept without a sign of life.
const SEAT: Duration = Duration::from_secs(6);
/// How long somebody may be away before the room is told: a page that is loaded
/// again is nobody's leaving.
const AWAY: Duration = Duration::from_secs(10);
/// How long a page that was closed keeps its seat: long enough to be loaded again.
const RELOAD: Duration = Duration::from_secs(3);
/// The most pages one person may sit at.
const PAGES_MOST: usize = 16;

/// Who sits at which pages.
#[derive(Default)]
pub(crate) struct Seats {
    people: BTreeMap<Handle, Sitting>,
}

struct Sitting {
    /// The leases of their pages, and when each gave its last sign of life.
    pages: BTreeMap<String, (Epoch, Timestamp)>,
    last: Timestamp,
}

impl Seats {
    /// A visible page gives a sign of life.
    pub(crate) fn keep(
        &mut self,
        desk: &mut Desk,
        who: &Handle,
        page: &str,
    ) -> Result<(), Failure> {
        let now = Timestamp::now();
        let (page, is_new) = (plain(page), !self.people.contains_key(who));
        let name = format!("{}{who}/page-{page}", desk.seat(""));
        let sitting = self.people.get(who);
        let known = sitting.and_then(|it| it.pages.get(&page));
        if known.is_none() && sitting.is_some_and(|it| it.pages.len() >= PAGES_MOST) {
            return Ok(());
        }
        let epoch = match known.map(|(epoch, _)| *epoch) {
            Some(epoch) => match desk.log.renew(&name, epoch, now, SEAT) {
                Ok(()) => epoch,
                // Another server of this ledger took it over meanwhile.
                Err(StoreError::Fenced) => take(desk, &name, who, now)?,
                Err(error) => return Err(error.into()),
            },
            None => take(desk, &name, who, now)?,
        };
        if is_new {
            let run = desk.talked_about()?;
            let _joined = desk.append(who, run.as_ref(), vec![Event::Joined])?;
        }
        let sitting = self.people.entry(who.clone()).or_insert_with(|| Sitting {
            pages: BTreeMap::new(),
            last: now,
        });
        sitting.last = now;
        let _before = sitting.pages.insert(page, (epoch, now));
        Ok(())
    }

    /// A page is closed, loaded again, or nobody sees it any more.
    pub(crate) fn leave(
        &mut self,
        desk: &mut Desk,
        who: &Handle,
        page: &str,
    ) -> Result<(), Failure> {
        let page = plain(page);
        let Some(sitting) = self.people.get_mut(who) else {
            return Ok(());
        };
        if let Some((epoch, _)) = sitting.pages.remove(&page) {
            let name = format!("{}{who}/page-{page}", desk.seat(""));
            match desk.log.renew(&name, epoch, Timestamp::now(), RELOAD) {
                // Another server of this ledger keeps it.
                Err(StoreError::Fenced) => {}
                left => left?,
            }
        }
        Ok(())
    }

    /// Tells the room of those who have been away for a while.
    pub(crate) fn look(&mut self, desk: &mut Desk) -> Result<(), Failure> {
        let now = Timestamp::now();
        let lives = |last: &Timestamp| SEAT.after(*last) > now;
        for sitting in self.people.values_mut() {
            sitting.pages.retain(|_, (_, last)| lives(last));
        }
        let gone = |sitting: &Sitting| sitting.pages.is_empty() && AWAY.after(sitting.last) <= now;
        let left: Vec<Handle> = self
            .people
            .extract_if(.., |_, sitting| gone(sitting))
            .map(|(who, _)| who)
            .collect();
        for who in left {
            let run = desk.talked_about()?;
            let _left = desk.append(&who, run.as_ref(), vec![Event::Left])?;
        }
        Ok(())
    }

    /// Whether there is anybody to look after.
    pub(crate) fn any(&self) -> bool {
        !self.people.is_empty()
    }
}

fn take(desk: &mut Desk, name: &str, who: &Handle, now: Timestamp) -> Result<Epoch, Failure> {
    // It is this person's own: whoever held it before was they.
    Ok(desk.log.lease(name, &holder(who), now, SEAT, true)?)
}

/// A page's own word for itself, as part of a lease's name.
fn plain(page: &str) -> String {
    let plain = page.chars().filter(char::is_ascii_alphanumeric);
    plain.take(32).collect()
}
