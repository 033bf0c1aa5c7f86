//! Makes the script that reads a host. Its output is specified and read in
//! `baton_core::parity::output`.
//!
//! Promises that no value of a contract becomes part of the script but as one
//! quoted word. Its own variables start with `baton_`, so that they hide none
//! of a step's.

mod database;
mod layers;
mod refer;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use baton_core::parity::Collector;
use baton_core::parity::output::{
    FILES_MAX, JSON_MAX, PARSED_MAX, PARSED_SUM_MAX, commands, globs_of,
};

use crate::shell::ssh::quote;

/// The script for these collectors, in which these variables are set. Commands
/// come last: one that hangs costs the other layers nothing.
pub(super) fn script(collectors: &[Collector], vars: &BTreeMap<String, String>) -> String {
    let mut script = "exec 3>&1\n".to_owned();
    for collector in collectors {
        script.push_str(layers::of(collector));
    }
    script.push_str(&database::sqlite(collectors));
    script.push_str(&service::process(collectors));
    script.push_str(&service::dns(collectors));
    let globs: Vec<&String> = collectors.iter().flat_map(globs_of).collect();
    if !globs.is_empty() {
        script.push_str(&files(&globs));
    }
    if collectors.contains(&Collector::References) {
        let vars: Vec<&str> = vars
            .keys()
            .map(String::as_str)
            .filter(|name| refers(name))
            .collect();
        script.push_str(&refer::references(&vars, !globs.is_empty()));
    }
    let mut any = false;
    for (place, (_, run)) in commands(collectors).enumerate() {
        script.push_str(&command(place, run));
        any = true;
    }
    if any {
        script.push_str("printf '%s\\0' done command\n");
    }
    script
}

