//! The parts of the script for processes that run and names that are looked up.

use baton_core::parity::Collector;
use baton_core::parity::output::processes;

use crate::shell::ssh::quote;

/// Looks processes up by the kernel's name for them, of which it keeps 15
/// characters, or by a file with a number; of several, the oldest. What another
/// user's process holds may not be read, which is said and not passed over.
const PROCESS: &str = r#"
baton_oldest() {
  for baton_dir in /proc/[0-9]*; do
    if read -r baton_comm <"$baton_dir/comm" && [ "$baton_comm" = "$1" ]; then echo "${baton_dir#/proc/}"; fi
  done 2>/dev/null | sort -n
}
baton_process() {
  printf '%s\0' raw process "$1"
  case $2 in
    */*) baton_pids=$(head -n 1 "$2" 2>/dev/null | tr -cd 0-9);;
    *) baton_pids=$(baton_oldest "$(printf %.15s "$2")");;
  esac
  baton_pid=$(printf '%s\n' $baton_pids | head -n 1)
  if [ -z "$baton_pid" ] || [ ! -d "/proc/$baton_pid" ]; then printf 'running\tno\n\0'; return; fi
  printf 'running\tyes\n'
  printf 'count\t%s\n' "$(printf '%s\n' $baton_pids | wc -l | tr -d ' ')"
  printf 'user\t%s\n' "$(stat -c %U "/proc/$baton_pid" 2>/dev/null)"
  baton_text=$(readlink "/proc/$baton_pid/exe" 2>/dev/null) && printf 'exe\t%s\n' "$baton_text"
  baton_text=$(readlink "/proc/$baton_pid/cwd" 2>/dev/null) && printf 'cwd\t%s\n' "$baton_text"
  sed 's/^/limit	/' "/proc/$baton_pid/limits" 2>/dev/null | sed 1d
  if [ -r "/proc/$baton_pid/environ" ]; then
    tr '\n\000' ' \n' <"/proc/$baton_pid/environ" 2>/dev/null | sed 's/^/env	/'
    printf '\0'
  else
    printf '\0'; printf '%s\0' trouble process "the variables of $2: Permission denied"
  fi
}
if [ ! -d /proc/self ]; then printf '%s\0' trouble process 'the host has no /proc'; else
@PROCESSES@
fi
printf '%s\0' done process
"#;

/// The part for all processes; empty without one.
pub(super) fn process(collectors: &[Collector]) -> String {
    let asked = processes(collectors).enumerate();
    let lines: Vec<String> = asked
        .map(|(place, (name, _))| format!("baton_process {place} {}", quote(name)))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    PROCESS.replace("@PROCESSES@", &lines.join("\n"))
}

const DNS: &str = r#"
if command -v getent >/dev/null 2>&1; then
  if command -v timeout >/dev/null 2>&1; then baton_soon='timeout 3'; else baton_soon=; fi
  printf '%s\0' raw dns names
  for baton_name in @NAMES@; do
    baton_text=$($baton_soon getent ahosts "$baton_name" 2>/dev/null </dev/null | awk '!seen[$1]++ { printf "%s ", $1 }')
    printf '%s\t%s\n' "$baton_name" "$baton_text"
  done
  printf '\0'
else printf '%s\0' trouble dns 'the host has no getent'; fi
printf '%s\0' done dns
"#;

/// The part for all names; empty without one.
pub(super) fn dns(collectors: &[Collector]) -> String {
    let names = collectors.iter().filter_map(|collector| match collector {
        Collector::Dns { names } => Some(names),
        _ => None,
    });
    let names: Vec<String> = names.flatten().map(|name| quote(name)).collect();
    if names.is_empty() {
        return String::new();
    }
    DNS.replace("@NAMES@", &names.join(" "))
}
