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
  -- JSON null is NULL.
  payload          TEXT,
  priority         INTEGER NOT NULL,
  memory           INTEGER NOT NULL,
  slots            INTEGER NOT NULL,
  tags             TEXT NOT NULL,
  attempt          INTEGER NOT NULL,
  max_retries      INTEGER NOT NULL,
  timeout_ms       INTEGER NOT NULL,
  tenant           TEXT NOT NULL,
  limit_key        TEXT,
  unique_key       TEXT,
  unique_until     INTEGER,
  run_at           INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  started_at       INTEGER,
  ended_at         INTEGER,
  worker           TEXT,
  fence            INTEGER NOT NULL,
  lease_until      INTEGER,
  cancel_requested INTEGER NOT NULL,
  -- What a PENDING order waits for: 'room', 'time', 'limit', 'orders'.
  waits            TEXT,
  blocked_by       INTEGER NOT NULL,
  sandbox          TEXT,
  progress         TEXT,
  result           TEXT,
  error            TEXT,
  usage            TEXT,
  carrier          TEXT,
  crashes          INTEGER NOT NULL,
  -- Not part of the record. `turn`: its place among the tenants of its priority. `due_at`: when its wait for a time is
  -- over. `trail`, `progressed_in`: positions of its events.
  size_class       INTEGER NOT NULL,
  turn             INTEGER NOT NULL,
  if_after_fails   TEXT NOT NULL,
  followed         INTEGER NOT NULL,
  due_at           INTEGER,
  trail            TEXT NOT NULL,
  progressed_in    INTEGER
);
-- One partial index for each way of waiting, so that an order costs only the index of the way it is in.
-- What a claim reads: the head of each kind, tags and size class.
CREATE INDEX orders_ready ON orders (queue, kind, tags, size_class, priority DESC, turn, created_at, id)
  WHERE waits = 'room';
CREATE INDEX orders_due ON orders (queue, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX orders_in_line ON orders (queue, limit_key, waits, priority DESC, turn, created_at, id)
  WHERE limit_key IS NOT NULL AND waits IS NOT NULL;
-- Without the lease's end, which every renewal moves: the orders held are few.
CREATE INDEX orders_held ON orders (queue, worker) WHERE lease_until IS NOT NULL;
CREATE INDEX orders_retrying ON orders (queue, id) WHERE state = 'WAITING_RETRY';
CREATE UNIQUE INDEX orders_by_key ON orders (queue, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX orders_waiting ON orders (queue, id) WHERE waits IS NOT NULL;
CREATE INDEX orders_ended ON orders (queue, state, id) WHERE ended_at IS NOT NULL;
CREATE INDEX orders_by_end ON orders (queue, ended_at) WHERE ended_at IS NOT NULL;
-- Ended orders whose followers were too many to be told in one commit.
CREATE INDEX orders_untold ON orders (queue, id) WHERE followed = 1 AND ended_at IS NOT NULL;

-- `id` waits for `leader`.
CREATE TABLE order_links (
  leader TEXT NOT NULL,
  id     TEXT NOT NULL,
  PRIMARY KEY (leader, id)
) WITHOUT ROWID;
-- Orders submitted within other transactions: not in the chain before they are taken up.
CREATE TABLE order_inbox (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  queue    TEXT NOT NULL,
  id       TEXT NOT NULL,
  data     TEXT NOT NULL
);
CREATE INDEX order_inbox_by_queue ON order_inbox (queue, position);
CREATE INDEX order_inbox_by_id ON order_inbox (id);
CREATE TABLE queue_configs (
  queue  TEXT PRIMARY KEY,
  config TEXT NOT NULL
);
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
-- `admitted`: orders that wait for room, hold a claim, or wait for the key's next time. `arrival_at`: how far the rate
-- of the key is used up; no event tells it, so a rebuild carries it over.
CREATE TABLE order_limit_keys (
  queue      TEXT NOT NULL,
  limit_key  TEXT NOT NULL,
  admitted   INTEGER NOT NULL,
  arrival_at REAL NOT NULL,
  PRIMARY KEY (queue, limit_key)
) WITHOUT ROWID;

-- Not part of the chain, never rebuilt.
CREATE TABLE queue_workers (
  id         TEXT PRIMARY KEY,
  queue      TEXT NOT NULL,
  kinds      TEXT NOT NULL,
  tags       TEXT NOT NULL,
  slots      INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL
);
CREATE INDEX queue_workers_by_queue ON queue_workers (queue, id);
CREATE TABLE order_schedules (
  queue    TEXT NOT NULL,
  name     TEXT NOT NULL,
  when_at  TEXT NOT NULL,
  timezone TEXT,
  template TEXT NOT NULL,
  next_at  INTEGER NOT NULL,
  PRIMARY KEY (queue, name)
);
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
