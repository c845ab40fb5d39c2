import type { OrderStore, QueueConfig, WorkerRecord } from "../store/index.ts";
import type { QueueFacts } from "./findings.ts";
import { hasRoom } from "./worker-list.ts";

type Offer = Pick<WorkerRecord, "kinds" | "tags" | "slots" | "memory">;

/** A place of a limit key in which an order stands that no living worker takes. */
export interface HeldPlace {
  readonly limitKey: string;
  /** The best one of them, and how many there are among those that were looked at. */
  readonly order: string;
  readonly orders: number;
}

/** Keys whose lines are counted for one look, and orders that are counted of each: a long line costs no more than that. */
const keysCounted = 3;
const mostBehind = 1_000;

/** Pure: what no worker offers of what an order asks for: its kind, its tags beside the kind, or the room beside both. */
export function missingOffer(
  order: QueueFacts["waiting"][number],
  workers: readonly Offer[],
): { readonly missing: "kind" | "tags" | "room"; readonly offering: readonly Offer[] } | undefined {
  const takers = workers.filter(({ kinds }) => kinds.includes(order.kind));
  const offering = takers.filter((taker) => order.tags.every((tag) => taker.tags.includes(tag)));
  if (offering.some((taker) => hasRoom(taker, order))) return undefined;
  return { missing: takers.length === 0 ? "kind" : offering.length === 0 ? "tags" : "room", offering };
}

/** Whether a key has places at all: one that the queue has no limit for keeps nobody waiting. */
const isLimited = (limits: QueueConfig["limits"], limitKey: string): boolean =>
  Object.hasOwn(limits, limitKey) || Object.hasOwn(limits, "*");

/** Pure: places of limit keys in which orders stand that no living worker takes, so that others of the key wait behind them. */
export function heldPlaces({ workers, waiting, limits = {} }: QueueFacts): readonly HeldPlace[] {
  const found = new Map<string, HeldPlace>();
  for (const order of workers.length === 0 ? [] : waiting) {
    const { id = "", limitKey = null } = order;
    if (limitKey === null || !isLimited(limits, limitKey)) continue;
    if (missingOffer(order, workers) === undefined) continue;
    const before = found.get(limitKey) ?? { limitKey, order: id, orders: 0 };
    found.set(limitKey, { ...before, orders: before.orders + 1 });
  }
  return [...found.values()];
}

/** How many wait behind them, by limit key; of the first keys, and no further than `mostBehind`. */
export async function countBehind(
  orders: Pick<OrderStore, "behind">,
  queue: string,
  facts: QueueFacts,
): Promise<ReadonlyMap<string, number>> {
  const keys = heldPlaces(facts).slice(0, keysCounted);
  const counted = await Promise.all(
    keys.map(async ({ limitKey }) => [limitKey, await orders.behind(queue, limitKey, mostBehind)] as const),
  );
  return new Map(counted);
}

/** `12 wait`, or `at least 1,000 wait` where no more were counted. */
export const behindText = (behind: number): string =>
  behind >= mostBehind
    ? `at least ${mostBehind.toLocaleString("en")} wait`
    : `${behind} ${behind === 1 ? "waits" : "wait"}`;
