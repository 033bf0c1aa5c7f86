//! The address of a PostgreSQL database, `postgres://USER:PASSWORD@HOST:PORT/NAME?…`,
//! and how a session is opened there.
//!
//! An argument can be read by everybody, a variable only by its owner. So user and
//! password never stand in an argument, and the address is taken apart before
//! secrets are filled in: whatever characters one has, it stays where it was
//! meant to be.

use std::collections::BTreeMap;

use baton_core::run::order::filled_from;

/// How long one statement of ours may take, in milliseconds; waiting for a lock
/// a fifth of it, so that we hold up nobody who waits behind us.
const STATEMENT_MS_MAX: u32 = 5000;

/// The address as an argument, and variables; or why there is none.
pub(crate) type Session = Result<(String, BTreeMap<String, String>), String>;

/// How `psql` opens a session in which nothing is written and nothing takes long:
/// the address as an argument, and variables with user and password. A secret that
/// `url` names as `$NAME` is the whole address, its user or its password, and the
/// two are filled in as they are.
///
/// # Errors
/// What is wrong with the address, in words that repeat nothing of it.
pub(crate) fn session(url: &str, secrets: &BTreeMap<String, String>) -> Session {
    let whole = secrets.iter().find(|(name, _)| {
        let named = url.strip_prefix('$');
        let braced = named.and_then(|name| name.strip_prefix('{')?.strip_suffix('}'));
        braced.or(named) == Some(name.as_str())
    });
    let Address {
        open,
        user,
        password,
    } = match whole {
        Some((_, value)) => parted(value.trim(), &BTreeMap::new())?,
        None => parted(url, secrets)?,
    };
    let options = format!(
        "-c default_transaction_read_only=on -c statement_timeout={STATEMENT_MS_MAX} \
         -c lock_timeout={} -c client_min_messages=error -c extra_float_digits=3",
        STATEMENT_MS_MAX / 5
    );
    let mut vars = BTreeMap::from([
        ("PGOPTIONS".to_owned(), options),
        ("PGCONNECT_TIMEOUT".to_owned(), "5".to_owned()),
        ("PGAPPNAME".to_owned(), "baton".to_owned()),
        ("PGCLIENTENCODING".to_owned(), "UTF8".to_owned()),
        ("LC_ALL".to_owned(), "C".to_owned()),
    ]);
    for (name, value) in [("PGUSER", user), ("PGPASSWORD", password)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _new = vars.insert(name.to_owned(), value);
        }
    }
    Ok((open, vars))
}

/// An address, taken apart.
#[derive(Debug, PartialEq)]
struct Address {
    /// All of it but user and password.
    open: String,
    user: Option<String>,
    password: Option<String>,
}

fn parted(url: &str, secrets: &BTreeMap<String, String>) -> Result<Address, String> {
    let wrong = || "the address is not postgres://…".to_owned();
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    if !matches!(scheme, "postgres" | "postgresql") || rest.contains(char::is_control) {
        return Err(wrong());
    }
    let (login, place) = match rest.split_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, rest),
    };
    // Where one of these stands raw, nobody knows where the password ends.
    if place.contains('@') || login.is_some_and(|login| login.contains(['/', '?'])) {
        return Err(
            "an @, / or ? in the user or the password of the address has to be written as %40, \
             %2F or %3F"
                .to_owned(),
        );
    }
    let named: BTreeMap<String, String> = secrets
        .keys()
        .map(|name| (name.clone(), String::new()))
        .collect();
    if filled_from(place, &named) != place {
        return Err(
            "a secret may be the user or the password of the address, or all of it, and stands \
             nowhere else in it"
                .to_owned(),
        );
    }
    let options = place.split_once('?').map_or("", |(_, options)| options);
    let hides = |option: &str| {
        let name = option.split('=').next().unwrap_or_default();
        let name = decoded(name).to_ascii_lowercase();
        name.contains("password") || name.contains("secret")
    };
    if options.split('&').any(hides) {
        return Err("the password has to stand before the @ of the address".to_owned());
    }
    // What is filled in is no part of the address: it needs no decoding.
    let encoded = secrets
        .iter()
        .map(|(name, value)| (name.clone(), encoded(value)))
        .collect();
    let filled = |text: &str| {
        let text = decoded(&filled_from(text, &encoded));
        match text.contains(char::is_control) {
            true => Err("the user or the password has a line break or the like".to_owned()),
            false => Ok(text),
        }
    };
    let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
        None => (None, None),
        Some(Err(user)) => (Some(filled(user)?), None),
        Some(Ok((user, password))) => (Some(filled(user)?), Some(filled(password)?)),
    };
    Ok(Address {
        open: format!("{scheme}://{place}"),
        user,
        password,
    })
}

