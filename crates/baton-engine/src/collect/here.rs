//! Reads what is asked of an environment from where Baton runs: databases over
//! `psql`, which knows every way to log in that its users know, and addresses
//! over HTTP.
//!
//! Promises what collecting on a host promises: bounded time and output, nothing
//! written, no secret in a list of processes, and what could not be read is a
//! status.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use baton_core::parity::http::{self, Answer};
use baton_core::parity::output::{JSON_MAX, parse};
use baton_core::parity::{Collector, HostFacts, LayerStatus};
use baton_core::run::order::filled_from;
use jiff::Timestamp;
use jiff::fmt::strtime;

use super::address::{Session, session};
use super::{Limits, MIGRATIONS, run};
use crate::shell::ssh::quote;

/// How long one address may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

const FACTS: &str = include_str!("here/facts.sql");

/// Everything with a name in the catalogue that people made, and no extension.
const RELATIONS: &str = "(select c.oid, c.relkind, c.relowner, c.relacl, c.relrowsecurity, \
    c.relpersistence, n.nspname || '.' || c.relname as name from pg_class c \
    join pg_namespace n on n.oid = c.relnamespace \
    where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' \
    and not exists (select 1 from pg_depend d where d.objid = c.oid \
    and d.classid = 'pg_class'::regclass and d.deptype = 'e'))";

/// Reads these collectors, all of which are [`Collector::is_from_here`], with
/// `folder` as the place of what they name. Only here, in an address, may a secret be
/// filled in: it stays on this machine.
pub(super) fn read(
    collectors: &[Collector],
    secrets: &BTreeMap<String, String>,
    folder: &Path,
    limits: Limits,
) -> HostFacts {
    let mut all = HostFacts::default();
    let mut place = 0;
    for collector in collectors {
        let read = match collector {
            Collector::Postgres { url, data } => {
                place += 1;
                let session = session(url, secrets);
                postgres(collector, place - 1, (session, data), folder, limits)
            }
            Collector::Http { id, url } => address(id, &filled_from(url, secrets), folder, limits),
            _ => continue,
        };
        all.facts.extend(read.facts);
        for (layer, status) in read.layers {
            let joined = match all.layers.remove(&layer) {
                Some(before) => worse(before, status),
                None => status,
            };
            let _none = all.layers.insert(layer, joined);
        }
    }
    all
}

/// The status of a layer of which two things were read.
fn worse(a: LayerStatus, b: LayerStatus) -> LayerStatus {
    match (a, b) {
        (LayerStatus::Ok, other) | (other, LayerStatus::Ok) if other.is_ok() => other,
        (LayerStatus::Ok, other) | (other, LayerStatus::Ok) => {
            LayerStatus::Partial(other.to_string())
        }
        (a, b) if a == b => a,
        (a, b) => LayerStatus::Partial(format!("{a}; {b}")),
    }
}

/// One database.
fn postgres(
    asked: &Collector,
    place: usize,
    (session, data): (Session, &[String]),
    folder: &Path,
    limits: Limits,
) -> HostFacts {
    let (open, vars) = match session {
        Ok(session) => session,
        Err(why) => return not_read("postgres", why),
    };
    let script = format!(
        r#"exec 3>&1
if command -v psql >/dev/null 2>&1; then
  printf '%s\0' raw postgres {place}
  baton_text=$(psql -X -q -A -t -w -d {open} -f - 2>&1 >&3 <<'END OF BATON'
{sql}
END OF BATON
)
  printf '\0'
  if [ -n "$baton_text" ]; then printf '%s\0' trouble postgres "$baton_text"; fi
else printf '%s\0' trouble postgres 'psql is not installed where baton runs'; fi
printf '%s\0' done postgres
"#,
        open = quote(&open),
        sql = sql(data),
    );
    // The place tells databases apart, so the reader has to see as many.
    let asked = vec![asked.clone(); place + 1];
    match run::here(&script, folder, &vars, limits) {
        Ok(ran) => {
            let mut read = parse(&ran.output, &asked, &ran.unfinished);
            let any = !read.facts.is_empty();
            if let Some(status) = read.layers.get_mut("postgres") {
                refused(status, any);
            }
            read
        }
        Err(error) => not_read("postgres", format!("cannot start sh: {error}")),
    }
}

/// A database that let nobody in was not read at all, and by its own words.
fn refused(status: &mut LayerStatus, any: bool) {
    if let LayerStatus::Partial(why) = status
        && !any
    {
        *status = LayerStatus::NotCollected(std::mem::take(why));
    }
}

fn sql(data: &[String]) -> String {
    let mut sql = FACTS.replace("@RELATIONS@", RELATIONS);
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    for (table, row) in MIGRATIONS {
        let count = format!(
            "select format('select json_build_array(''migration'', ({row})::text, null) from %s', oid::regclass) \
             from {RELATIONS} r where relkind in ('r', 'p') and name like {} \\gexec\n",
            text(&format!("%.{}", table.replace('_', "\\_"))),
        )
        .replace(&format!("({row})"), &format!("({})", row.replace('\'', "''")));
        sql.push_str(&count);
    }
    for table in data {
        let name = text(table);
        sql.push_str(&format!(
            "select json_build_array('data', {name}, count(*)::text) from {table};\n\
             select json_build_array('data', {name}, coalesce(sum(('x' || substr(md5(t::text), 1, 15))\
             ::bit(60)::bigint), 0)::text, 'sum') from {table} t;\n",
            table = identifier(table),
        ));
    }
    sql
}

