import { asError, faultPoint, hasCode } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { askedReason, cancelledText } from "./cancellation.ts";
import { type Guard, type QueueContext, sendOutside } from "./context.ts";
import { lostOrder } from "./lost-order.ts";
import { isDeadWorker } from "./machine.ts";
import type { Orphan } from "./sandboxes/sandbox.ts";
import { listWorkers } from "./worker-list.ts";

/** Finds what still runs of an order; undefined when the provider that could look is not known (yet). */
export type FindOrphan = (
  order: OrderRecord,
) => { readonly orphan: Orphan | undefined | Promise<Orphan | undefined> } | undefined;

export interface RecoverySummary {
  /** Orders that go on, and orders that failed as poison. */
  readonly lost: number;
  readonly poisoned: number;
  readonly cancelled: number;
  /** Orders whose left-over processes were ended. */
  readonly orphansEnded: number;
  /** Orders held back because no provider can look for their work yet, or end it. They are looked at again. */
  readonly waiting: number;
  /** Why one of them is held back, when its sandbox said so. */
  readonly waitingReason?: string;
}

/** What one look has found so far. */
type Tally = { -readonly [key in keyof RecoverySummary]: RecoverySummary[key] };

/** Why an order is taken from its worker. */
interface Reason {
  /** Of a worker whose process has ended the lease says nothing. */
  readonly guard: Guard;
  readonly note: string;
  /** It lives, and lost only its claim: nothing that it ran has taken it down. */
  readonly lives: boolean;
}

/** Orders taken up at the same time: each may have a program that must end first. */
const atOnce = 200;

/**
 * Takes up the orders whose worker is gone: of this machine at once when its process has ended, of others when
 * the lease is over. What still runs of them is ended first, so that no two attempts ever overlap.
 * @param here ids this process carries itself: its own late heartbeat is not a crash
 */
export async function recoverLost(
  context: QueueContext,
  find: FindOrphan,
  here: (id: string) => boolean,
): Promise<RecoverySummary> {
  const summary: Tally = { lost: 0, poisoned: 0, cancelled: 0, orphansEnded: 0, waiting: 0 };
  const { store, settings } = context;
  const dead = await deadWorkers(context);
  const found = await store.orders.orphans(settings.name, dead);
  const orphans = found.filter((order) => !here(order.id));
  let listed: Promise<ReadonlyMap<string, number>> | undefined;
  const reasonOf = async ({ worker, leaseUntil }: OrderRecord): Promise<Reason> => {
    const name = worker ?? "";
    if (dead.includes(name)) return { guard: {}, note: `worker ${name} is gone`, lives: false };
    listed ??= seenAt(context);
    const lives = name === context.worker || ((await listed).get(name) ?? 0) > (leaseUntil ?? 0);
    return { guard: { leaseOver: true }, note: `the lease of worker ${name} ran out`, lives };
  };
  for (let from = 0; from < orphans.length; from += atOnce) {
    await Promise.all(
      orphans.slice(from, from + atOnce).map(async (order) => {
        try {
          await recoverOne(context, order, await reasonOf(order), find, summary);
        } catch (error) {
          // Somebody else was faster: the order is in good hands. One whose end was asked for meanwhile waits for the next look.
          if (!hasCode(error, "CUTOVER_LEASE_LOST") && !hasCode(error, "CUTOVER_ORDER_CANCELLED"))
            throw error;
        }
      }),
    );
  }
  return summary;
}

async function recoverOne(
  context: QueueContext,
  order: OrderRecord,
  reason: Reason,
  find: FindOrphan,
  summary: Tally,
): Promise<void> {
  const { settings } = context;
  faultPoint("queue.recover.before");
  let orphan: Orphan | undefined;
  try {
    const looked = find(order);
    if (looked === undefined) {
      summary.waiting++;
      return;
    }
    orphan = await looked.orphan;
    if (orphan !== undefined) {
      faultPoint("queue.recover.before-orphan-end");
      await orphan.end(settings.graceMs);
      faultPoint("queue.recover.after-orphan-end");
      summary.orphansEnded++;
    }
  } catch (error) {
    // Whether anything of it still runs is not known: it waits for the next look, and holds up no other order.
    const { message } = asError(error);
    summary.waiting++;
    summary.waitingReason = message;
    settings.log.warn(`what a dead worker left of work order ${order.id} could not be ended yet`, {
      reason: message,
    });
    return;
  }
  const now = context.store.clock.now();
  const left = orphan === undefined ? "" : `; its ${orphan.description} still ran and was ended`;
  faultPoint("queue.recover.before-commit");
  if (order.cancelRequested) {
    const message = cancelledText(order.id, await askedReason(context, order.id));
    const error = { code: "CUTOVER_ORDER_CANCELLED", message };
    await sendOutside(
      context,
      order,
      "cancelled",
      { endedAt: now, error, sandbox: null },
      `${reason.note}${left}`,
      reason.guard,
    );
    summary.cancelled++;
  } else {
    const guard: Guard = { ...reason.guard, unlessCancelled: true };
    await lost(context, order, { ...reason, guard, note: `${reason.note}${left}` }, now, summary);
  }
  faultPoint("queue.recover.after-commit");
}

async function lost(
  context: QueueContext,
  order: OrderRecord,
  { guard, note, lives }: Reason,
  now: number,
  summary: Tally,
): Promise<void> {
  const { event, set } = lostOrder(order, !lives, context.settings.poisonAfter, now);
  await sendOutside(context, order, event, set, note, guard);
  if (event === "poisoned") summary.poisoned++;
  else summary.lost++;
}

/** When each worker has told last that it is there, by the store's clock. */
async function seenAt({ store, settings }: QueueContext): Promise<ReadonlyMap<string, number>> {
  const workers = await listWorkers(store, settings.name);
  return new Map(workers.map(({ id, seenAt: at }) => [id, at]));
}

/** Names of workers that hold orders of this queue, ran on this machine and have ended. */
export async function deadWorkers({ store, settings }: QueueContext): Promise<readonly string[]> {
  return (await store.orders.holders(settings.name)).filter(isDeadWorker);
}
