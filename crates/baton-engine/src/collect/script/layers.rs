//! The parts of the script that read one layer each, with the tools that every
//! host has. Which of them speaks is told by the third field of a `raw` record;
//! `baton_core::parity::output` reads what they print.

use baton_core::parity::Collector;

use crate::shell::ssh::quote;

/// The part for a collector; empty for one that is no word alone.
pub(super) fn of(collector: &Collector) -> &'static str {
    match collector {
        Collector::Os => OS,
        Collector::Packages => PACKAGES,
        Collector::Runtimes => RUNTIMES,
        Collector::Sysctl => SYSCTL,
        Collector::Limits => LIMITS,
        Collector::Locale => LOCALE,
        Collector::Time => TIME,
        Collector::Users => USERS,
        Collector::Services => SERVICES,
        Collector::Listeners => LISTENERS,
        Collector::Mounts => MOUNTS,
        Collector::Resolver => RESOLVER,
        _ => "",
    }
}

const OS: &str = r#"
baton_text=$(cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null)
printf '%s\0' os-release "$baton_text" uname "$(uname -srm)" done os
"#;

const PACKAGES: &str = r#"
baton_none=1
if command -v dpkg-query >/dev/null 2>&1; then
  baton_none=; printf '%s\0' raw packages deb
  dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\n' 2>/dev/null | sed -n 's/^.i[^\t]*\t//p'
  printf '\0'; printf '%s\0' raw packages held "$(apt-mark showhold 2>/dev/null)"
fi
if command -v rpm >/dev/null 2>&1 && [ -n "$(rpm -qa 2>/dev/null | head -n 1)" ]; then
  baton_none=; printf '%s\0' raw packages rpm
  rpm -qa --qf '%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n' 2>/dev/null
  printf '\0'
fi
if command -v apk >/dev/null 2>&1; then
  baton_none=; printf '%s\0' raw packages apk "$(apk info -v 2>/dev/null)"
fi
if [ -n "$baton_none" ]; then printf '%s\0' absent packages; fi
printf '%s\0' done packages
"#;

const RUNTIMES: &str = r#"
printf '%s\0' raw runtimes versions
for baton_tool in python3 node ruby perl php rustc gcc openssl git sqlite3 curl; do
  command -v "$baton_tool" >/dev/null 2>&1 || continue
  case $baton_tool in openssl) baton_how=version;; perl) baton_how='-e print$^V';; *) baton_how=--version;; esac
  baton_text=$("$baton_tool" $baton_how 2>&1 </dev/null | head -n 1 | tr -d '\000\t')
  printf '%s\t%s\n' "$baton_tool" "$baton_text"
done
if command -v java >/dev/null 2>&1; then printf 'java\t%s\n' "$(java -version 2>&1 | head -n 1)"; fi
if command -v go >/dev/null 2>&1; then printf 'go\t%s\n' "$(go version 2>&1 | head -n 1)"; fi
if command -v ldd >/dev/null 2>&1; then printf 'libc\t%s\n' "$(ldd --version 2>&1 | head -n 1)"; fi
printf '\0'; printf '%s\0' done runtimes
"#;

