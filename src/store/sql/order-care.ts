import { canonicalJson, type JsonObject } from "../../core/index.ts";
import type { OrderState, OrderStore, ScheduleRecord, WorkerRecord } from "../order-records.ts";
import { all, one, type Program, run } from "./program.ts";
import type { Sql } from "./write-context.ts";

/** A worker that was not seen for so long is forgotten. */
const forgottenAfter = 86_400_000;

/** What is kept about a queue beside the chain: leases, workers, schedules; and the end of old orders. */
export function sqlOrderCare(
  sql: Sql,
): Pick<
  OrderStore,
  | "renew"
  | "seen"
  | "gone"
  | "workers"
  | "setSchedule"
  | "schedules"
  | "advanceSchedule"
  | "prunable"
  | "prune"
> {
  return {
    renew: (held, leaseMs) => sql.write(({ now }) => renew(held, now, now + leaseMs)),
    seen: (worker) => sql.write(({ now }) => seen(worker, now)),
    gone: (worker) =>
      sql.write(function* () {
        yield* run("DELETE FROM queue_workers WHERE id = ?", worker);
      }),
    workers: (queue) => sql.read(() => workers(queue)),
    setSchedule: (queue, name, schedule) => sql.write(() => setSchedule(queue, name, schedule)),
    schedules: (queue) => sql.read(() => schedules(queue)),
    advanceSchedule: (queue, name, from, to) =>
      sql.write(function* () {
        const moved = yield* run(
          "UPDATE order_schedules SET next_at = ? WHERE queue = ? AND name = ? AND next_at = ?",
          to,
          queue,
          name,
          from,
        );
        return moved === 1;
      }),
    prunable: (queue, before) => sql.read(() => prunable(queue, before)),
    prune: (queue, before, limit) => sql.write(() => prune(queue, before, limit)),
  };
}

function* renew(
  held: readonly { readonly id: string; readonly fence: number }[],
  now: number,
  until: number,
): Program<readonly string[]> {
  const lost: string[] = [];
  for (const { id, fence } of held) {
    const renewed = yield* run(
      "UPDATE orders SET lease_until = ? WHERE id = ? AND fence = ? AND lease_until >= ?",
      until,
      id,
      fence,
      now,
    );
    if (renewed === 0) lost.push(id);
  }
  return lost;
}

function* seen(worker: Omit<WorkerRecord, "seenAt">, now: number): Program<void> {
  const { id, queue, kinds, tags, slots, memory, staggerMs, startedAt } = worker;
  yield* run(
    `INSERT INTO queue_workers (id, queue, kinds, tags, slots, memory, stagger_ms, started_at, seen_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET queue = excluded.queue, kinds = excluded.kinds, tags = excluded.tags,
     slots = excluded.slots, memory = excluded.memory, stagger_ms = excluded.stagger_ms,
     started_at = excluded.started_at, seen_at = excluded.seen_at`,
    id,
    queue,
    canonicalJson(kinds),
    canonicalJson(tags),
    slots,
    memory,
    staggerMs,
    startedAt,
    now,
  );
  yield* run("DELETE FROM queue_workers WHERE queue = ? AND seen_at < ?", queue, now - forgottenAfter);
}

function* workers(queue: string): Program<readonly WorkerRecord[]> {
  const found = yield* all<{
    readonly id: string;
    readonly kinds: string;
    readonly tags: string;
    readonly slots: number;
    readonly memory: number | null;
    readonly stagger_ms: number | null;
    readonly started_at: number;
    readonly seen_at: number;
  }>(
    `SELECT id, kinds, tags, slots, memory, stagger_ms, started_at, seen_at
     FROM queue_workers WHERE queue = ? ORDER BY id`,
    queue,
  );
  return found.map((row) => ({
    id: row.id,
    queue,
    kinds: JSON.parse(row.kinds) as readonly string[],
    tags: JSON.parse(row.tags) as readonly string[],
    slots: row.slots,
    memory: row.memory,
    staggerMs: row.stagger_ms,
    startedAt: row.started_at,
    seenAt: row.seen_at,
  }));
}

function* setSchedule(
  queue: string,
  name: string,
  schedule: Omit<ScheduleRecord, "queue" | "name"> | undefined,
): Program<void> {
  if (schedule === undefined) {
    yield* run("DELETE FROM order_schedules WHERE queue = ? AND name = ?", queue, name);
    return;
  }
  yield* run(
    `INSERT INTO order_schedules (queue, name, when_at, timezone, template, next_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (queue, name) DO UPDATE SET when_at = excluded.when_at, timezone = excluded.timezone,
     template = excluded.template, next_at = excluded.next_at`,
    queue,
    name,
    schedule.when,
    schedule.timezone,
    canonicalJson(schedule.order),
    schedule.nextAt,
  );
}

function* schedules(queue: string): Program<readonly ScheduleRecord[]> {
  const found = yield* all<{
    readonly name: string;
    readonly when_at: string;
    readonly timezone: string | null;
    readonly template: string;
    readonly next_at: number;
  }>(
    "SELECT name, when_at, timezone, template, next_at FROM order_schedules WHERE queue = ? ORDER BY name",
    queue,
  );
  return found.map((row) => ({
    name: row.name,
    queue,
    when: row.when_at,
    timezone: row.timezone,
    order: JSON.parse(row.template) as JsonObject,
    nextAt: row.next_at,
  }));
}

/** From an index alone: of a million 35 ms on SQLite, 0.3 s on PostgreSQL. */
function* prunable(queue: string, before: number): Program<number> {
  const found = yield* one<{ readonly n: number }>(
    "SELECT count(*) AS n FROM orders WHERE queue = ? AND ended_at IS NOT NULL AND ended_at < ?",
    queue,
    before,
  );
  return found?.n ?? 0;
}

/** Ended orders whose followers still have to be told stay. */
function* prune(queue: string, before: number, limit: number): Program<number> {
  const old = yield* all<{ readonly id: string; readonly state: OrderState }>(
    `SELECT id, state FROM orders WHERE queue = ? AND ended_at IS NOT NULL AND ended_at < ? AND followed = 0
     ORDER BY ended_at LIMIT ?`,
    queue,
    before,
    limit,
  );
  const gone = new Map<OrderState, number>();
  for (const { id, state } of old) {
    yield* run("DELETE FROM orders WHERE id = ?", id);
    gone.set(state, (gone.get(state) ?? 0) + 1);
  }
  for (const [state, n] of gone)
    yield* run("UPDATE order_counts SET n = n - ? WHERE queue = ? AND state = ?", n, queue, state);
  return old.length;
}