/// Every byte as `%41` (RFC 3986, section 2.1).
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// `%41` is `A` (RFC 3986, section 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ab/cd?e@f:g#h%41 '\"$WORD\\+==";

    fn opened(url: &str) -> Result<(String, Option<String>, Option<String>), String> {
        let all = format!("postgres://shop:{}@db/shop", encoded(SECRET));
        let secrets = [
            ("WORD", SECRET),
            ("ALL", &all),
            ("RAW", "postgres://u:a/b@h"),
        ];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (open, mut vars) = session(url, &secrets.into())?;
        Ok((open, vars.remove("PGUSER"), vars.remove("PGPASSWORD")))
    }

    #[test]
    fn user_and_password_stand_in_no_argument_whatever_they_are() {
        for (url, open, user, password) in [
            (
                "postgres://shop:p%40ss@db:5432/shop?sslmode=require",
                "postgres://db:5432/shop?sslmode=require",
                "shop",
                "p@ss",
            ),
            (
                "postgresql://shop@db/shop",
                "postgresql://db/shop",
                "shop",
                "",
            ),
            ("postgres://db/shop", "postgres://db/shop", "", ""),
            (
                "postgres:///shop?host=/run/pg",
                "postgres:///shop?host=/run/pg",
                "",
                "",
            ),
            ("postgres://u:a%zz%4@h", "postgres://h", "u", "a%zz%4"),
            (
                "postgres://shop:$WORD@db/shop",
                "postgres://db/shop",
                "shop",
                SECRET,
            ),
            (
                "postgres://shop:${WORD}@db",
                "postgres://db",
                "shop",
                SECRET,
            ),
            ("postgres://$WORD@db/shop", "postgres://db/shop", SECRET, ""),
            (
                "postgres://:$WORD@db/shop",
                "postgres://db/shop",
                "",
                SECRET,
            ),
            ("$ALL", "postgres://db/shop", "shop", SECRET),
            ("${ALL}", "postgres://db/shop", "shop", SECRET),
        ] {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let expected = (open.to_owned(), given(user), given(password));
            assert_eq!(opened(url), Ok(expected), "{url}");
        }
        let (open, _, password) = opened("postgres://u:a$WORD%2Db@h").unwrap();
        assert_eq!(
            (open.as_str(), password),
            ("postgres://h", Some(format!("a{SECRET}-b")))
        );
    }

    #[test]
    fn an_address_that_would_show_a_secret_is_refused_without_showing_it() {
        for wrong in [
            "mysql://u:canary-1@h",
            "host=db password=canary-1",
            "postgres://h/\n",
            "postgres://u:canary/1@h/d",
            "postgres://u:canary?1@h/d",
            "postgres://u:canary@1/2@h/d",
            "postgres://u:canary@1@h",
            "postgres://h/d?password=canary-1",
            "postgres://h/d?sslmode=require&sslpassword=canary-1",
            "postgres://h/d?%50assword=canary-1",
            "postgres://h/d?oauth_client_secret=canary-1",
            "postgres://h/d?sslkey=$WORD",
            "postgres://u@$WORD/d",
            "postgres://u@h/${WORD}",
            "$RAW",
            "$NONE",
            "",
        ] {
            let why = opened(wrong).unwrap_err();
            assert!(
                !why.contains("canary") && !why.contains("a/b"),
                "{wrong}: {why}"
            );
        }
    }
}
