import { faultPoint, hasCode, type JsonObject } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { type QueueContext, sendEvent } from "./context.ts";
import { decideCrash } from "./failure.ts";
import { isDeadWorker } from "./machine.ts";
import type { Orphan } from "./sandboxes/sandbox.ts";

/** Finds what still runs of an order; undefined when the provider that could look is not known (yet). */
export type FindOrphan = (order: OrderRecord) => { readonly orphan: Orphan | undefined } | undefined;

export interface RecoverySummary {
  /** Orders that go on, and orders that failed as poison. */
  readonly lost: number;
  readonly poisoned: number;
  readonly cancelled: number;
  /** Orders whose left-over processes were ended. */
  readonly orphansEnded: number;
  /** Orders held back because no provider can look for their work yet. */
  readonly waiting: number;
}

/** Orders looked at for dead workers in one go. */
const pageSize = 1_000;

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
  const summary = { lost: 0, poisoned: 0, cancelled: 0, orphansEnded: 0, waiting: 0 };
  const { store, settings } = context;
  const dead = await deadWorkers(context);
  const orphans = await store.orders.orphans(settings.name, settings.clock.now(), dead);
  await Promise.all(
    orphans
      .filter((order) => !here(order.id))
      .map(async (order) => {
        try {
          await recoverOne(context, order, find, summary);
        } catch (error) {
          // Somebody else was faster: the order is in good hands.
          if (!hasCode(error, "CUTOVER_LEASE_LOST")) throw error;
        }
      }),
  );
  return summary;
}

async function recoverOne(
  context: QueueContext,
  order: OrderRecord,
  find: FindOrphan,
  summary: { -readonly [key in keyof RecoverySummary]: number },
): Promise<void> {
  const { settings } = context;
  faultPoint("queue.recover.before");
  const looked = find(order);
  if (looked === undefined) {
    summary.waiting++;
    return;
  }
  if (looked.orphan !== undefined) {
    faultPoint("queue.recover.before-orphan-end");
    await looked.orphan.end(settings.graceMs);
    faultPoint("queue.recover.after-orphan-end");
    summary.orphansEnded++;
  }
  const now = settings.clock.now();
  const left =
    looked.orphan === undefined ? "" : `; its ${looked.orphan.description} still ran and was ended`;
  faultPoint("queue.recover.before-commit");
  if (order.cancelRequested) {
    const error = { code: "CUTOVER_ORDER_CANCELLED", message: `work order ${order.id} was cancelled` };
    await sendEvent(
      context,
      order,
      "cancelled",
      { endedAt: now, error, sandbox: null },
      `worker gone${left}`,
    );
    summary.cancelled++;
  } else {
    await lost(context, order, now, left, summary);
  }
  faultPoint("queue.recover.after-commit");
}

async function lost(
  context: QueueContext,
  order: OrderRecord,
  now: number,
  left: string,
  summary: { lost: number; poisoned: number },
): Promise<void> {
  const crashes = order.crashes + (order.state === "RUNNING" ? 1 : 0);
  const { event } = decideCrash(order.state, crashes, context.settings.poisonAfter);
  const details: JsonObject = { worker: order.worker, crashes };
  if (event === "poisoned") {
    const message = `work order ${order.id} was running ${crashes} times when its worker ended`;
    await sendEvent(
      context,
      order,
      event,
      {
        crashes,
        endedAt: now,
        sandbox: null,
        error: { code: "CUTOVER_ORDER_POISON", message, details },
      },
      `worker ${order.worker} is gone${left}`,
    );
    summary.poisoned++;
    return;
  }
  // The attempt that was begun is given back: it was not the work that failed.
  const attempt = order.attempt - (order.state === "RUNNING" ? 1 : 0);
  await sendEvent(
    context,
    order,
    event,
    { attempt, crashes, runAt: now, sandbox: null },
    `worker ${order.worker} is gone${left}`,
  );
  summary.lost++;
}

/** Names of workers that hold orders of this queue, ran on this machine and have ended. */
async function deadWorkers(context: QueueContext): Promise<readonly string[]> {
  const { store, settings, worker } = context;
  const names = new Set<string>();
  for (let after: string | undefined; ;) {
    const page = await store.orders.list({
      queue: settings.name,
      states: ["PREPARING", "RUNNING"],
      limit: pageSize,
      ...(after === undefined ? {} : { after }),
    });
    for (const order of page) if (order.worker !== null && order.worker !== worker) names.add(order.worker);
    after = page.at(-1)?.id;
    if (page.length < pageSize) break;
  }
  return [...names].filter(isDeadWorker);
}
