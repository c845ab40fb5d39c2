import { formatDuration } from "../core/index.ts";
import type { OrderCounts, OrderRecord, QueueConfig, WorkerRecord } from "../store/index.ts";
import { formatSize } from "./size.ts";
import { hasRoom } from "./worker-list.ts";

/** What stands in the way of a queue as a whole. `code` is stable, `message` for people. */
export interface QueueFinding {
  readonly code: "no-worker" | "paused" | "unserved" | "tags" | "room" | "limit" | "age" | "failed";
  /** `critical`: nothing is started. */
  readonly level: "warning" | "critical";
  readonly message: string;
}

/** Waiting orders to look at for what nobody offers. */
export const headOfQueue = 200;
export const defaultAgeLimitMs = 600_000;

export interface QueueFacts {
  readonly counts: OrderCounts;
  readonly paused: boolean;
  /** How long the order that waits longest for room has waited; null when none waits. */
  readonly ageMs: number | null;
  /** How long an order may wait for room; ten minutes where the queue was not told otherwise. */
  readonly ageLimitMs?: number;
  /** Workers that were seen of late. */
  readonly workers: readonly Pick<WorkerRecord, "kinds" | "tags" | "slots" | "memory">[];
  /** The best waiting orders. */
  readonly waiting: readonly (Pick<OrderRecord, "kind" | "tags" | "slots" | "memory"> &
    Partial<Pick<OrderRecord, "id" | "limitKey">>)[];
  /** Default none. */
  readonly limits?: QueueConfig["limits"];
}

/**
 * Pure: what the record of a queue means, worst first. `health()` and `cutover queue stats` both say this, so that what is
 * wrong for one is wrong for the other.
 */
export function queueFindings(facts: QueueFacts): readonly QueueFinding[] {
  const { counts, ageMs, ageLimitMs = defaultAgeLimitMs, workers } = facts;
  const findings: QueueFinding[] = [];
  const warn = (code: QueueFinding["code"], message: string): void =>
    void findings.push({ level: "warning", code, message });
  if (counts.PENDING > 0 && workers.length === 0)
    findings.push({
      level: "critical",
      code: "no-worker",
      message: `${counts.PENDING} ${counts.PENDING === 1 ? "order waits" : "orders wait"} and no worker is there`,
    });
  if (facts.paused) warn("paused", "paused: no worker starts anything");
  if (workers.length > 0) {
    const { unserved, tags, room, stopped } = untaken(facts);
    if (unserved.size > 0) warn("unserved", `no living worker takes ${some(unserved)}`);
    if (tags.size > 0) warn("tags", `no living worker takes ${some(tags)}`);
    if (room.size > 0) warn("room", `no living worker has room for ${some(room)}`);
    if (stopped.size > 0)
      warn("limit", `what no living worker takes holds places of limit keys: ${some(stopped)}`);
  }
  if (ageMs !== null && ageMs >= ageLimitMs)
    warn("age", `the oldest order has waited ${formatDuration(ageMs)} for room`);
  if (counts.FAILED > 0)
    warn("failed", `${counts.FAILED} failed and ${counts.FAILED === 1 ? "waits" : "wait"} for a person`);
  return findings;
}

/**
 * Kinds that no worker takes, kinds with tags that no worker of the kind offers together, kinds with more slots or memory than
 * any of those has, and limit keys in whose places such orders stand: one that waits for a worker counts against its limit, so
 * others of the key wait behind it.
 */
function untaken({
  workers,
  waiting,
  limits = {},
}: QueueFacts): Record<"unserved" | "tags" | "room" | "stopped", ReadonlySet<string>> {
  const unserved = new Set<string>();
  const missing = new Set<string>();
  const large = new Set<string>();
  const stopped = new Set<string>();
  for (const order of waiting) {
    const { kind, tags, limitKey = null, id = "" } = order;
    const takers = workers.filter(({ kinds }) => kinds.includes(kind));
    const offering = takers.filter((taker) => tags.every((tag) => taker.tags.includes(tag)));
    if (offering.some((taker) => hasRoom(taker, order))) continue;
    if (takers.length === 0) unserved.add(kind);
    else if (offering.length === 0) missing.add(`${kind} with ${tags.join(" + ")}`);
    else large.add(`${kind} (${asked(order, offering)})`);
    if (limitKey !== null && (Object.hasOwn(limits, limitKey) || Object.hasOwn(limits, "*")))
      stopped.add(`${limitKey} (order ${id})`);
  }
  return { unserved, tags: missing, room: large, stopped };
}

function asked({ slots, memory }: QueueFacts["waiting"][number], workers: QueueFacts["workers"]): string {
  const offered = {
    slots: Math.max(...workers.map((worker) => worker.slots)),
    memory: Math.max(...workers.map((worker) => worker.memory ?? 0)),
  };
  if (slots > offered.slots) return `${slots} slots asked, most offered ${offered.slots}`;
  return `${formatSize(memory)} asked, most offered ${formatSize(offered.memory)}`;
}

const some = (names: ReadonlySet<string>): string =>
  `${[...names].slice(0, 3).join(", ")}${names.size > 3 ? ", …" : ""}`;
