import { formatDuration } from "../core/index.ts";
import type { OrderCounts, OrderRecord, QueueConfig, WorkerRecord } from "../store/index.ts";
import { behindText, heldPlaces, type HeldPlace, missingOffer } from "./held-places.ts";
import { formatSize } from "./size.ts";

/** What stands in the way of a queue as a whole. `code` is stable, `message` for people. */
export interface QueueFinding {
  readonly code:
    "no-worker" | "paused" | "unserved" | "tags" | "room" | "limit" | "stagger" | "age" | "failed";
  /** `critical`: nothing is started. */
  readonly level: "warning" | "critical";
  readonly message: string;
  /** With `limit`: the id of an order that holds a place. */
  readonly order?: string;
}

/** Waiting orders to look at for what nobody offers. */
export const headOfQueue = 200;
export const defaultAgeLimitMs = 600_000;

export interface QueueFacts {
  readonly counts: OrderCounts;
  readonly paused: boolean;
  /**
   * Time since the order that waits longest for room was submitted or due, what it waited for other orders included; null when
   * none waits.
   */
  readonly ageMs: number | null;
  /** How long an order may wait for room; ten minutes where the queue was not told otherwise. */
  readonly ageLimitMs?: number;
  /** Workers that were seen of late. */
  readonly workers: readonly Pick<WorkerRecord, "kinds" | "tags" | "slots" | "memory" | "staggerMs">[];
  /** The best waiting orders. */
  readonly waiting: readonly (Pick<OrderRecord, "kind" | "tags" | "slots" | "memory"> &
    Partial<Pick<OrderRecord, "id" | "limitKey">>)[];
  /** Default none. */
  readonly limits?: QueueConfig["limits"];
  /** How many wait behind orders that no living worker takes, by limit key; see `countBehind`. */
  readonly behind?: ReadonlyMap<string, number>;
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
      message: `${counts.PENDING.toLocaleString("en")} ${counts.PENDING === 1 ? "order waits" : "orders wait"} and no worker is there`,
    });
  if (facts.paused) warn("paused", "paused: no worker starts anything");
  if (workers.length > 0) {
    const { unserved, tags, room } = untaken(facts);
    const places = heldPlaces(facts);
    if (unserved.size > 0) warn("unserved", `no living worker takes ${some(unserved)}`);
    if (tags.size > 0) warn("tags", `no living worker takes ${some(tags)}`);
    if (room.size > 0) warn("room", `no living worker has room for ${some(room)}`);
    if (places[0] !== undefined)
      findings.push({
        level: "warning",
        code: "limit",
        message: `what no living worker takes holds places of limit keys: ${placesText(places, facts.behind)}; start a worker that takes it, or cancel it`,
        order: places[0].order,
      });
    const slow = staggered(facts);
    if (slow !== undefined) warn("stagger", slow);
  }
  if (ageMs !== null && ageMs >= ageLimitMs)
    warn("age", `the oldest order that waits for room has been due for ${formatDuration(ageMs)}`);
  if (counts.FAILED > 0)
    warn(
      "failed",
      `${counts.FAILED.toLocaleString("en")} failed and ${counts.FAILED === 1 ? "waits" : "wait"} for a person`,
    );
  return findings;
}

/**
 * Kinds that no worker takes, kinds with tags that no worker of the kind offers together, and kinds with more slots or memory
 * than any of those has.
 */
function untaken({
  workers,
  waiting,
}: QueueFacts): Record<"unserved" | "tags" | "room", ReadonlySet<string>> {
  const unserved = new Set<string>();
  const missing = new Set<string>();
  const large = new Set<string>();
  for (const order of waiting) {
    const { kind, tags } = order;
    const found = missingOffer(order, workers);
    if (found?.missing === "kind") unserved.add(kind);
    if (found?.missing === "tags") missing.add(`${kind} with ${tags.join(" + ")}`);
    if (found?.missing === "room") large.add(`${kind} (${asked(order, found.offering)})`);
  }
  return { unserved, tags: missing, room: large };
}

/** Said where the orders that come next take longer to be begun than one may wait, because no worker starts them sooner. */
function staggered({
  workers,
  waiting,
  paused,
  ageLimitMs = defaultAgeLimitMs,
}: QueueFacts): string | undefined {
  const staggers = workers.flatMap(({ staggerMs }) => staggerMs ?? []);
  if (paused || staggers.length < workers.length || staggers.includes(0)) return undefined;
  const next = waiting.filter((order) => missingOffer(order, workers) === undefined).length;
  const startsPerMs = staggers.reduce((sum, ms) => sum + 1 / ms, 0);
  const takesMs = next / startsPerMs;
  if (takesMs < ageLimitMs) return undefined;
  const [least, most] = [Math.min(...staggers), Math.max(...staggers)];
  const every =
    least === most ? formatDuration(least) : `${formatDuration(least)} to ${formatDuration(most)}`;
  const who = workers.length === 1 ? "the worker starts" : `${workers.length} workers start, each,`;
  return `${who} one order every ${every} (\`stagger\`): the ${next.toLocaleString("en")} that come next take ${formatDuration(takesMs)}; lower it (0 turns it off), or start more workers`;
}

/** `k by o1 and 2 more, 12 wait behind them` for each limit key. */
function placesText(places: readonly HeldPlace[], behind: QueueFacts["behind"]): string {
  const texts = places.map(({ limitKey, order, orders }) => {
    const more = orders === 1 ? "" : ` and ${orders - 1} more`;
    const waiting = behind?.get(limitKey);
    const line =
      waiting === undefined ? "" : `, ${behindText(waiting)} behind ${orders === 1 ? "it" : "them"}`;
    return `${limitKey} by ${order}${more}${line}`;
  });
  return some(new Set(texts), "; ");
}

function asked(
  { slots, memory }: QueueFacts["waiting"][number],
  workers: readonly Pick<WorkerRecord, "slots" | "memory">[],
): string {
  const offered = {
    slots: Math.max(...workers.map((worker) => worker.slots)),
    memory: Math.max(...workers.map((worker) => worker.memory ?? 0)),
  };
  if (slots > offered.slots) return `${slots} slots asked, most offered ${offered.slots}`;
  return `${formatSize(memory)} asked, most offered ${formatSize(offered.memory)}`;
}

const some = (names: ReadonlySet<string>, between = ", "): string =>
  `${[...names].slice(0, 3).join(between)}${names.size > 3 ? `${between}…` : ""}`;