/// `schema.table` as PostgreSQL's quoted identifiers.
fn identifier(name: &str) -> String {
    let parts = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    parts.collect::<Vec<_>>().join(".")
}

/// One address: its answer, and its certificate by `openssl`. Straight to the
/// host, no proxy and no redirects.
fn address(id: &str, url: &str, folder: &Path, limits: Limits) -> HostFacts {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER_MAX.min(limits.time)))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent("baton-parity")
        .build()
        .new_agent();
    let mut read = HostFacts::default();
    let mut status = LayerStatus::Ok;
    match agent.get(url).call() {
        Ok(mut response) => {
            let headers: Vec<(String, String)> = response
                .headers()
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.to_string(), value)
                })
                .collect();
            let code = response.status().as_u16();
            let mut body = Vec::new();
            let mut from = response.body_mut().as_reader().take(JSON_MAX as u64);
            if from.read_to_end(&mut body).is_err() {
                status = LayerStatus::Partial(format!("the answer of {id} broke off"));
            }
            let answer = Answer {
                status: code,
                headers: &headers,
                body: &body,
            };
            read.facts.extend(http::facts(id, answer));
        }
        Err(error) => status = unanswered(id, &error),
    }
    if let Some(authority) = url.strip_prefix("https://") {
        match certificate(authority, folder, limits) {
            Some(text) => {
                read.facts.extend(http::certificate(id, &text));
                read.facts
                    .extend(days_left(&text).map(|days| http::lasting(id, days)));
            }
            None if status.is_ok() => {
                let why = format!("the certificate of {id}: openssl did not tell it");
                status = LayerStatus::Partial(why);
            }
            None => {}
        }
    }
    if !read.facts.is_empty()
        && let LayerStatus::NotCollected(why) = status
    {
        status = LayerStatus::Partial(why);
    }
    let _none = read.layers.insert("http".to_owned(), status);
    read
}

/// Why there was no answer; the address, which may hold a secret, is not told.
fn unanswered(id: &str, error: &ureq::Error) -> LayerStatus {
    let why = match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            "is not an http or https address".to_owned()
        }
        ureq::Error::Timeout(_) => "gave no answer in time".to_owned(),
        ureq::Error::HostNotFound => "stands at a host whose name is not known".to_owned(),
        ureq::Error::Io(error) => format!("gave no connection: {error}"),
        other => format!("gave no answer: {other}"),
    };
    LayerStatus::NotCollected(format!("{id} {why}"))
}

/// What `openssl` says of the certificate at this address; `None` where it, or
/// the host, says nothing.
fn certificate(authority: &str, folder: &Path, limits: Limits) -> Option<String> {
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let host = authority[..end].rsplit('@').next().unwrap_or("");
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let to = if has_port {
        host.to_owned()
    } else {
        format!("{host}:443")
    };
    let name = to.rsplit_once(':').map_or("", |(name, _)| name);
    let script = format!(
        "baton_text=$(openssl s_client -connect {} -servername {} </dev/null 2>/dev/null)\n\
         printf '%s\\n' \"$baton_text\" | sed -n '/^New, /p;/Verify return code/p'\n\
         printf '%s\\n' \"$baton_text\" | openssl x509 -noout -subject -issuer -enddate \
         -ext subjectAltName 2>/dev/null\n",
        quote(&to),
        quote(name),
    );
    let limits = Limits {
        time: ANSWER_MAX.min(limits.time),
        bytes: 64 * 1024,
    };
    let ran = run::here(&script, folder, &BTreeMap::new(), limits).ok()?;
    let text = String::from_utf8_lossy(&ran.output).into_owned();
    text.contains("notAfter=").then_some(text)
}

/// Whole days until the certificate of this text ends, by our clock.
fn days_left(text: &str) -> Option<i64> {
    let until = text
        .lines()
        .find_map(|line| line.strip_prefix("notAfter="))?;
    let words: Vec<&str> = until.split_whitespace().collect();
    let read = strtime::parse("%b %d %H:%M:%S %Y GMT", words.join(" ")).ok()?;
    let until = read
        .to_datetime()
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?;
    let left = until.timestamp().as_second() - Timestamp::now().as_second();
    Some(left.div_euclid(24 * 60 * 60))
}

fn not_read(layer: &str, why: String) -> HostFacts {
    HostFacts {
        facts: BTreeMap::new(),
        layers: [(layer.to_owned(), LayerStatus::NotCollected(why))].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_what_openssl_prints() {
        assert!(days_left("notAfter=Jan  3 11:22:33 2020 GMT").unwrap() < -365);
        assert!(days_left("notAfter=Jan 30 11:22:33 2999 GMT").unwrap() > 365);
        assert_eq!(days_left("notAfter=soon"), None);
    }

    #[test]
    fn names_of_tables_are_identifiers_and_no_statements() {
        assert_eq!(
            identifier("public.or\"ders; drop"),
            "\"public\".\"or\"\"ders; drop\""
        );
    }
}
