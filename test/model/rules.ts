import { lostOrder } from "../../src/queue/lost-order.ts";
import type { OrderSet } from "../../src/store/order-records.ts";
import type { OrderRow } from "../../src/store/orders/row.ts";
import type { OrderEvent } from "../../src/queue/index.ts";
import { applyJob } from "./shelf.ts";
import { type ThreadRules, watching } from "./thread.ts";
import {
  type Apply,
  type Claim,
  claimsOf,
  hasTold,
  lease,
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
  readonly rescue: (seen: OrderRow, now: number, lives: boolean) => Decided;
  /** Whether its worker is taken for one that lives and lost only its claim. */
  readonly lives: (world: World, row: OrderRow, rescuer: Worker) => boolean;
  /** Whether the store is to refuse what was decided when the end of the order was asked for meanwhile. */
  readonly wanted: (by: "worker" | "rescue") => boolean;
  readonly thread: ThreadRules;
}

interface Decided {
  readonly event: OrderEvent;
  readonly set: OrderSet;
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

/** What the queue's recovery reads from the list of workers: it told of itself since its lease ended. */
function livesOn(world: World, row: OrderRow, rescuer: Worker): boolean {
  return byLease(world, row) && hasTold(world, row, rescuer);
}

/** What the queue's recovery decides; the decision itself is the queue's own. */
function rescue(seen: OrderRow, now: number, lives: boolean): ReturnType<Rules["rescue"]> {
  if (seen.cancelRequested)
    return { event: "cancelled", set: { endedAt: now, error: cancelled, sandbox: null } };
  return lostOrder(seen, !lives, poisonAfter, now);
}

export const cancelled: { readonly code: string; readonly message: string } = {
  code: "CUTOVER_ORDER_CANCELLED",
  message: "",
};
export const rules: Rules = {
  starts: false,
  apply: applyJob,
  mayRenew,
  mayRescue,
  byLease,
  lives: livesOn,
  wanted: () => true,
  seen: (_, sight) => sight,
  rescue,
  thread: watching,
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
  "a rescue does not look at the lease again": { ...rules, byLease: () => false, lives: livesOn },
  "the thread renews a lease that is over": { ...rules, thread: { ...watching, mayRenew: () => true } },
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
    rescue(seen, at, alive) {
      const { event, set } = rescue(seen, at, alive);
      return { event, set: event === "lost" ? { ...set, attempt: seen.attempt } : set };
    },
  },
  "a rescue does not count the crash": {
    ...rules,
    rescue: (seen, at) => rescue(seen, at, true),
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
  "a worker that has told that it lives is blamed": { ...rules, lives: () => false },
  "a worker that may have died is not blamed": { ...rules, lives: byLease },
  "an outcome is taken although the end of the order was asked for": {
    ...rules,
    wanted: (by) => by !== "worker",
  },
  "a rescue goes on with an order whose end was asked for meanwhile": {
    ...rules,
    wanted: (by) => by !== "rescue",
  },
  "the thread tells of a renewal although a lease may have ended before it": {
    ...rules,
    thread: { ...watching, mayTell: () => true },
  },
  "the thread reckons from when it found its worker silent": {
    ...rules,
    thread: { ...watching, unbroken: (_, at) => at + lease },
  },
};
