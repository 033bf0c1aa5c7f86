//! The command line: words in, one [`Job`] out, or a sentence that says what is wrong with them.
//!
//! Nothing is done while words are read, so a senseless command line leaves no trace.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Release, Result, about, db, http, process, web};

/// What was asked for, ready to be done; its text is for a person.
pub(crate) type Job = Box<dyn FnOnce() -> Result<String>>;

/// The help text.
pub(crate) fn usage(release: &Release) -> String {
    let (first, last) = (release.migrates.start(), release.migrates.end());
    format!(
        "shop {}
usage:
  serve   --port N --db FILE [--pid-file FILE]
  start   --port N --db FILE --pid-file FILE --log FILE
  stop    --pid-file FILE
  migrate --db FILE --to {first}..{last}
  seed    --db FILE --orders N
  backup  --db FILE --to FILE
  count   --db FILE
  get     http://HOST:PORT/PATH",
        release.version
    )
}

/// Reads the words after the program's name.
pub(crate) fn parse(release: &'static Release, args: Vec<OsString>) -> Result<Job> {
    let mut words = Vec::new();
    for arg in args {
        words.push(
            arg.into_string()
                .map_err(|arg| format!("{arg:?} is not valid UTF-8"))?,
        );
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Err("a command is missing".into()),
        ["help" | "--help" | "-h"] => Ok(Box::new(move || Ok(usage(release)))),
        ["get", url] => {
            let url = url.to_owned();
            Ok(Box::new(move || http::show(&url)))
        }
        ["get", ..] => Err("get takes exactly one URL".into()),
        [command, ref rest @ ..] => {
            let mut flags = Flags::read(command, rest)?;
            let job = flags.job(release)?;
            match flags.values.keys().next() {
                Some(name) => Err(format!("{command} does not know {name}").into()),
                None => Ok(job),
            }
        }
    }
}

/// The `--name value` pairs of one command that nobody has asked for yet.
struct Flags<'a> {
    command: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Flags<'a> {
    fn read(command: &'a str, words: &[&'a str]) -> Result<Self> {
        let mut values = BTreeMap::new();
        for pair in words.chunks(2) {
            let &[name, value] = pair else {
                return Err(format!("{} needs a value", pair[0]).into());
            };
            if values.insert(name, value).is_some() {
                return Err(format!("{name} is given twice").into());
            }
        }
        Ok(Self { command, values })
    }

    fn job(&mut self, release: &'static Release) -> Result<Job> {
        Ok(match self.command {
            "serve" => {
                let (port, db) = (self.take::<NonZeroU16>("--port")?.get(), self.path("--db")?);
                let pid_file = self.values.remove("--pid-file").map(PathBuf::from);
                Box::new(move || web::serve(release, port, &db, pid_file.as_deref()))
            }
            "start" => {
                let (port, db) = (self.take::<NonZeroU16>("--port")?.get(), self.path("--db")?);
                let (pid_file, log) = (self.path("--pid-file")?, self.path("--log")?);
                Box::new(move || process::start(port, &db, &pid_file, &log))
            }
            "stop" => {
                let pid_file = self.path("--pid-file")?;
                Box::new(move || process::stop(&pid_file))
            }
            "migrate" => {
                let (db, to) = (self.path("--db")?, self.take("--to")?);
                if !release.migrates.contains(&to) {
                    return Err(format!("shop {} cannot migrate to {to}", release.version).into());
                }
                Box::new(move || db::migrate(release, &db, to).map_err(about(&db)))
            }
            "seed" => {
                let (db, orders) = (self.path("--db")?, self.take("--orders")?);
                Box::new(move || db::seed(&db, orders).map_err(about(&db)))
            }
            "backup" => {
                let (db, to) = (self.path("--db")?, self.path("--to")?);
                Box::new(move || db::backup(&db, &to).map_err(about(&db)))
            }
            "count" => {
                let db = self.path("--db")?;
                Box::new(move || db::count_in(&db).map_err(about(&db)))
            }
            unknown => return Err(format!("unknown command {unknown:?}").into()),
        })
    }

    fn path(&mut self, name: &str) -> Result<PathBuf> {
        self.take(name)
    }

    fn take<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<T> {
        let command = self.command;
        let value = self
            .values
            .remove(name)
            .ok_or_else(|| format!("{command} needs {name}"))?;
        Ok(value
            .parse()
            .map_err(|why| format!("{name} {value:?}: {why}"))?)
    }
}
