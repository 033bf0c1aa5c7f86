//! The part of the script for SQLite databases.

use baton_core::parity::Collector;

use crate::collect::MIGRATIONS;
use crate::shell::ssh::quote;

/// Reads schemas without writing: `mode=ro` neither makes a file nor mends one.
/// Of the tables that are named it counts the rows, and sums up a digest of each,
/// so that their order is no matter.
const SQLITE_PYTHON: &str = r#"import hashlib,json,os,sqlite3,sys,urllib.parse
try:
  c=sqlite3.connect("file:"+urllib.parse.quote(os.path.abspath(sys.argv[1]))+"?mode=ro",uri=True)
  c.execute("select 1 from sqlite_master").fetchall()
except sqlite3.Error as e: sys.exit(str(e))
n=int(sys.argv[2])
for t in sys.argv[3:3+n]:
  try:
    k=s=0
    for r in c.execute('select * from "'+t.replace('"','""')+'"'):
      k+=1; s+=int.from_bytes(hashlib.sha256(repr(r).encode()).digest()[:8],"big")
    print(json.dumps(["data",t,str(k)])); print(json.dumps(["data",t,"%016x"%(s%2**64),"sum"]))
  except sqlite3.Error as e: print(e,file=sys.stderr)
for q in sys.argv[3+n:]:
  try:
    for r in c.execute(q): print(json.dumps([None if x is None else str(x) for x in r]))
  except sqlite3.Error: pass"#;

/// The part for all SQLite databases; empty without one. Python, which nearly
/// every host has, or SQLite's own shell.
pub(super) fn sqlite(collectors: &[Collector]) -> String {
    let paths = collectors.iter().filter_map(|collector| match collector {
        Collector::Sqlite { path, data } => Some((quote(path), data)),
        _ => None,
    });
    let paths: Vec<(String, &Vec<String>)> = paths.collect();
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
        .map(|(place, (path, data))| {
            let data: Vec<String> = data.iter().map(|table| quote(table)).collect();
            format!("baton_sqlite {place} {path} {}\n", data.join(" "))
        })
        .collect();
    format!(
        r#"
baton_sqlite() {{
  baton_text=; baton_place=$1; baton_db=$2; shift 2
  if [ ! -e "$baton_db" ]; then baton_text="there is no $baton_db"
  elif [ ! -r "$baton_db" ]; then baton_text="$baton_db: Permission denied"
  elif command -v python3 >/dev/null 2>&1; then
    printf '%s\0' raw sqlite "$baton_place"
    baton_text=$(python3 -c {python} "$baton_db" "$#" "$@" {queries} 2>&1 >&3 </dev/null)
    printf '\0'
  elif command -v sqlite3 >/dev/null 2>&1; then
    printf '%s\0' raw sqlite "$baton_place"
    baton_text=$(sqlite3 -readonly -batch "$baton_db" 'select 1 from sqlite_master limit 1' 2>&1 >/dev/null </dev/null)
    for baton_query in {queries_cli}; do
      sqlite3 -readonly -batch "$baton_db" "$baton_query" 2>/dev/null </dev/null
    done
    printf '\0'
    if [ "$#" -gt 0 ] && [ -z "$baton_text" ]; then baton_text='counting and summing up rows needs python3'; fi
  else baton_text='the host has neither python3 nor sqlite3'
  fi
  if [ -n "$baton_text" ]; then printf '%s\0' trouble sqlite "$baton_text"; fi
}}
{reads}printf '%s\0' done sqlite
"#,
        reads = reads.concat(),
    )
}
