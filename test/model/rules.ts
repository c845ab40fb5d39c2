import type { JsonObject } from "../../src/core/index.ts";
import { decideCrash } from "../../src/queue/failure.ts";
import type { OrderSet } from "../../src/store/order-records.ts";
import type { OrderRow } from "../../src/store/orders/row.ts";
import type { OrderEvent } from "../../src/queue/index.ts";
import { applyJob } from "./shelf.ts";
import {
  type Apply,
  type Claim,
  claimsOf,
  lives,
  poisonAfter,
  type Sight,
  type Worker,
  type World,
} from "./world.ts";

/** The decisions of the protocol that a mutant may take away. */
export interface Rules {
  /** Kinds that need no preparation: claimed and started in one commit. */
  readonly starts: boolean;
  readonly apply: Apply;
  readonly mayRenew: (world: World, worker: Worker, claim: Claim) => boolean;
  readonly mayRescue: (world: World, row: OrderRow) => boolean;
  /** Whether the store is to look at the lease again when it takes the rescue. */
  readonly byLease: (world: World, row: OrderRow) => boolean;
  /** What a rescuer has of the order it is about to take up. */
  readonly seen: (world: World, sight: Sight) => Sight;
  readonly rescue: (seen: OrderRow, now: number) => { readonly event: OrderEvent; readonly set: OrderSet };
}

const isHeld = ({ state }: OrderRow): boolean => state === "PREPARING" || state === "RUNNING";
const isOver = ({ leaseUntil }: OrderRow, now: number): boolean => leaseUntil !== null && leaseUntil < now;

/** What `OrderStore.renew` asks of the row. */
function mayRenew({ now, orders }: World, _: Worker, { order }: Claim): boolean {
  const row = orders.find(({ id }) => id === order.id);
  return row !== undefined && isHeld(row) && row.fence === order.fence && !isOver(row, now);
}

/** What `OrderStore.orphans` finds. */
function mayRescue(world: World, row: OrderRow): boolean {
  return isHeld(row) && (isOver(row, world.now) || (row.worker !== null && !lives(world, row.worker)));
}

/** What the queue's recovery tells the store: its worker is not known to be dead. */
function byLease(world: World, row: OrderRow): boolean {
  return row.worker !== null && lives(world, row.worker);
}

/** What the queue's recovery decides; the decision itself is the queue's own. */
function rescue(seen: OrderRow, now: number): ReturnType<Rules["rescue"]> {
  if (seen.cancelRequested)
    return { event: "cancelled", set: { endedAt: now, error: cancelled, sandbox: null } };
  const running = seen.state === "RUNNING" ? 1 : 0;
  const crashes = seen.crashes + running;
  const { event } = decideCrash(seen.state, crashes, poisonAfter);
  return event === "poisoned"
    ? { event, set: { crashes, endedAt: now, sandbox: null, error: poison } }
    : { event, set: { attempt: seen.attempt - running, crashes, runAt: now, sandbox: null } };
}

export const cancelled: { readonly code: string; readonly message: string } = {
  code: "CUTOVER_ORDER_CANCELLED",
  message: "",
};
const poison: { readonly code: string; readonly message: string; readonly details: JsonObject } = {
  code: "CUTOVER_ORDER_POISON",
  message: "",
  details: {},
};

export const rules: Rules = {
  starts: false,
  apply: applyJob,
  mayRenew,
  mayRescue,
  byLease,
  seen: (_, sight) => sight,
  rescue,
};

const now = (orders: readonly OrderRow[], id: string): OrderRow | undefined =>
  orders.find((row) => row.id === id);

const renewsLate: Rules["mayRenew"] = ({ orders }, _, { order }) => {
  const row = now(orders, order.id);
  return row !== undefined && isHeld(row) && row.fence === order.fence;
};

/** Either of these keeps two workers from holding one order, so taking one away does no harm. */
export const spareRules: Readonly<Record<string, Rules>> = {
  "a heartbeat is accepted after the lease is over": { ...rules, mayRenew: renewsLate },
  "a rescue does not look at the lease again": { ...rules, byLease: () => false },
};

/** Small variations of the rules. Each of them must be found out, or the model proves nothing. */
export const mutants: Readonly<Record<string, Rules>> = {
  "a write is looked at by its state alone, without the fence": {
    ...rules,
    apply: (orders, job, at) =>
      job.do !== "change"
        ? rules.apply(orders, job, at)
        : rules.apply(
            orders,
            {
              ...job,
              changes: job.changes.map((change) => ({
                ...change,
                fence: now(orders, change.id)?.fence ?? change.fence,
              })),
            },
            at,
          ),
  },
  "a heartbeat is accepted after the lease is over, and a rescue does not look at it again": {
    ...rules,
    mayRenew: renewsLate,
    byLease: () => false,
  },
  "a heartbeat is accepted without a look at the fence": {
    ...rules,
    mayRenew: (world, _, { order }) => {
      const row = now(world.orders, order.id);
      return row !== undefined && isHeld(row) && !isOver(row, world.now);
    },
  },
  "a rescue keeps the attempt that was begun": {
    ...rules,
    rescue(seen, at) {
      const { event, set } = rescue(seen, at);
      return { event, set: event === "lost" ? { ...set, attempt: seen.attempt } : set };
    },
  },
  "a rescue does not count the crash": {
    ...rules,
    rescue(seen, at) {
      const { event, set } = rescue({ ...seen, crashes: -1 }, at);
      return { event, set: { ...set, crashes: seen.crashes } };
    },
  },
  "a rescue does not wait for the end of the lease": {
    ...rules,
    mayRescue: (_, row) => isHeld(row),
    byLease: () => false,
  },
  "an order without a worker is found first and read later": {
    ...rules,
    seen: (world, { order }) => ({
      order: now(world.orders, order.id) ?? order,
      claims: claimsOf(world, order.id),
    }),
  },
  "a result that comes late is accepted": {
    ...rules,
    apply: (orders, job, at) =>
      job.do !== "change"
        ? rules.apply(orders, job, at)
        : rules.apply(
            orders,
            {
              ...job,
              changes: job.changes.map((change) => {
                const row = now(orders, change.id);
                const late = change.event === "completed" && row !== undefined;
                return late ? { ...change, fence: row.fence, from: [row.state] } : change;
              }),
            },
            at,
          ),
  },
  "a claim does not raise the fence": {
    ...rules,
    apply(orders, job, at) {
      const applied = rules.apply(orders, job, at);
      if (job.do !== "claim") return applied;
      const same = (row: OrderRow): OrderRow => ({ ...row, fence: 1 });
      return {
        ...applied,
        orders: applied.orders.map((row) =>
          applied.value.some(({ id }) => id === row.id) ? same(row) : row,
        ),
        value: applied.value.map(same),
      };
    },
  },
};
