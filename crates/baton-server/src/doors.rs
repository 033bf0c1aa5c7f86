//! Who comes in: links that open once, and the cookie they become.
//!
//! A link carries a signed token with a person, a moment and a number drawn for
//! it. It stands behind the `#` of its address, so that no server, log, preview
//! or referrer ever sees it; the page takes it out of the address bar and hands
//! it in. That it was used is a lease in the ledger's file, so it stays used
//! when the server is started again. The cookie is signed by the same key, which
//! never leaves the folder of the ledger.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use baton_core::id::Handle;
use baton_core::time::Duration;
use baton_engine::desk::draw;
use baton_engine::failure::{Failure, Kind};
use baton_store::{Log as _, SqliteLog, StoreError};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

/// How long a link may be used: a working day.
pub(crate) const LINK_LASTS: Duration = Duration::from_secs(12 * 3600);
/// How long somebody stays in.
pub(crate) const STAY_LASTS: Duration = Duration::from_secs(24 * 3600);

/// How much of a signature is written: 128 bits (RFC 2104, section 5, asks for
/// half of the hash at least), so that a link stays short enough to be copied.
const MAC: usize = 16;

/// What a signature is for: one cannot stand for the other.
#[derive(Clone, Copy)]
enum Purpose {
    Link,
    Stay,
}

/// The key of a room.
pub(crate) struct Doors {
    key: [u8; 32],
    /// Rooms on one machine share cookies over all ports: each has its own name.
    cookie: String,
}

/// What a token says, once its signature holds.
struct Pass {
    who: Handle,
    until: Timestamp,
    number: String,
}

impl Doors {
    /// The doors of the ledger in this folder; the key is made when there is none.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("room.key");
        let key = match made(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => read(&path)?,
            Err(error) => return Err(Failure::unwritten(&path, &error)),
        };
        let name = hex(&sign(&key, b"cookie's name"));
        Ok(Self {
            key,
            cookie: format!("baton-{}", &name[..8]),
        })
    }

    /// A token that lets this person in once.
    pub(crate) fn link(&self, who: &Handle, now: Timestamp) -> String {
        self.pass(Purpose::Link, who, LINK_LASTS.after(now))
    }

    /// Takes a link's token: whom it lets in, if it was not used before.
    pub(crate) fn enter(
        &self,
        log: &mut SqliteLog,
        token: &str,
        now: Timestamp,
    ) -> Result<Handle, Failure> {
        let again = "ask for a new one: `baton link HANDLE` on the machine where Baton runs";
        let refused = |why: &str| Failure::refused(why).hint(again);
        let pass = self
            .read(Purpose::Link, token)
            .ok_or_else(|| refused("this link is not one of this room"))?;
        if pass.until <= now {
            return Err(refused("this link is too old"));
        }
        let name = format!("link/{}", pass.number);
        let lasts = Duration::between(now, pass.until);
        match log.lease(&name, pass.who.as_str(), now, lasts, false) {
            Ok(_epoch) => Ok(pass.who),
            Err(StoreError::Held { .. }) => Err(refused("this link was used before")),
            Err(error) => Err(error.into()),
        }
    }

    /// The `Set-Cookie` of somebody who is in.
    pub(crate) fn stay(&self, who: &Handle, now: Timestamp) -> String {
        let token = self.pass(Purpose::Stay, who, STAY_LASTS.after(now));
        let (name, seconds) = (&self.cookie, STAY_LASTS.as_millis() / 1000);
        format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict")
    }

    /// The `Set-Cookie` of somebody who leaves.
    pub(crate) fn gone(&self) -> String {
        let name = &self.cookie;
        format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
    }

    /// Who sends this `Cookie` header.
    pub(crate) fn who(&self, cookies: &str, now: Timestamp) -> Option<Handle> {
        let ours = cookies.split(';').find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == self.cookie).then_some(value)
        })?;
        let pass = self.read(Purpose::Stay, ours)?;
        (pass.until > now).then_some(pass.who)
    }

    fn pass(&self, purpose: Purpose, who: &Handle, until: Timestamp) -> String {
        let number = format!("{:016x}", draw());
        let who = hex(who.as_str().as_bytes());
        let says = format!("{who}.{}.{number}", until.as_second());
        let mac = hex(&sign(&self.key, purpose.text(&says).as_bytes())[..MAC]);
        format!("{says}.{mac}")
    }

    fn read(&self, purpose: Purpose, token: &str) -> Option<Pass> {
        let (says, mac) = token.rsplit_once('.')?;
        let mut hmac = hmac(&self.key);
        hmac.update(purpose.text(says).as_bytes());
        let mac = unhex(mac).filter(|mac| mac.len() == MAC)?;
        // In constant time.
        hmac.verify_truncated_left(&mac).ok()?;
        let mut parts = says.split('.');
        let (who, until, number) = (parts.next()?, parts.next()?, parts.next()?);
        let who = String::from_utf8(unhex(who)?).ok()?;
        Some(Pass {
            who: Handle::from(who.as_str()),
            until: Timestamp::from_second(until.parse().ok()?).ok()?,
            number: number.to_owned(),
        })
    }
}

