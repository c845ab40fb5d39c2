import { formatDuration } from "../core/index.ts";
import type { OrderCounts, OrderRecord, WorkerRecord } from "../store/index.ts";

/** What stands in the way of a queue as a whole. `code` is stable, `message` for people. */
export interface QueueFinding {
  readonly code: "no-worker" | "paused" | "unserved" | "tags" | "age" | "failed";
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
  readonly workers: readonly Pick<WorkerRecord, "kinds" | "tags">[];
  /** The best waiting orders. */
  readonly waiting: readonly Pick<OrderRecord, "kind" | "tags">[];
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
    const { unserved, tags } = untaken(facts);
    if (unserved.size > 0) warn("unserved", `no living worker takes ${some(unserved)}`);
    if (tags.size > 0) warn("tags", `no living worker takes ${some(tags)}`);
  }
  if (ageMs !== null && ageMs >= ageLimitMs)
    warn("age", `the oldest order has waited ${formatDuration(ageMs)} for room`);
  if (counts.FAILED > 0)
    warn("failed", `${counts.FAILED} failed and ${counts.FAILED === 1 ? "waits" : "wait"} for a person`);
  return findings;
}

/** Kinds that no worker takes, and kinds with tags that no worker of the kind offers together. */
function untaken({ workers, waiting }: QueueFacts): Record<"unserved" | "tags", ReadonlySet<string>> {
  const unserved = new Set<string>();
  const missing = new Set<string>();
  for (const { kind, tags } of waiting) {
    const takers = workers.filter(({ kinds }) => kinds.includes(kind));
    if (takers.length === 0) unserved.add(kind);
    else if (!takers.some((taker) => tags.every((tag) => taker.tags.includes(tag))))
      missing.add(`${kind} with ${tags.join(" + ")}`);
  }
  return { unserved, tags: missing };
}

const some = (names: ReadonlySet<string>): string =>
  `${[...names].slice(0, 3).join(", ")}${names.size > 3 ? ", …" : ""}`;
