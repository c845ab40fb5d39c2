import { type Duration, faultPoint, timeId } from "../core/index.ts";
import type { NewOrder, OrderEntry, OrderRecord, Store } from "../store/index.ts";
import { type AuditTrail, countTrail, mostEntries, partOf, readTrail, unfinishedIn } from "./audit-trail.ts";
import { duration, invalid, onlyKnown, plainObject } from "./settings.ts";
import { isFinished } from "./states.ts";

/** What the audit trail says of one order inside the looked-at time. */
export interface AuditCase {
  /** The order as it stands now. */
  readonly order: OrderRecord;
  /** What happened to it inside the time, oldest first; `data` without payloads and results. */
  readonly events: readonly OrderEntry[];
}

export interface AuditRecoveryOptions {
  /** Look at what happened from here on: a date, milliseconds since the epoch, or a duration back from now (`"2h"`). */
  readonly since: Date | number | Extract<Duration, string>;
  readonly until?: Date | number;
  /** Which orders were affected. Default: those that stand as FAILED. One whose row is missing is told of in any case. */
  readonly match?: (found: AuditCase) => boolean;
  /** Only tells what would be done. Default false. */
  readonly dryRun?: boolean;
}

export interface RecoveredOrder {
  readonly id: string;
  readonly kind: string;
  /**
   * `resubmitted` (or would be, in a dry run); `already`: an earlier recovery did it; `unfinished`: it is still in
   * the queue and will run anyway; `missing`: it has not ended, and its row is gone, so that nobody will do it. Then
   * `cutover audit rebuild` (`Store.rebuild`) puts it back into the queue; submitted anew it would be done twice after that.
   */
  readonly outcome: "resubmitted" | "already" | "unfinished" | "missing";
  /** Id of the order that takes its place; null when none does, or in a dry run. */
  readonly newId: string | null;
}

export interface AuditRecovery {
  readonly dryRun: boolean;
  /** What was looked at: each thing that happened to each order. */
  readonly events: number;
  readonly orders: readonly RecoveredOrder[];
}

const keyPrefix = "recovered:";
/** Few enough that an order is not long read before it is acted on. */
const readAtOnce = 50;

/**
 * Finds orders by what the audit trail says of them and submits each affected one again, as a new order with the
 * payload of its first submission. Exactly once: the new order's key is made of the old id and the event that
 * finished it, so a second recovery, or one that was cut off half-way, adds nothing twice. Orders that were pruned
 * cannot be found any more; one that has not ended and has no row is reported as `missing`. The log is read in pages, in several passes when much happened in the time.
 */
export async function recoverFromAudit(
  store: Store,
  options: AuditRecoveryOptions & { readonly queue?: string },
): Promise<AuditRecovery> {
  onlyKnown(
    options,
    { since: true, until: true, match: true, dryRun: true, queue: true },
    "recoverFromAudit",
  );
  const { dryRun = false, match = (found) => found.order.state === "FAILED", queue = "default" } = options;
  if (typeof dryRun !== "boolean") throw invalid("dryRun", "true or false", dryRun);
  if (typeof match !== "function") throw invalid("match", "a function", match);
  const span = { queue, from: since(options.since, store), until: until(options.until) };
  if (span.until < span.from) throw invalid("until", "a time after since", options.until);
  const { events, keys } = await countTrail(store, span, keyPrefix);
  const parts = Math.max(1, Math.ceil(events / mostEntries));
  const orders: RecoveredOrder[] = [];
  for (let part = 0; part < parts; part++) {
    const trail = await readTrail(store, span, (id) => partOf(id, parts) === part);
    const gone = new Set<string>();
    for await (const [id, entries, order] of withOrders(store, trail.entries)) {
      if (order === undefined) gone.add(id);
      if (order === undefined || order.queue !== queue || !match({ order, events: entries })) continue;
      if (!isFinished(order.state)) {
        orders.push({ id, kind: order.kind, outcome: "unfinished", newId: null });
        continue;
      }
      const key = `${keyPrefix}${trail.lastTransition.get(id) ?? (await lastTransition(store, id))}:${id}`;
      orders.push(await resubmit(store, order, key, dryRun ? keys : undefined));
    }
    for (const [id, kind] of await unfinishedIn(store, queue, gone))
      orders.push({ id, kind, outcome: "missing", newId: null });
  }
  return { dryRun, events, orders };
}

/** The same of one queue, which its options do not name. */
export async function recoverOwn(
  store: Store,
  queue: string,
  options: AuditRecoveryOptions,
): Promise<AuditRecovery> {
  plainObject(options, "recoverFromAudit", "an object such as { since }");
  const { queue: other } = options as { readonly queue?: unknown };
  const remedy = "open the other queue, and ask that";
  if (other !== undefined) throw invalid("queue", `nothing: it is ${queue}, this one`, other, remedy);
  return recoverFromAudit(store, { ...options, queue });
}

type Told = readonly [id: string, entries: readonly OrderEntry[]];

/** What the trail tells of each order, and the order as it stands; a page of them is asked for at once. */
async function* withOrders(
  store: Store,
  trail: AuditTrail["entries"],
): AsyncGenerator<readonly [...Told, order: OrderRecord | undefined]> {
  const all: readonly Told[] = [...trail];
  for (let at = 0; at < all.length; at += readAtOnce) {
    const page = all.slice(at, at + readAtOnce);
    yield* await Promise.all(page.map(async (told) => [...told, await store.orders.get(told[0])] as const));
  }
}

/** For an order that finished before the time. */
async function lastTransition(store: Store, id: string): Promise<number> {
  const history = await store.orders.history(id);
  return history.findLast(({ from }) => from !== null)?.seq ?? 0;
}

/** @param dryRun the keys that are known, when nothing is to be stored */
async function resubmit(
  store: Store,
  order: OrderRecord,
  key: string,
  dryRun: ReadonlySet<string> | undefined,
): Promise<RecoveredOrder> {
  const { id, kind } = order;
  if (dryRun !== undefined)
    return { id, kind, outcome: dryRun.has(key) ? "already" : "resubmitted", newId: null };
  const now = store.clock.now();
  const again: NewOrder = {
    id: timeId(now),
    queue: order.queue,
    kind,
    payload: order.payload,
    priority: order.priority,
    memory: order.memory,
    slots: order.slots,
    tags: order.tags,
    maxRetries: order.maxRetries,
    timeoutMs: order.timeoutMs,
    tenant: order.tenant,
    limitKey: order.limitKey,
    runAt: now,
    uniqueKey: key,
    uniqueUntil: null,
    // What it waited for then has been decided.
    after: [],
    ifAfterFails: "run",
    createdAt: order.createdAt,
    carrier: order.carrier,
  };
  faultPoint("queue.audit-recovery.before-submit");
  const [stored] = await store.orders.submit([again]);
  faultPoint("queue.audit-recovery.after-submit");
  return {
    id,
    kind,
    outcome: stored?.fresh === true ? "resubmitted" : "already",
    newId: stored?.order.id ?? null,
  };
}

function since(value: AuditRecoveryOptions["since"], { clock }: Store): number {
  if (typeof value === "string") return clock.now() - duration(value, "since");
  if (value instanceof Date || typeof value === "number") if (Number.isFinite(+value)) return +value;
  throw invalid("since", 'a date, milliseconds since the epoch, or a duration such as "2h"', value);
}

function until(value: AuditRecoveryOptions["until"]): number {
  if (value === undefined) return Infinity;
  if (value instanceof Date || typeof value === "number") if (!Number.isNaN(+value)) return +value;
  throw invalid("until", "a date or milliseconds since the epoch", value);
}
