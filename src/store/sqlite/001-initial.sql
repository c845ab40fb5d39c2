-- breaking: yes
-- The first schema. Times are wall-clock milliseconds, sizes bytes, JSON columns canonical JSON text.

-- Append-only, hash-chained. `previous` is not stored: it is the hash of the row before, so it cannot be forged
-- apart from it, and a row is 32 bytes smaller.
CREATE TABLE events (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  stream TEXT    NOT NULL,
  type   TEXT    NOT NULL,
  data   TEXT    NOT NULL,
  hash   BLOB    NOT NULL
);
CREATE INDEX events_by_stream ON events (stream, seq);

-- The end of the chain, kept apart: rows cut off at the tail are missed here.
CREATE TABLE chain_head (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  seq  INTEGER NOT NULL,
  hash BLOB    NOT NULL
);
INSERT INTO chain_head (id, seq, hash) VALUES (1, 0, zeroblob(32));

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only: an event is never changed'); END;
CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only: an event is never removed'); END;
-- INSERT OR REPLACE fires no DELETE trigger, so it is refused here.
CREATE TRIGGER events_are_added_at_the_end BEFORE INSERT ON events
WHEN NEW.seq <= (SELECT seq FROM chain_head)
BEGIN SELECT RAISE(ABORT, 'events are append-only: an event is added at the end'); END;

