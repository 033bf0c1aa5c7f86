-- The first shape of a ledger in SQLite. Once released, this file never changes;
-- a later shape is a further file.
--
-- application_id is "BATN" in ASCII. user_version is set by the program: it is the
-- number of the last of these files that was applied.
PRAGMA application_id = 0x4241544E;

-- AUTOINCREMENT makes SQLite keep the highest position ever given, so that a
-- missing end is noticed. `digest` is that of `bytes`; `handoff` and `run` repeat
-- what the bytes say, for people who look with other tools.
CREATE TABLE entries (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    handoff TEXT NOT NULL,
    run     TEXT,
    bytes   BLOB NOT NULL,
    digest  TEXT NOT NULL
) STRICT;

-- A run is folded from its own entries alone.
CREATE INDEX entries_of_run ON entries (run, seq) WHERE run IS NOT NULL;

-- A row stays after its lease ended, so that `epoch` only ever grows. `until` is an
-- RFC 3339 instant in UTC; it is null once the lease was given back.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch  INTEGER NOT NULL,
    until  TEXT
) STRICT;

CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

-- What can be computed again from the entries up to `seq`, whose digest is `head`.
-- `digest` is that of `bytes`.
CREATE TABLE caches (
    key    TEXT PRIMARY KEY,
    head   TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    bytes  BLOB NOT NULL,
    digest TEXT NOT NULL
) STRICT;