impl Purpose {
    fn text(self, says: &str) -> String {
        match self {
            Self::Link => format!("baton link 1\n{says}"),
            Self::Stay => format!("baton stay 1\n{says}"),
        }
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn sign(key: &[u8], says: &[u8]) -> Vec<u8> {
    let mut hmac = hmac(key);
    hmac.update(says);
    hmac.finalize().into_bytes().to_vec()
}

fn made(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut key = [0; 32];
    for part in key.chunks_mut(8) {
        part.copy_from_slice(&draw().to_le_bytes());
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(hex(&key).as_bytes())?;
    file.sync_all()?;
    Ok(key)
}

fn read(path: &Path) -> Result<[u8; 32], Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(Kind::Part, format!("cannot read {}", path.display())).because(&error)
    })?;
    let key = unhex(text.trim()).and_then(|key| key.try_into().ok());
    key.ok_or_else(|| {
        Failure::new(Kind::Part, format!("{} holds no key", path.display()))
            .hint("remove it: a new one is made, and everybody needs a new link")
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_link_opens_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = || SqliteLog::open(&folder.path().join("ledger.db")).unwrap();
        let doors = Doors::of(folder.path()).unwrap();
        let omar = Handle::from("omar");
        let token = doors.link(&omar, at(0));
        assert_eq!(doors.enter(&mut open(), &token, at(1)).unwrap(), omar);
        let doors = Doors::of(folder.path()).unwrap();
        let again = doors.enter(&mut open(), &token, at(2)).unwrap_err();
        assert_eq!(again.message, "this link was used before");
        let late = doors.link(&omar, at(0));
        let late = doors.enter(&mut open(), &late, at(13 * 3600)).unwrap_err();
        assert_eq!(late.message, "this link is too old");
    }

    #[test]
    fn nothing_but_what_was_signed_lets_anybody_in() {
        let folder = tempfile::tempdir().unwrap();
        let doors = Doors::of(folder.path()).unwrap();
        let omar = Handle::from("omar");
        let cookie = doors.stay(&omar, at(0));
        let cookie = cookie.split(';').next().unwrap();
        assert_eq!(doors.who(cookie, at(1)), Some(omar.clone()));
        let more = format!("other=1; {cookie}; last=2");
        assert_eq!(doors.who(&more, at(1)), Some(omar.clone()));
        assert_eq!(doors.who(cookie, at(25 * 3600)), None, "too old");
        let (name, token) = cookie.split_once('=').unwrap();
        let link = format!("{name}={}", doors.link(&omar, at(0)));
        assert_eq!(doors.who(&link, at(1)), None, "a link is no cookie");
        let (says, mac) = token.rsplit_once('.').unwrap();
        let lee = says.replacen(&hex(b"omar"), &hex(b"lee"), 1);
        for forged in [
            format!("{name}={lee}.{mac}"),
            format!("{name}={says}."),
            format!("{name}={says}"),
            format!("{name}="),
            format!("{name}={says}.é0"),
            format!("other={token}"),
            String::new(),
        ] {
            assert_eq!(doors.who(&forged, at(1)), None, "{forged}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Doors::of(elsewhere.path()).unwrap();
        assert_eq!(other.who(cookie, at(1)), None, "another room");
    }
}