-- Projections: computed from events alone. `seq` is the event that made the row.
CREATE TABLE runs (
  id         TEXT PRIMARY KEY,
  seq        INTEGER NOT NULL,
  migration  TEXT    NOT NULL,
  hash       TEXT    NOT NULL,
  source     TEXT    NOT NULL,
  state      TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  owner      TEXT,
  fence      INTEGER NOT NULL
);
-- Apart from `runs`: a graph of 10,000 steps is a megabyte, and SQLite rewrites a whole row on every change.
CREATE TABLE run_graphs (
  run   TEXT PRIMARY KEY,
  graph TEXT NOT NULL
);
CREATE TABLE phases (
  run        TEXT NOT NULL,
  phase      TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  state      TEXT NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  PRIMARY KEY (run, phase)
);
-- Without row ids: the rows lie in the index of their key, so a transition writes one page less.
CREATE TABLE steps (
  run        TEXT NOT NULL,
  step       TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  phase      TEXT NOT NULL,
  state      TEXT NOT NULL,
  attempt    INTEGER NOT NULL,
  checkpoint TEXT,
  result     TEXT,
  error      TEXT,
  started_at INTEGER,
  ended_at   INTEGER,
  PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE TABLE evidence (
  run   TEXT NOT NULL,
  id    TEXT NOT NULL,
  seq   INTEGER NOT NULL,
  name  TEXT NOT NULL,
  phase TEXT,
  step  TEXT,
  at    INTEGER NOT NULL,
  data  TEXT NOT NULL,
  PRIMARY KEY (run, id)
);
CREATE TABLE verdicts (
  seq      INTEGER PRIMARY KEY,
  run      TEXT NOT NULL,
  at       INTEGER NOT NULL,
  gate     TEXT NOT NULL,
  role     TEXT NOT NULL,
  phase    TEXT,
  step     TEXT,
  verdict  TEXT NOT NULL,
  reason   TEXT NOT NULL,
  figures  TEXT,
  evidence TEXT NOT NULL
);
CREATE INDEX verdicts_by_run ON verdicts (run, seq);
CREATE TABLE approvals (
  seq      INTEGER PRIMARY KEY,
  run      TEXT NOT NULL,
  phase    TEXT NOT NULL,
  approver TEXT NOT NULL,
  reason   TEXT NOT NULL,
  evidence TEXT NOT NULL,
  at       INTEGER NOT NULL,
  lapsed   INTEGER NOT NULL
);
CREATE INDEX approvals_by_run ON approvals (run, seq);
CREATE TABLE incidents (
  id        TEXT PRIMARY KEY,
  seq       INTEGER NOT NULL,
  run       TEXT NOT NULL,
  cause     TEXT NOT NULL,
  summary   TEXT NOT NULL,
  seen      TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  outcome   TEXT,
  facts     TEXT
);
CREATE INDEX incidents_by_run ON incidents (run, seq);
CREATE TABLE routes (
  route TEXT PRIMARY KEY,
  stage TEXT NOT NULL,
  share REAL NOT NULL,
  epoch INTEGER NOT NULL,
  salt  TEXT NOT NULL
);
CREATE TABLE route_changes (
  seq    INTEGER PRIMARY KEY,
  route  TEXT NOT NULL,
  at     INTEGER NOT NULL,
  change TEXT NOT NULL
);
CREATE INDEX route_changes_by_route ON route_changes (route, seq);

CREATE TABLE orders (
  id               TEXT PRIMARY KEY,
  queue            TEXT NOT NULL,
  kind             TEXT NOT NULL,
  state            TEXT NOT NULL,
  payload          TEXT NOT NULL,
  priority         INTEGER NOT NULL,
  memory           INTEGER NOT NULL,
  slots            INTEGER NOT NULL,
  size_class       INTEGER NOT NULL,
  attempt          INTEGER NOT NULL,
  max_retries      INTEGER NOT NULL,
  timeout_ms       INTEGER NOT NULL,
  tenant           TEXT NOT NULL,
  unique_key       TEXT,
  run_at           INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  started_at       INTEGER,
  ended_at         INTEGER,
  worker           TEXT,
  fence            INTEGER NOT NULL,
  lease_until      INTEGER,
  cancel_requested INTEGER NOT NULL,
  sandbox          TEXT,
  progress         TEXT,
  result           TEXT,
  error            TEXT,
  crashes          INTEGER NOT NULL,
  -- Not part of the record. `ready`: a PENDING order whose time has come. `turn`: its place among the tenants of
  -- its priority (start-time fair queueing), given when it was submitted.
  ready            INTEGER NOT NULL,
  turn             INTEGER NOT NULL
);
CREATE UNIQUE INDEX orders_by_key ON orders (queue, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX orders_by_state ON orders (queue, state, id);
-- What a claim reads: the head of each kind and size class.
CREATE INDEX orders_ready ON orders (queue, kind, size_class, priority DESC, turn, created_at, id)
  WHERE ready = 1;
CREATE INDEX orders_due ON orders (queue, run_at)
  WHERE ready = 0 AND state IN ('PENDING', 'WAITING_RETRY');
CREATE INDEX orders_held ON orders (queue, lease_until) WHERE state IN ('PREPARING', 'RUNNING');

CREATE TABLE order_counts (
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  n     INTEGER NOT NULL,
  PRIMARY KEY (queue, state)
) WITHOUT ROWID;
-- Fairness: last turn given to a tenant, and how far the turns have been served.
CREATE TABLE order_lanes (
  queue    TEXT NOT NULL,
  priority INTEGER NOT NULL,
  tenant   TEXT NOT NULL,
  turn     INTEGER NOT NULL,
  PRIMARY KEY (queue, priority, tenant)
) WITHOUT ROWID;
CREATE INDEX order_lanes_by_turn ON order_lanes (queue, priority, turn);
CREATE TABLE order_fronts (
  queue    TEXT NOT NULL,
  priority INTEGER NOT NULL,
  turn     INTEGER NOT NULL,
  PRIMARY KEY (queue, priority)
) WITHOUT ROWID;

-- Not part of the chain, never rebuilt.
CREATE TABLE run_leases (
  run   TEXT PRIMARY KEY,
  owner TEXT    NOT NULL,
  fence INTEGER NOT NULL,
  until INTEGER NOT NULL
);
-- `position`: the order in which they arrived.
CREATE TABLE intervals (
  position INTEGER PRIMARY KEY,
  id       TEXT    NOT NULL UNIQUE,
  route    TEXT    NOT NULL,
  to_at    INTEGER NOT NULL,
  data     TEXT    NOT NULL
);
CREATE INDEX intervals_by_route ON intervals (route, to_at);
CREATE INDEX intervals_by_end ON intervals (to_at);
CREATE TABLE mismatches (
  id    TEXT PRIMARY KEY,
  route TEXT    NOT NULL,
  at    INTEGER NOT NULL,
  data  TEXT    NOT NULL
);
CREATE INDEX mismatches_by_route ON mismatches (route, at, id);
