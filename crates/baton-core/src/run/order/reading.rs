//! What the judge asks of a host or a database: orders whose last line is numbers.
//!
//! Patterns, paths and statements reach a script as variables, never as text of it.

use std::collections::BTreeMap;

use super::{Order, at, filled, names, variables, withheld};
use crate::handoff::contract::{Counter, LEVELS, Lines, SecretRef};
use crate::handoff::plan::Plan;
use crate::handoff::runbook::Fence;
use crate::id::{AttemptId, HostName};
use crate::time::Duration;

/// How long a reading may take: the judge does not wait for the slow.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The variable that tells a script how far it has read; empty the first time. An
/// order that has it prints a third word, which stands in it the next time, and
/// its numbers are what came in between. Those of any other only grow.
pub const MARK: &str = "BATON_MARK";

/// The variable of an order whose numbers count what is kept, rows or the lines of a
/// journal: they never fall unless some of it is removed or changed.
pub const KEPT: &str = "BATON_KEPT";

/// How many lines of its input fit a pattern. `grep` ends with 1 when none does.
const MATCHING: &str = r#"LC_ALL=C
export LC_ALL
matching() {
  case $1 in
  level:*) awk -v least="${1#level:}" "$BATON_LEVELS" ;;
  *) grep -cE -e "$1" || [ $? -eq 1 ] ;;
  esac
}
"#;

