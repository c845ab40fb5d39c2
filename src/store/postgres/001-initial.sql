-- breaking: yes
-- The first schema. Times are milliseconds of the server's clock, sizes bytes, JSON columns canonical JSON text (never
-- jsonb: what is hashed and handed out again must be the same to the letter).

-- Append-only, hash-chained. `previous` is not stored: it is the hash of the row before, so it cannot be forged
-- apart from it.
CREATE TABLE events (
  seq    bigint PRIMARY KEY,
  at     bigint NOT NULL,
  stream text COLLATE "C"   NOT NULL,
  type   text COLLATE "C"   NOT NULL,
  data   text COLLATE "C"   NOT NULL,
  hash   bytea  NOT NULL
);
CREATE INDEX events_by_stream ON events (stream, seq);

-- The end of the chain, kept apart: rows cut off at the tail are missed here. Every writing transaction locks this row.
-- One row that is changed by every commit: room for its versions on the page, and a vacuum that never lets them pile up.
CREATE TABLE chain_head (
  id   integer PRIMARY KEY CHECK (id = 1),
  seq  bigint NOT NULL,
  hash bytea  NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_cost_delay = 0);
INSERT INTO chain_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are append-only: an event is never changed or removed' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE ON events
  FOR EACH ROW EXECUTE FUNCTION refuse_event_change();
CREATE TRIGGER events_are_never_emptied BEFORE TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();

-- Projections: computed from events alone. `seq` is the event that made the row.
CREATE TABLE runs (
  id         text COLLATE "C" PRIMARY KEY,
  seq        bigint  NOT NULL,
  migration  text COLLATE "C"    NOT NULL,
  hash       text COLLATE "C"    NOT NULL,
  source     text COLLATE "C"    NOT NULL,
  state      text COLLATE "C"    NOT NULL,
  reason     text COLLATE "C"    NOT NULL,
  created_at bigint  NOT NULL,
  owner      text COLLATE "C",
  fence      bigint  NOT NULL
);
CREATE TABLE run_graphs (
  run   text COLLATE "C" PRIMARY KEY,
  graph text COLLATE "C" NOT NULL
);
CREATE TABLE phases (
  run        text COLLATE "C"   NOT NULL,
  phase      text COLLATE "C"   NOT NULL,
  seq        bigint NOT NULL,
  state      text COLLATE "C"   NOT NULL,
  started_at bigint,
  ended_at   bigint,
  PRIMARY KEY (run, phase)
);
CREATE TABLE steps (
  run        text COLLATE "C"    NOT NULL,
  step       text COLLATE "C"    NOT NULL,
  seq        bigint  NOT NULL,
  phase      text COLLATE "C"    NOT NULL,
  state      text COLLATE "C"    NOT NULL,
  attempt    bigint  NOT NULL,
  checkpoint text COLLATE "C",
  result     text COLLATE "C",
  error      text COLLATE "C",
  started_at bigint,
  ended_at   bigint,
  PRIMARY KEY (run, step)
);
CREATE TABLE evidence (
  run   text COLLATE "C"   NOT NULL,
  id    text COLLATE "C"   NOT NULL,
  seq   bigint NOT NULL,
  name  text COLLATE "C"   NOT NULL,
  phase text COLLATE "C",
  step  text COLLATE "C",
  at    bigint NOT NULL,
  data  text COLLATE "C"   NOT NULL,
  PRIMARY KEY (run, id)
);
CREATE TABLE verdicts (
  seq      bigint PRIMARY KEY,
  run      text COLLATE "C"   NOT NULL,
  at       bigint NOT NULL,
  gate     text COLLATE "C"   NOT NULL,
  role     text COLLATE "C"   NOT NULL,
  phase    text COLLATE "C",
  step     text COLLATE "C",
  verdict  text COLLATE "C"   NOT NULL,
  reason   text COLLATE "C"   NOT NULL,
  figures  text COLLATE "C",
  evidence text COLLATE "C"   NOT NULL
);
CREATE INDEX verdicts_by_run ON verdicts (run, seq);
CREATE TABLE approvals (
  seq      bigint PRIMARY KEY,
  run      text COLLATE "C"    NOT NULL,
  phase    text COLLATE "C"    NOT NULL,
  approver text COLLATE "C"    NOT NULL,
  reason   text COLLATE "C"    NOT NULL,
  evidence text COLLATE "C"    NOT NULL,
  at       bigint  NOT NULL,
  lapsed   bigint  NOT NULL
);
CREATE INDEX approvals_by_run ON approvals (run, seq);
CREATE TABLE incidents (
  id        text COLLATE "C" PRIMARY KEY,
  seq       bigint NOT NULL,
  run       text COLLATE "C"   NOT NULL,
  cause     text COLLATE "C"   NOT NULL,
  summary   text COLLATE "C"   NOT NULL,
  seen      text COLLATE "C"   NOT NULL,
  opened_at bigint NOT NULL,
  closed_at bigint,
  outcome   text COLLATE "C",
  facts     text COLLATE "C"
);
CREATE INDEX incidents_by_run ON incidents (run, seq);
CREATE TABLE routes (
  route text COLLATE "C" PRIMARY KEY,
  stage text COLLATE "C"             NOT NULL,
  share double precision NOT NULL,
  epoch bigint           NOT NULL,
  salt  text COLLATE "C"             NOT NULL
);
CREATE TABLE route_changes (
  seq    bigint PRIMARY KEY,
  route  text COLLATE "C"   NOT NULL,
  at     bigint NOT NULL,
  change text COLLATE "C"   NOT NULL
);
CREATE INDEX route_changes_by_route ON route_changes (route, seq);

