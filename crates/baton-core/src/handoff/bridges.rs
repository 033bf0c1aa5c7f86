//! Whether the bridges of `room.notify` can lead anywhere, and hold no secret.
//!
//! An address may hold `$NAME`: whether each is known is said in `variables`,
//! and only what stands before the first of them is looked at here. Whether
//! anybody answers there is not looked at at all.

use super::check::Checker;
use super::contract::Bridge;
use crate::diag::brief;

/// The most people one bridge writes mail to: more are a list of the mail server's.
const RECIPIENTS_MOST: usize = 50;

/// Notes what is wrong with addresses, recipients and rooms.
pub(super) fn check(checker: &mut Checker<'_>) {
    let room = checker.contract.room.defined();
    let bridges = room.map(|room| room.notify.as_slice()).unwrap_or_default();
    for (at, bridge) in bridges.iter().enumerate() {
        let mut wrong = |key: &str, says: String, next: &str| {
            let place = format!("room.notify[{}].{}.{key}", at + 1, bridge.kind());
            let says = format!("`{place}` {says}");
            checker.note("contract.value", place, None, says, next);
        };
        if let Some((key, text)) = bridge.address()
            && let Some((says, next)) = address(text, matches!(bridge, Bridge::Email { .. }))
        {
            wrong(key, says, next);
        }
        match bridge {
            Bridge::Email { to, from, .. } => {
                if to.is_empty() || to.len() > RECIPIENTS_MOST {
                    let says = format!("has {} recipients", to.len());
                    wrong("to", says, "name 1 to 50: `to: [ops@shop.example]`");
                }
                for person in to.iter().filter(|person| !is_mailbox(person)) {
                    let says = format!("holds `{}`, which is no mail address", brief(person));
                    wrong("to", says, "write each as `ops@shop.example`");
                }
                if let Some(from) = from.as_ref().filter(|from| !is_mailbox(from)) {
                    let says = format!("is `{}`, which is no mail address", brief(from));
                    wrong("from", says, "write it as `baton@shop.example`");
                }
            }
            Bridge::Matrix { room, .. } if !room.starts_with(['#', '!']) => {
                let says = format!("is `{}`, which is no room", brief(room));
                let next =
                    "write its alias, `#launch:shop.example`, or its id, which begins with `!`";
                wrong("room", says, next);
            }
            _ => {}
        }
    }
}

/// What is wrong with an address, and what to write instead. What stands in it
/// is not repeated: it may be a secret.
fn address(text: &str, mail: bool) -> Option<(String, &'static str)> {
    let known = text.split('$').next().unwrap_or_default();
    let (schemes, next) = if mail {
        (
            ["smtp://", "smtps://"],
            "write `smtp://HOST:587`, or `smtps://HOST:465` where TLS comes first",
        )
    } else {
        (["https://", "http://"], "write `https://HOST/PATH`")
    };
    let scheme = schemes.iter().find(|scheme| text.starts_with(**scheme));
    let Some(scheme) = scheme else {
        if known.len() < text.len() && schemes.iter().any(|scheme| scheme.starts_with(known)) {
            return None;
        }
        let says = format!("does not begin with {} or {}", schemes[0], schemes[1]);
        return Some((says, next));
    };
    let rest = text.get(scheme.len()..).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let secret = authority
        .rsplit_once('@')
        .is_some_and(|(user, _)| !mail || user.contains(':'));
    if secret {
        let says = "holds a user's name and password".to_owned();
        let next = if mail {
            "take it out, and name the password under `password: { env: … }`"
        } else {
            "take it out: this bridge proves who it is with its secret or token alone"
        };
        return Some((says, next));
    }
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') || text.contains(blank) {
        return Some(("names no host that can be reached".to_owned(), next));
    }
    None
}

/// Whether this is one mailbox: a name, `@`, a host, nothing that ends a header.
fn is_mailbox(text: &str) -> bool {
    let plain = |part: &str| {
        let strange = |c: char| c.is_whitespace() || c.is_control() || "<>,;:\"@()[]\\".contains(c);
        !part.is_empty() && !part.contains(strange)
    };
    text.split_once('@')
        .is_some_and(|(name, host)| plain(name) && plain(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_somewhere_and_hold_no_secret() {
        for (text, mail) in [
            ("https://hooks.shop.example/baton?a=b@c", false),
            ("http://127.0.0.1:8008", false),
            ("$HOOKS/baton", false),
            ("https://$HOST_OF_HOOKS/x", false),
            ("smtp://mail.shop.example:587", true),
            ("smtps://baton@mail.shop.example", true),
        ] {
            assert_eq!(address(text, mail), None, "{text}");
        }
        for (text, mail, why) in [
            ("hooks.shop.example", false, "begin"),
            ("smtp://mail.shop.example", false, "begin"),
            ("ftp://$HOST", false, "begin"),
            ("https://me:hunter2@hooks.shop.example", false, "password"),
            ("smtp://me:hunter2@mail.shop.example", true, "password"),
            ("https:///baton", false, "no host"),
            ("https://hooks.shop.example/\r\nx: y", false, "no host"),
        ] {
            let (says, next) = address(text, mail).unwrap();
            assert!(says.contains(why), "{text}: {says}");
            assert!(!says.contains("hunter2") && !next.contains("hunter2"));
        }
    }

    #[test]
    fn mailboxes_end_no_header() {
        assert!(is_mailbox("ops@shop.example") && is_mailbox("a+b@c"));
        for text in [
            "ops",
            "@shop",
            "ops@",
            "a@b\r\nbcc: c@d",
            "a@b, c@d",
            "<a@b>",
        ] {
            assert!(!is_mailbox(text), "{text}");
        }
    }
}