/// The level of a line, colours left out: the one after a key such as `level=` or
/// `"level":` (also where JSON stands in JSON), and in a line without one the one it
/// says first; see [`LEVELS`]. For any awk of POSIX.
const BY_LEVEL: &str = r#"BEGIN {
  n = split("@levels@", all, " ")
  for (i = 1; i <= n; i++) { split(all[i], one, "="); rank[one[1]] = one[2] + 0 }
}
function level(line,   rest, word, words, i, n) {
  rest = line
  while (match(rest, /(^|[^a-z0-9])(log_?level|level|level_?name|lvl|severity|severity_?text)(=\\*["']?|\\*["'][ \t]*:[ \t]*\\*["']?)[a-z]+/)) {
    word = substr(rest, RSTART, RLENGTH)
    sub(/^.*[^a-z]/, "", word)
    if (word in rank) return rank[word]
    rest = substr(rest, RSTART + RLENGTH)
  }
  n = split(substr(line, 1, 256), words, /[^a-z0-9]+/)
  for (i = 1; i <= n; i++) if (words[i] in rank) return rank[words[i]]
  return 0
}
{
  gsub(/\033\[[0-9;:?]*[A-Za-z]/, "")
  if (level(tolower(substr($0, 1, 4096))) >= rank[least]) count++
}
END { print count + 0 }
"#;

/// Whole lines of `$BATON_LOG` that are new since the mark, 64 MiB at most; the
/// rest waits for the next time. The mark is the file's inode, how far it was
/// read, and a checksum of the last bytes before that place: where one of them
/// does not fit, the file was begun anew, and is read from its start, after what
/// is left of the old one, if that still lies beside it.
const LOG: &str = r#"most=67108864
part() { tail -c "+$(($2 + 1))" -- "$1" | head -c "$(($3 - $2))"; }
trace() { part "$1" "$(($2 > 64 ? $2 - 64 : 0))" "$2" | cksum | tr -d ' \n'; }
look() {
  : <"$1"
  set -- $(ls -lindL -- "$1")
  inode=$1 size=$6
}
count() {
  upto=$2
  to=$(($3 > $2 + most ? $2 + most : $3))
  lines=$(part "$1" "$2" "$to" | wc -l)
  if [ "$lines" -gt 0 ]; then
    bytes=$(part "$1" "$2" "$to" | head -n "$lines" | wc -c)
    upto=$(($2 + bytes))
  elif [ "$(($2 + most))" -eq "$to" ]; then
    upto=$to
  fi
  more=$(part "$1" "$2" "$upto" | matching "$BATON_BAD")
  bad=$((bad + more))
  more=$(part "$1" "$2" "$upto" | matching "$BATON_TOTAL")
  total=$((total + more))
}
bad=0 total=0
look "$BATON_LOG"
if [ -z "$BATON_MARK" ]; then
  upto=$size
else
  was=${BATON_MARK%%:*}
  place=${BATON_MARK#*:}
  before=${place#*:}
  place=${place%%:*}
  fits() { [ "$inode" = "$was" ] && [ "$size" -ge "$place" ] && [ "$(trace "$1" "$place")" = "$before" ]; }
  if ! fits "$BATON_LOG"; then
    for old in "$BATON_LOG".* "$BATON_LOG"-*; do
      [ -f "$old" ] && [ -r "$old" ] || continue
      look "$old"
      if fits "$old"; then
        count "$old" "$place" "$size"
        break
      fi
    done
    look "$BATON_LOG"
    place=0
  fi
  count "$BATON_LOG" "$place" "$size"
fi
echo "$bad $total $inode:$upto:$(trace "$BATON_LOG" "$upto")"
"#;

/// All lines that a command prints.
const OUTPUT: &str = r#"said=$(mktemp)
trap 'rm -f "$said"' EXIT
sh -e -c "$BATON_SAYS" >"$said"
bad=$(matching "$BATON_BAD" <"$said")
total=$(matching "$BATON_TOTAL" <"$said")
echo "$bad $total"
"#;

/// In one transaction: what is counted twice is counted at one moment.
const SQLITE: &str = r#"rows=$(printf '%s;\n' begin "$BATON_BAD" "$BATON_TOTAL" commit |
sqlite3 -batch -bail -readonly "$BATON_DATABASE")
printf '%s\n' "$rows" | paste -sd ' ' -
"#;

/// The order that reads a counter on a host: what it prints at last are two
/// numbers, bad ones and all. Secrets whose names stand in a command are its.
pub fn counter(plan: &Plan, counter: &Counter, host: &HostName) -> Order {
    match counter {
        Counter::Command(run) => reading(plan, host, run.clone(), run, Vec::new()),
        Counter::Log { path, lines } => {
            let mut given = matching(lines);
            given.push(("BATON_LOG", filled(path, plan, host)));
            given.push((MARK, String::new()));
            reading(plan, host, format!("{MATCHING}{LOG}"), "", given)
        }
        Counter::Output { run, lines } => {
            let mut given = matching(lines);
            given.push(("BATON_SAYS", run.clone()));
            given.push((KEPT, "lines".to_owned()));
            reading(plan, host, format!("{MATCHING}{OUTPUT}"), run, given)
        }
        Counter::Sqlite { path, bad, total } => {
            let given = vec![
                ("BATON_DATABASE", filled(path, plan, host)),
                ("BATON_BAD", bad.clone()),
                ("BATON_TOTAL", total.clone()),
                (KEPT, "rows".to_owned()),
            ];
            reading(plan, host, SQLITE.to_owned(), "", given)
        }
    }
}

/// The order that reads a level on a host: what it prints at last is one number.
pub fn level(plan: &Plan, run: &str, host: &HostName) -> Order {
    reading(plan, host, run.to_owned(), run, Vec::new())
}

/// A database, and the two statements that count in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Database {
    /// Its address, `postgres://…`, complete but for the values of its secrets.
    pub url: String,
    /// SQL: the bad ones.
    pub bad: String,
    /// SQL: all.
    pub total: String,
    /// The secrets that the address names.
    pub secrets: BTreeMap<String, SecretRef>,
}

/// How a database is asked for a host, with the variables of that host.
pub fn database(plan: &Plan, (url, bad, total): (&str, &str, &str), host: &HostName) -> Database {
    Database {
        url: filled(url, plan, host),
        bad: filled(bad, plan, host),
        total: filled(total, plan, host),
        secrets: secrets(plan, url),
    }
}

/// The secrets of the environment that a text names.
fn secrets(plan: &Plan, text: &str) -> BTreeMap<String, SecretRef> {
    let all = plan.place().secrets.iter();
    all.filter(|(name, _)| names(text, name))
        .map(|(name, reference)| (name.clone(), reference.clone()))
        .collect()
}

/// What [`MATCHING`] has to know.
fn matching(lines: &Lines) -> Vec<(&'static str, String)> {
    let known: Vec<String> = LEVELS
        .iter()
        .map(|(word, rank)| format!("{word}={rank}"))
        .collect();
    let levels = BY_LEVEL.replace("@levels@", &known.join(" "));
    vec![
        ("BATON_BAD", lines.bad.clone()),
        ("BATON_TOTAL", lines.total.clone()),
        ("BATON_LEVELS", levels),
    ]
}

fn reading(
    plan: &Plan,
    host: &HostName,
    body: String,
    command: &str,
    given: Vec<(&str, String)>,
) -> Order {
    let mut env = variables(plan, host);
    let given = given.into_iter();
    env.extend(given.map(|(name, value)| (name.to_owned(), value)));
    Order {
        // Made anew for each reading.
        attempt: AttemptId::from(""),
        host: at(plan, host),
        fence: Fence {
            lang: "sh".to_owned(),
            body,
            line: 1,
        },
        env,
        secrets: secrets(plan, command),
        withheld: withheld(&plan.contract),
        timeout: TIMEOUT,
    }
}
