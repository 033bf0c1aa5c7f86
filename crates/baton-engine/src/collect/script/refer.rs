//! The part of the script that asks whether what configuration names is there.

use crate::shell::ssh::quote;

/// Most names that are looked for: enough for what people write, and no search.
const NAMES_MAX: usize = 400;

/// Finds, in text that people wrote, absolute paths below the usual folders,
/// hosts and ports of addresses, and ports of this host: `KIND \t WHAT \t FILE`.
/// A path or host with a placeholder in it is none, nor is the address of a
/// schema. The patterns are those of POSIX `awk`, of which `mawk` knows no counts;
/// a `{}` in them would be taken by `find`.
const FIND: &str = r##"
function emit(kind, what,   key) {
  key = kind "\t" what
  if (key in seen || n >= most) return
  seen[key] = 1; n++
  file = FILENAME == "" || FILENAME == "-" ? "the variables" : FILENAME
  sub(/^\.\//, "", file); gsub(/[\t\n]/, " ", file)
  printf "%s\t%s\t%s\n", kind, what, file
}
function place(text,   host, port) {
  if (text ~ /[$%}{<>*]/ || text ~ /^\[/) return
  host = text; port = ""
  if (match(text, /:[0-9]+$/)) { port = substr(text, RSTART + 1); host = substr(text, 1, RSTART - 1) }
  if (host == "localhost" || host ~ /^127\./) { if (port != "") emit("port", port); return }
  if (host ~ /^[A-Za-z0-9][A-Za-z0-9.-]*$/ && host ~ /[A-Za-z]/ && host !~ /\.$/) emit("host", host)
}
/^[ \t]*(#|;|\/\/|--|<!--)/ { next }
/xmlns|\$schema|@context|DOCTYPE/ { next }
{
  rest = $0
  while (match(rest, /[a-z][a-z0-9+.-]*:\/\/[^] \t"'`,;)>|\\]*/)) {
    url = substr(rest, RSTART, RLENGTH); before = substr(rest, 1, RSTART - 1)
    after = substr(rest, RSTART + RLENGTH)
    if (url ~ /^file:/) { sub(/^file:\/\//, "", url); rest = before " " url " " after; continue }
    rest = before " " after
    sub(/^[a-z][a-z0-9+.-]*:\/\//, "", url); sub(/[\/?#].*/, "", url); sub(/.*@/, "", url)
    place(url)
  }
  line = rest
  while (match(rest, /[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]+/)) {
    word = substr(rest, RSTART, RLENGTH)
    before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
    if (before !~ /[\/$@%{._]/ && (word ~ /^localhost:/ || word ~ /^127\./ || word ~ /\.[a-z][a-z]+:/)) place(word)
    rest = substr(rest, RSTART + RLENGTH)
  }
  rest = line
  while (match(rest, /\/(etc|var|srv|opt|usr|run|tmp|mnt|root|lib|dev|home)(\/[A-Za-z0-9_.+@-]+)+/)) {
    path = substr(rest, RSTART, RLENGTH)
    before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
    rest = substr(rest, RSTART + RLENGTH)
    after = substr(rest, 1, 1); if (after == "/") after = substr(rest, 2, 1)
    sub(/\.$/, "", path)
    if (before !~ /[A-Za-z0-9_.\/$}~>*%-]/ && after !~ /[[*$%{<?]/) emit("path", path)
  }
}"##;

const ASK: &str = r#"
baton_there() {
  if [ -e "$1" ] || [ -L "$1" ]; then echo there; return; fi
  baton_above=${1%/*}
  while [ -n "$baton_above" ] && [ ! -e "$baton_above" ]; do baton_above=${baton_above%/*}; done
  if [ -z "$baton_above" ] || [ -x "$baton_above" ]; then echo 'nothing there'; else echo 'may not be seen'; fi
}
baton_known() {
  if ! command -v getent >/dev/null 2>&1; then echo 'may not be seen'
  elif $baton_soon getent ahosts "$1" >/dev/null 2>&1; then echo resolves
  else echo 'not known'; fi
}
baton_heard() {
  if [ ! -r /proc/net/tcp ]; then echo 'may not be seen'
  elif cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A"; then echo listens
  else echo 'nobody listens'; fi
}
if command -v timeout >/dev/null 2>&1; then baton_soon='timeout 2'; else baton_soon=; fi
printf '%s\0' raw references found
{
@VARIABLES@
@FILES@
} | awk '!seen[$1 "\t" $2]++' | head -n @MOST@ | while IFS='	' read -r baton_kind baton_what baton_from; do
  case $baton_kind in
    path) baton_text=$(baton_there "$baton_what");;
    host) baton_text=$(baton_known "$baton_what" </dev/null);;
    port) baton_text=$(baton_heard "$baton_what");;
  esac
  printf '%s\t%s\t%s\t%s\n' "$baton_kind" "$baton_what" "$baton_text" "$baton_from"
done
printf '\0'
printf '%s\0' done references
"#;

/// The part, for the step's variables of these names and, when files are asked
/// for, those of them that hold configuration.
pub(super) fn references(vars: &[&str], files: bool) -> String {
    let find = format!("awk -v most={NAMES_MAX} {}", quote(FIND));
    let values: Vec<String> = vars.iter().map(|name| format!("\"${name}\"")).collect();
    let variables = if values.is_empty() {
        ":".to_owned()
    } else {
        format!("printf '%s\\n' {} | {find}", values.join(" "))
    };
    let files = if files {
        format!("baton_conf {find} 2>/dev/null")
    } else {
        ":".to_owned()
    };
    ASK.replace("@VARIABLES@", &variables)
        .replace("@FILES@", &files)
        .replace("@MOST@", &NAMES_MAX.to_string())
}
