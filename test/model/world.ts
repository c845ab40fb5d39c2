import { isCutoverError } from "../../src/core/index.ts";
import type { MovedOrder } from "../../src/store/order-events.ts";
import type { OrderJob } from "../../src/store/orders/order-io.ts";
import type { OrderRow } from "../../src/store/orders/row.ts";

/** All of the system at one moment. Never changed in place. Time is a small whole number; a lease lasts two of them. */
export interface World {
  readonly now: number;
  readonly orders: readonly OrderRow[];
  readonly workers: readonly Worker[];
  /** For each order, what really happened to it. */
  readonly truth: readonly Truth[];
  /** A person who asked for the end of an order, and has not yet looked what came of it. */
  readonly person: OrderRow | undefined;
}

export interface Worker {
  readonly place: number;
  /** Which of its lives it lives: a process that crashed is another one when it comes again. */
  readonly life: number;
  readonly claim: Claim | undefined;
  /** When it told the others last that it is there. */
  readonly seenAt: number;
  /** Watches over its heartbeats; undefined where there is none. */
  readonly thread: Thread | undefined;
  /** An order it saw without a worker, and is about to take up. */
  readonly rescue: Found | undefined;
}

export interface Found extends Sight {
  /** Taken for its lease alone: its worker may still live. */
  readonly byLease: boolean;
  /** As the queue judges it: its worker lives, and lost only its claim. */
  readonly lives: boolean;
  /** Whether its worker had really told of itself since the lease ended, or is the one that takes it up. */
  readonly told: boolean;
}

/** The thread that watches over a worker's heartbeats, and what it shares with it. */
export interface Thread {
  /** All that its worker holds was claimed or renewed then, or later. */
  readonly beatAt: number;
  /** No lease of its worker can have ended before; undefined while it finds its worker beating. */
  readonly unbrokenUntil: number | undefined;
  /** When it began the renewal that it has not told of yet. */
  readonly askedAt: number | undefined;
  /** The newest renewal that it told of. */
  readonly renewedAt: number;
}

/** What a worker knows of the order it holds, right or wrong by now. */
export interface Claim extends Sight {
  /** It may act as the only one until then, as far as it knows by itself. */
  readonly until: number;
  /** Set once the work has ended and only its outcome has to be written. */
  readonly outcome: Outcome | undefined;
}

/** An order as it was when somebody looked, and which of its claims that was. */
export interface Sight {
  readonly order: OrderRow;
  readonly claims: number;
}

export type Outcome = "completed" | "fails" | "fails for good" | "released" | "cancelled";

/** What the record cannot be asked for, since it is to be judged by it. All since the order was last requeued, but for `claims`. */
export interface Truth {
  readonly claims: number;
  readonly failures: number;
  /** Rescues of it while it was RUNNING, but for those whose worker had told that it lives. */
  readonly crashes: number;
  readonly completions: number;
}

export const lease = 2;
export const poisonAfter = 2;
export const maxRetries = 1;

export const nameOf = ({ place, life }: Pick<Worker, "place" | "life">): string => `w${place}.${life}`;

/** True while a process of this name lives. */
export function lives(world: World, name: string): boolean {
  return world.workers.some((worker) => nameOf(worker) === name);
}

/** Whether the worker that holds an order has told of itself since its lease ended, or is the one who asks. */
export function hasTold({ workers }: World, { worker, leaseUntil }: OrderRow, asking: Worker): boolean {
  if (worker === nameOf(asking)) return true;
  const holder = workers.find((one) => nameOf(one) === worker);
  return holder !== undefined && leaseUntil !== null && holder.seenAt > leaseUntil;
}

/** Until when a worker believes that nobody else may have what it holds. */
export const believesUntil = ({ claim, thread }: Worker): number =>
  Math.max(claim?.until ?? 0, thread === undefined ? 0 : thread.renewedAt + lease);

/** A worker that begins its life. */
export const newWorker = (place: number, life: number, watched: boolean): Worker => ({
  place,
  life,
  claim: undefined,
  seenAt: -1,
  thread: watched
    ? { beatAt: 0, unbrokenUntil: undefined, askedAt: undefined, renewedAt: -lease }
    : undefined,
  rescue: undefined,
});