const SYSCTL: &str = r#"
baton_sysctl=$(command -v sysctl || { [ -x /sbin/sysctl ] && echo /sbin/sysctl; })
if [ -n "$baton_sysctl" ]; then printf '%s\0' raw sysctl sysctl; "$baton_sysctl" -a 2>/dev/null | tr -d '\000'; printf '\0'
elif [ -d /proc/sys ]; then printf '%s\0' raw sysctl sysctl
  find /proc/sys -type f 2>/dev/null | while read -r baton_file; do
    baton_text=$(tr '\n\000' '  ' <"$baton_file" 2>/dev/null) || continue
    printf '%s = %s\n' "$(printf %s "${baton_file#/proc/sys/}" | tr / .)" "$baton_text"
  done; printf '\0'
else printf '%s\0' absent sysctl; fi
printf '%s\0' done sysctl
"#;

const LIMITS: &str = r#"
if [ -r /proc/self/limits ]; then printf '%s\0' raw limits limits "$(cat /proc/self/limits)"
else printf '%s\0' trouble limits 'the host has no /proc/self/limits'; fi
printf '%s\0' raw limits machine
printf 'cpus=%s\n' "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
sed -n 's/^MemTotal: *\([0-9]*\).*/memory_kib=\1/p; s/^SwapTotal: *\([0-9]*\).*/swap_kib=\1/p' /proc/meminfo 2>/dev/null
for baton_file in memory.max cpu.max pids.max; do
  if [ -r "/sys/fs/cgroup/$baton_file" ]; then printf 'cgroup/%s=%s\n' "$baton_file" "$(cat "/sys/fs/cgroup/$baton_file")"; fi
done
printf '\0'; printf '%s\0' done limits
"#;

const LOCALE: &str = r#"
printf '%s\0' raw locale pairs
if command -v locale >/dev/null 2>&1; then locale 2>/dev/null | tr -d '"'; else env | sed -n '/^LANG=/p;/^LC_[A-Z]*=/p'; fi
printf '\0'
if command -v locale >/dev/null 2>&1; then printf '%s\0' raw locale known "$(locale -a 2>/dev/null)"; fi
printf '%s\0' done locale
"#;

const TIME: &str = r#"
printf '%s\0' raw time pairs
baton_zone=$(readlink /etc/localtime 2>/dev/null); baton_zone=${baton_zone#*zoneinfo/}
if [ -z "$baton_zone" ]; then baton_zone=$(cat /etc/timezone 2>/dev/null); fi
printf 'zone=%s\n' "${TZ:-${baton_zone:-UTC}}"
printf 'offset=%s\n' "$(date +%z)"
sed -n 's/^# version \(.*\)/zoneinfo=\1/p' /usr/share/zoneinfo/tzdata.zi 2>/dev/null | head -n 1
printf 'clock=%s\n' "$(date +%s)"
printf '\0'; printf '%s\0' done time
"#;

const USERS: &str = r#"
if command -v getent >/dev/null 2>&1; then baton_who='getent'; else baton_who=''; fi
for baton_base in passwd group; do
  printf '%s\0' raw users "$baton_base"
  if [ -n "$baton_who" ]; then getent "$baton_base"; else cat "/etc/$baton_base"; fi | tr -d '\000'
  printf '\0'
done
printf '%s\0' done users
"#;

const SERVICES: &str = r#"
baton_none=1
if command -v systemctl >/dev/null 2>&1; then
  baton_text=$(systemctl list-unit-files --no-legend --no-pager 2>/dev/null)
  if [ -n "$baton_text" ]; then baton_none=; printf '%s\0' raw services units "$baton_text"; fi
fi
printf '%s\0' raw services cron
for baton_file in /etc/crontab /etc/cron.d/*; do
  [ -f "$baton_file" ] || continue
  baton_none=
  if [ -r "$baton_file" ]; then sed "s|^|$baton_file	|" "$baton_file" | tr -d '\000'; fi
done
if command -v crontab >/dev/null 2>&1; then crontab -l 2>/dev/null | sed 's|^|user	|'; fi
printf '\0'
for baton_file in /etc/crontab /etc/cron.d/*; do
  if [ -f "$baton_file" ] && [ ! -r "$baton_file" ]; then printf '%s\0' trouble services "$baton_file: Permission denied"; fi
done
if [ -n "$baton_none" ]; then printf '%s\0' absent services; fi
printf '%s\0' done services
"#;

const LISTENERS: &str = r#"
if [ -r /proc/net/tcp ]; then
  printf '%s\0' raw listeners tcp "$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)"
  printf '%s\0' raw listeners udp "$(cat /proc/net/udp /proc/net/udp6 2>/dev/null)"
else printf '%s\0' trouble listeners 'the host has no /proc/net/tcp'; fi
printf '%s\0' done listeners
"#;

const MOUNTS: &str = r#"
if [ -r /proc/self/mounts ]; then printf '%s\0' raw mounts mounts "$(cat /proc/self/mounts)"
else printf '%s\0' trouble mounts 'the host has no /proc/self/mounts'; fi
printf '%s\0' done mounts
"#;

const RESOLVER: &str = r#"
printf '%s\0' raw resolver conf "$(cat /etc/resolv.conf 2>/dev/null)"
printf '%s\0' raw resolver hosts "$(cat /etc/hosts 2>/dev/null)"
printf '%s\0' done resolver
"#;

/// Where tools for migrations note what they did, and how a row is told.
const MIGRATIONS: [(&str, &str); 8] = [
    ("schema_migrations", "version"),
    ("_sqlx_migrations", "version"),
    ("__diesel_schema_migrations", "version"),
    ("alembic_version", "version_num"),
    ("django_migrations", "app || '.' || name"),
    ("flyway_schema_history", "version"),
    ("knex_migrations", "name"),
    ("goose_db_version", "version_id"),
];

/// Reads schemas without writing: `mode=ro` neither makes a file nor mends one.
const SQLITE_PYTHON: &str = r#"import json,os,sqlite3,sys,urllib.parse
try:
  c=sqlite3.connect("file:"+urllib.parse.quote(os.path.abspath(sys.argv[1]))+"?mode=ro",uri=True)
  c.execute("select 1 from sqlite_master").fetchall()
except sqlite3.Error as e: sys.exit(str(e))
for q in sys.argv[2:]:
  try:
    for r in c.execute(q): print(json.dumps([None if x is None else str(x) for x in r]))
  except sqlite3.Error: pass"#;

/// The part for all SQLite databases; empty without one. Python, which nearly
/// every host has, or SQLite's own shell.
pub(super) fn sqlite(collectors: &[Collector]) -> String {
    let paths = collectors.iter().filter_map(|collector| match collector {
        Collector::Sqlite { path } => Some(quote(path)),
        _ => None,
    });
    let paths: Vec<String> = paths.collect();
    if paths.is_empty() {
        return String::new();
    }
    // The shell makes JSON of the columns itself, so that both print the same.
    let asked = |list: &dyn Fn(&str) -> String| -> String {
        let schema = "sqlite_master where name not like 'sqlite_%'";
        let mut queries = vec![format!("select {} from {schema}", list("type, name, sql"))];
        for of in [
            "user_version",
            "application_id",
            "encoding",
            "auto_vacuum",
            "journal_mode",
        ] {
            let columns = list(&format!("'pragma', '{of}', cast({of} as text)"));
            queries.push(format!("select {columns} from pragma_{of}"));
        }
        for (table, row) in MIGRATIONS {
            let columns = list(&format!("'migration', cast({row} as text), ''"));
            queries.push(format!("select {columns} from {table}"));
        }
        let queries: Vec<String> = queries.iter().map(|query| quote(query)).collect();
        queries.join(" ")
    };
    let queries = asked(&str::to_owned);
    let queries_cli = asked(&|columns| format!("json_array({columns})"));
    let python = quote(SQLITE_PYTHON);
    let reads: Vec<String> = paths
        .iter()
        .enumerate()
        .map(|(place, path)| format!("baton_sqlite {place} {path}\n"))
        .collect();
    format!(
        r#"
baton_sqlite() {{
  baton_text=
  if [ ! -e "$2" ]; then baton_text="there is no $2"
  elif [ ! -r "$2" ]; then baton_text="$2: Permission denied"
  elif command -v python3 >/dev/null 2>&1; then
    printf '%s\0' raw sqlite "$1"
    baton_text=$(python3 -c {python} "$2" {queries} 2>&1 >&3 </dev/null)
    printf '\0'
  elif command -v sqlite3 >/dev/null 2>&1; then
    printf '%s\0' raw sqlite "$1"
    baton_text=$(sqlite3 -readonly -batch "$2" 'select 1 from sqlite_master limit 1' 2>&1 >/dev/null </dev/null)
    for baton_query in {queries_cli}; do
      sqlite3 -readonly -batch "$2" "$baton_query" 2>/dev/null </dev/null
    done
    printf '\0'
  else baton_text='the host has neither python3 nor sqlite3'
  fi
  if [ -n "$baton_text" ]; then printf '%s\0' trouble sqlite "$baton_text"; fi
}}
{reads}printf '%s\0' done sqlite
"#,
        reads = reads.concat(),
    )
}