-- Not part of the chain, never rebuilt.
CREATE TABLE run_leases (
  run   text COLLATE "C" PRIMARY KEY,
  owner text COLLATE "C"    NOT NULL,
  fence bigint  NOT NULL,
  until bigint  NOT NULL
) WITH (fillfactor = 50);
-- `position`: the order in which they arrived. Numbers are given while the chain is locked, so in the order of commits.
CREATE TABLE intervals (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       text COLLATE "C"   NOT NULL UNIQUE,
  route    text COLLATE "C"   NOT NULL,
  to_at    bigint NOT NULL,
  data     text COLLATE "C"   NOT NULL
);
CREATE INDEX intervals_by_route ON intervals (route, to_at);
CREATE INDEX intervals_by_end ON intervals (to_at);
CREATE TABLE mismatches (
  id    text COLLATE "C" PRIMARY KEY,
  route text COLLATE "C"   NOT NULL,
  at    bigint NOT NULL,
  data  text COLLATE "C"   NOT NULL
);
CREATE INDEX mismatches_by_route ON mismatches (route, at, id);

CREATE TABLE orders (
  id               text COLLATE "C" PRIMARY KEY,
  queue            text COLLATE "C" NOT NULL,
  kind             text COLLATE "C" NOT NULL,
  state            text COLLATE "C" NOT NULL,
  payload          text COLLATE "C",
  priority         bigint  NOT NULL,
  memory           bigint  NOT NULL,
  slots            bigint  NOT NULL,
  tags             text COLLATE "C" NOT NULL,
  attempt          bigint  NOT NULL,
  max_retries      bigint  NOT NULL,
  timeout_ms       bigint  NOT NULL,
  tenant           text COLLATE "C" NOT NULL,
  limit_key        text COLLATE "C",
  unique_key       text COLLATE "C",
  unique_until     bigint,
  run_at           bigint  NOT NULL,
  created_at       bigint  NOT NULL,
  started_at       bigint,
  ended_at         bigint,
  worker           text COLLATE "C",
  fence            bigint  NOT NULL,
  lease_until      bigint,
  cancel_requested bigint  NOT NULL,
  -- What a PENDING order waits for: 'room', 'time', 'limit', 'orders'.
  waits            text COLLATE "C",
  blocked_by       bigint  NOT NULL,
  sandbox          text COLLATE "C",
  progress         text COLLATE "C",
  result           text COLLATE "C",
  error            text COLLATE "C",
  usage            text COLLATE "C",
  carrier          text COLLATE "C",
  crashes          bigint  NOT NULL,
  -- Not part of the record. `turn`: its place among the tenants of its priority. `due_at`: when its wait for a time is
  -- over. `trail`, `progressed_in`: positions of its events.
  size_class       bigint  NOT NULL,
  turn             bigint  NOT NULL,
  if_after_fails   text COLLATE "C" NOT NULL,
  followed         bigint  NOT NULL,
  due_at           bigint,
  trail            text COLLATE "C" NOT NULL,
  progressed_in    bigint
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05);
-- One partial index for each way of waiting, so that an order costs only the index of the way it is in.
-- What a claim reads: the head of each kind, tags and size class.
CREATE INDEX orders_ready ON orders (queue, kind, tags, size_class, priority DESC, turn, created_at, id)
  WHERE waits = 'room';
