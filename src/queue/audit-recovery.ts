import { type Clock, type Duration, faultPoint, parseDuration, systemClock, timeId } from "../core/index.ts";
import type { NewOrder, OrderRecord, Store, StoredEvent } from "../store/index.ts";
import { invalid } from "./settings.ts";
import { isFinished } from "./states.ts";

/** What the audit trail says of one order inside the looked-at time. */
export interface AuditCase {
  /** The order as it stands now. */
  readonly order: OrderRecord;
  /** Its events inside the time, oldest first. */
  readonly events: readonly StoredEvent[];
}

export interface AuditRecoveryOptions {
  /** Look at what happened from here on: a date, milliseconds since the epoch, or a duration back from now (`"2h"`). */
  readonly since: Date | number | Extract<Duration, string>;
  readonly until?: Date | number;
  /** Which orders were affected. Default: those that stand as FAILED. */
  readonly match?: (found: AuditCase) => boolean;
  /** Only tells what would be done. Default false. */
  readonly dryRun?: boolean;
}

export interface RecoveredOrder {
  readonly id: string;
  readonly kind: string;
  /**
   * `resubmitted` (or would be, in a dry run); `already`: an earlier recovery did it; `unfinished`: it is still in
   * the queue and will run anyway.
   */
  readonly outcome: "resubmitted" | "already" | "unfinished";
  /** Id of the order that takes its place; null when none does, or in a dry run. */
  readonly newId: string | null;
}

export interface AuditRecovery {
  readonly dryRun: boolean;
  /** Events looked at. */
  readonly events: number;
  readonly orders: readonly RecoveredOrder[];
}

const pageSize = 5_000;

/**
 * Finds orders by what the audit trail says of them and submits each affected one again, as a new order with the
 * payload of its first submission. Exactly once: the new order's key is made of the old id and the event that
 * finished it, so a second recovery, or one that was cut off half-way, adds nothing twice.
 */
export async function recoverFromAudit(
  store: Store,
  options: AuditRecoveryOptions & { readonly queue?: string; readonly clock?: Clock },
): Promise<AuditRecovery> {
  const { clock = systemClock, dryRun = false, match = (found) => found.order.state === "FAILED" } = options;
  const queue = options.queue ?? "default";
  const found = await readTrail(store, since(options.since, clock), Number(options.until ?? Infinity));
  const orders: RecoveredOrder[] = [];
  for (const [id, events] of found.byOrder) {
    const order = await store.orders.get(id);
    if (order === undefined || order.queue !== queue || !match({ order, events })) continue;
    if (!isFinished(order.state)) {
      orders.push({ id, kind: order.kind, outcome: "unfinished", newId: null });
      continue;
    }
    orders.push(await resubmit(store, order, { dryRun, done: found.keys, clock }));
  }
  return { dryRun, events: found.events, orders };
}

async function resubmit(
  store: Store,
  order: OrderRecord,
  how: { readonly dryRun: boolean; readonly done: ReadonlySet<string>; readonly clock: Clock },
): Promise<RecoveredOrder> {
  const { id, kind } = order;
  const trail = await store.events.read({ stream: `order:${id}`, limit: 100_000 });
  const finishedBy = trail.findLast(({ type }) => type === "order.transition")?.seq ?? 0;
  const key = `recovered:${finishedBy}:${id}`;
  if (how.dryRun) {
    return { id, kind, outcome: how.done.has(key) ? "already" : "resubmitted", newId: null };
  }
  const first = trail.find(({ type }) => type === "order.submitted")?.data as NewOrder | undefined;
  const now = how.clock.now();
  const again: NewOrder = {
    id: timeId(now),
    queue: order.queue,
    kind,
    payload: first?.payload ?? order.payload,
    priority: order.priority,
    memory: order.memory,
    slots: order.slots,
    maxRetries: order.maxRetries,
    timeoutMs: order.timeoutMs,
    tenant: order.tenant,
    runAt: now,
    uniqueKey: key,
    createdAt: order.createdAt,
  };
  faultPoint("queue.audit-recovery.before-submit");
  const [stored] = await store.orders.submit([again], { at: now });
  faultPoint("queue.audit-recovery.after-submit");
  return {
    id,
    kind,
    outcome: stored?.fresh === true ? "resubmitted" : "already",
    newId: stored?.order.id ?? null,
  };
}

interface Trail {
  readonly events: number;
  readonly byOrder: ReadonlyMap<string, readonly StoredEvent[]>;
  /** Unique keys of everything submitted in the time. */
  readonly keys: ReadonlySet<string>;
}

async function readTrail(store: Store, from: number, until: number): Promise<Trail> {
  const byOrder = new Map<string, StoredEvent[]>();
  const keys = new Set<string>();
  let events = 0;
  for (let after = 0; ;) {
    const page = await store.events.read({ after, limit: pageSize });
    for (const event of page) {
      if (!event.stream.startsWith("order:") || event.at < from) continue;
      const key = event.type === "order.submitted" ? event.data["uniqueKey"] : null;
      if (typeof key === "string") keys.add(key);
      if (event.at > until) continue;
      events++;
      const id = event.stream.slice("order:".length);
      const known = byOrder.get(id);
      if (known === undefined) byOrder.set(id, [event]);
      else known.push(event);
    }
    if (page.length < pageSize) return { events, byOrder, keys };
    after = page.at(-1)?.seq ?? after;
  }
}

function since(value: AuditRecoveryOptions["since"], clock: Clock): number {
  const at = typeof value === "string" ? clock.now() - parseDuration(value) : Number(value);
  if (Number.isFinite(at)) return at;
  throw invalid("since", 'a date, milliseconds since the epoch, or a duration such as "2h"', value);
}