export interface Moved extends MovedOrder {
  readonly event: string;
}

/** The outcome of one call of the store. */
export interface Applied {
  readonly orders: readonly OrderRow[];
  /** Transitions it recorded. */
  readonly moved: readonly Moved[];
  /** Orders it returned. */
  readonly value: readonly OrderRow[];
  readonly refused: boolean;
  /** Refused because somebody had asked for the end of the order. */
  readonly unwanted?: boolean;
}

export type Apply = (orders: readonly OrderRow[], job: OrderJob, now: number) => Applied;

export function refusal(orders: readonly OrderRow[], error: unknown): Applied {
  if (!isCutoverError(error)) throw error;
  const unwanted = error.code === "CUTOVER_ORDER_CANCELLED";
  return { orders, moved: [], value: [], refused: true, ...(unwanted ? { unwanted } : {}) };
}

export function replaced<T>(list: readonly T[], index: number, item: T): readonly T[] {
  return list.map((old, at) => (at === index ? item : old));
}

/**
 * What the future depends on, and nothing else: times by how far away they are, fences and claims by whether they are
 * still the newest, lives by whether they are the present one. So time, claims and crashes may go on for ever.
 */
export function keyOf(world: World): string {
  const { now, orders, workers, truth, person } = world;
  const ahead = (at: number | null): number => (at === null ? -9 : Math.max(-1, at - now));
  const sight = ({ order, claims }: Sight): string => {
    const at = orders.findIndex(({ id }) => id === order.id);
    const row = orders[at];
    if (row?.fence !== order.fence || truth[at]?.claims !== claims) return `${at}old`;
    return `${at}${order.state}${order.attempt}.${order.crashes}${order.cancelRequested ? "c" : ""}`;
  };
  const places = orders.map((row, at) => {
    const real = truth[at];
    return [
      row.state,
      row.leaseUntil === null ? "" : lives(world, row.worker ?? "") ? "held" : "gone",
      row.attempt,
      row.crashes,
      ahead(row.leaseUntil),
      ahead(row.dueAt),
      row.cancelRequested ? "c" : "",
      row.waits,
      orders.filter(({ turn }) => turn < row.turn).length,
      real?.failures,
      real?.crashes,
      real?.completions,
    ].join(",");
  });
  // Sorted: workers differ in nothing but their names.
  const people = workers
    .map(({ place, life, claim, seenAt, thread, rescue }) =>
      [
        orders
          .map(({ leaseUntil, worker }) => {
            if (leaseUntil === null || worker !== nameOf({ place, life })) return "";
            return seenAt > leaseUntil ? "told" : "h";
          })
          .join("/"),
        claim === undefined ? "" : `${sight(claim)}~${ahead(claim.until)}~${claim.outcome ?? ""}`,
        thread === undefined ? "" : threadKey(thread, now),
        rescue === undefined
          ? ""
          : `${sight(rescue)}${rescue.byLease ? "l" : ""}${rescue.lives ? "v" : ""}${rescue.told ? "t" : ""}`,
      ].join(","),
    )
    .toSorted();
  const asked = person === undefined ? "" : sight({ order: person, claims: claimsOf(world, person.id) });
  return `${places.join("|")} ${people.join("|")} ${asked}`;
}

/** What lies so far back that nothing depends on how far is the same. */
function threadKey({ beatAt, unbrokenUntil, askedAt, renewedAt }: Thread, now: number): string {
  const since = (at: number): number => Math.min(lease, now - at);
  const unbroken = unbrokenUntil === undefined ? "" : Math.max(0, unbrokenUntil - now);
  return `${since(beatAt)}.${unbroken}.${askedAt === undefined ? "" : since(askedAt)}.${since(renewedAt)}`;
}

export const claimsOf = (world: World, id: string): number =>
  world.truth[world.orders.findIndex((row) => row.id === id)]?.claims ?? 0;