/// Whether the value of a variable may name something of the environment: not
/// where programs are, and no word of Baton's own.
fn refers(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let own = name == "PATH" || name == "HOST" || name.starts_with("BATON_");
    !own && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Runs one command with the descriptors of the output closed, so that only its
/// own words become its value. A NUL byte in them is dropped, as `$(...)` would.
fn command(place: usize, run: &str) -> String {
    let (run, most) = (quote(run), JSON_MAX + 1);
    format!(
        r#"
printf '%s\0' command {place}
baton_exit=$({{ {{ sh -ec {run} 3>&- 4>&-; echo "$?" >&4; }} | head -c {most} | tr -d '\000' >&3; }} 4>&1)
printf '\0%s\0' "$baton_exit"
"#
    )
}

/// Lists, hashes and describes the files that may fit the globs. `find` is told
/// a little more than they say, and the reader of the output tells exactly; it
/// does not enter folders that hold nothing asked for, nor symbolic links.
/// Names with a line break or a backslash would be ambiguous in the output of
/// `sha256sum` and are read one by one.
fn files(globs: &[&String]) -> String {
    let (mut folders, mut paths) = (BTreeSet::new(), BTreeSet::new());
    folders.insert(quote("."));
    for glob in globs {
        let glob = glob.strip_prefix("./").unwrap_or(glob);
        folders.extend(find_folders(glob).iter().map(|folder| quote(folder)));
        paths.insert(quote(&find_path(glob)));
    }
    let any = |paths: BTreeSet<String>| {
        let paths: Vec<String> = paths.into_iter().collect();
        format!(r"\( -path {} \)", paths.join(" -o -path "))
    };
    FILES
        .replace("@FOLDERS@", &any(folders))
        .replace("@PATHS@", &any(paths))
        .replace(
            "@ODD@",
            "\\( -path '*\\\\*' -o -path '*\n*' -o -path '*\r*' \\)",
        )
        .replace("@BLOCKS@", &(PARSED_MAX / 512 + 1).to_string())
        .replace("@SUM@", &PARSED_SUM_MAX.to_string())
        .replace("@MORE@", &(FILES_MAX + 1).to_string())
        .replace("@MOST@", &FILES_MAX.to_string())
}

const FILES: &str = r#"
baton_find() { LC_ALL=C find . -type d ! @FOLDERS@ -prune -o @PATHS@ "$@"; }
if command -v sha256sum >/dev/null 2>&1; then baton_sum=sha256sum
elif command -v shasum >/dev/null 2>&1; then baton_sum='shasum -a 256'
else baton_sum=false; printf '%s\0' trouble files 'the host has neither sha256sum nor shasum'
fi
if stat -c %a . >/dev/null 2>&1; then baton_mode='stat -c %a:%n'; else baton_mode='stat -f %Lp:%N'; fi
baton_count=$(baton_find \( -type f -o -type l \) -print 2>/dev/null | head -n @MORE@ | wc -l)
if [ "$baton_count" -gt @MOST@ ]; then
  printf '%s\0' trouble files 'more than @MOST@ files match'
else
  printf 'paths\0'
  baton_errors=$(baton_find -type f -print0 2>&1 >&3)
  printf '\0'
  if [ -n "$baton_errors" ]; then printf '%s\0' trouble files "$baton_errors"; fi
  printf 'hashes\0'; baton_find -type f ! @ODD@ -exec $baton_sum {} + ; printf '\0'
  printf 'modes\0'; baton_find -type f ! @ODD@ -exec $baton_mode {} + ; printf '\0'
  baton_conf() { baton_find -type f ! @ODD@ -size -@BLOCKS@ \( -name '*.json' -o -name '*.yaml' -o -name '*.yml' \
    -o -name '*.toml' -o -name '*.ini' -o -name '*.cfg' -o -name '*.properties' -o -name '*.xml' -o -name '*.env' \
    -o -name '.env.*' -o -name '*.lock' -o -name go.sum -o -name go.mod \) -exec "$@" {} + ; }
  if [ "$(baton_conf cat 2>/dev/null | wc -c)" -le @SUM@ ]; then
    baton_conf sh -c 'for f do printf "%s\0" conf "$f"; tr -d "\000" <"$f"; printf "\0"; done' sh
  fi
  baton_find -type f @ODD@ -exec sh -c 'mode=$1; shift; for f do
    printf "%s\0" odd "$f" "$($0 <"$f")" "$($mode "$f")"
  done' "$baton_sum" "$baton_mode" {} +
  baton_find -type l -exec sh -c 'for f do printf "%s\0" link "$f" "$(readlink "$f")"; done' sh {} +
fi
printf '%s\0' done files
"#;

/// Characters that stand for others in a glob.
const META: [char; 5] = ['*', '?', '[', '{', '\\'];

/// A pattern of `find -path`, where `*` crosses folders, that fits at least
/// what the glob fits. From the first bracket or brace on it fits everything.
fn find_path(glob: &str) -> String {
    let mut path = "./".to_owned();
    let mut rest = glob;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '[' | '{' => {
                path.push('*');
                break;
            }
            '*' if rest.starts_with("**/") => {
                path.push('*');
                3
            }
            '*' | '?' => {
                path.push('*');
                1
            }
            '\\' => {
                let escaped = rest.chars().nth(1);
                path.push('\\');
                path.push(escaped.unwrap_or('\\'));
                1 + escaped.map_or(0, char::len_utf8)
            }
            plain => {
                path.push(plain);
                plain.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    path
}

/// The folders `find` must enter: those above the glob's first character with a
/// meaning, and every one below.
fn find_folders(glob: &str) -> Vec<String> {
    let mut folders = Vec::new();
    let mut above = ".".to_owned();
    for part in glob.split('/') {
        if part.contains(META) {
            folders.push(format!("{above}/*"));
            break;
        }
        above = format!("{above}/{part}");
        folders.push(above.clone());
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_is_told_at_least_what_the_glob_says() {
        for (glob, path) in [
            ("config/**", "./config/**"),
            ("**/*.toml", "./**.toml"),
            ("a/**/b", "./a/*b"),
            ("app.toml", "./app.toml"),
            ("a?c", "./a*c"),
            (r"a\*b", r"./a\*b"),
            ("x/[ab]/c", "./x/*"),
            ("{a,b/c}.txt", "./*"),
        ] {
            assert_eq!(find_path(glob), path);
        }
    }

    #[test]
    fn find_enters_only_folders_that_may_hold_what_is_asked() {
        assert_eq!(find_folders("config/**"), ["./config", "./config/*"]);
        assert_eq!(find_folders("a/b/*.toml"), ["./a", "./a/b", "./a/b/*"]);
        assert_eq!(find_folders("app.toml"), ["./app.toml"]);
        assert_eq!(find_folders("**"), ["./*"]);
    }
}