CREATE INDEX orders_due ON orders (queue, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX orders_in_line ON orders (queue, limit_key, waits, priority DESC, turn, created_at, id)
  WHERE limit_key IS NOT NULL AND waits IS NOT NULL;
-- The orders held are few.
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
  leader text COLLATE "C" NOT NULL,
  id     text COLLATE "C" NOT NULL,
  PRIMARY KEY (leader, id)
);
-- Orders submitted within other transactions: not in the chain before they are taken up.
CREATE TABLE order_inbox (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue    text COLLATE "C" NOT NULL,
  id       text COLLATE "C" NOT NULL,
  data     text COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX order_inbox_by_queue ON order_inbox (queue, position);
CREATE INDEX order_inbox_by_id ON order_inbox (id);
CREATE TABLE queue_configs (
  queue  text COLLATE "C" PRIMARY KEY,
  config text COLLATE "C" NOT NULL
);
-- Few rows that every commit changes: see `chain_head`.
CREATE TABLE order_counts (
  queue text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  n     bigint NOT NULL,
  PRIMARY KEY (queue, state)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_cost_delay = 0);
-- Fairness: last turn given to a tenant, and how far the turns have been served.
CREATE TABLE order_lanes (
  queue    text COLLATE "C" NOT NULL,
  priority bigint  NOT NULL,
  tenant   text COLLATE "C" NOT NULL,
  turn     bigint  NOT NULL,
  PRIMARY KEY (queue, priority, tenant)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX order_lanes_by_turn ON order_lanes (queue, priority, turn);
CREATE TABLE order_fronts (
  queue    text COLLATE "C" NOT NULL,
  priority bigint  NOT NULL,
  turn     bigint  NOT NULL,
  PRIMARY KEY (queue, priority)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_cost_delay = 0);
-- `admitted`: orders that wait for room, hold a claim, or wait for the key's next time. `arrival_at`: how far the rate
-- of the key is used up; no event tells it, so a rebuild carries it over.
CREATE TABLE order_limit_keys (
  queue      text COLLATE "C" NOT NULL,
  limit_key  text COLLATE "C" NOT NULL,
  admitted   bigint           NOT NULL,
  arrival_at double precision NOT NULL,
  PRIMARY KEY (queue, limit_key)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- Not part of the chain, never rebuilt.
CREATE TABLE queue_workers (
  id         text COLLATE "C" PRIMARY KEY,
  queue      text COLLATE "C" NOT NULL,
  kinds      text COLLATE "C" NOT NULL,
  tags       text COLLATE "C" NOT NULL,
  slots      bigint  NOT NULL,
  started_at bigint  NOT NULL,
  seen_at    bigint  NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX queue_workers_by_queue ON queue_workers (queue, id);
CREATE TABLE order_schedules (
  queue    text COLLATE "C" NOT NULL,
  name     text COLLATE "C" NOT NULL,
  when_at  text COLLATE "C" NOT NULL,
  timezone text COLLATE "C",
  template text COLLATE "C" NOT NULL,
  next_at  bigint NOT NULL,
  PRIMARY KEY (queue, name)
);
