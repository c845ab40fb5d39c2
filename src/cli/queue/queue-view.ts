import {
  countBehind,
  headOfQueue,
  listWorkers,
  missingAfterMs,
  type QueueFacts,
  type QueueFinding,
  queueFindings,
} from "../../queue/index.ts";
import type { OrderCounts, QueueConfig, Store, WorkerRecord } from "../../store/index.ts";
import { shellWord } from "../store-place.ts";
import { type Flow, FlowTally, flowWindowMs } from "./flow-tally.ts";

/** A worker as the record knows it. */
export interface WorkerView extends WorkerRecord {
  readonly seenAgoMs: number;
  /** It was seen of late: the queue counts on it. */
  readonly alive: boolean;
}

export interface QueueReason extends Omit<QueueFinding, "code"> {
  readonly code: QueueFinding["code"] | "unknown";
  /** What to do about it: a command, or empty. */
  readonly command: string;
}

/** One queue as people and machines see it, from the record alone. */
export interface QueueView {
  readonly queue: string;
  /** Milliseconds of the store's clock. */
  readonly at: number;
  readonly status: "ok" | "warning" | "critical";
  readonly reasons: readonly QueueReason[];
  readonly config: QueueConfig;
  readonly counts: OrderCounts;
  /** How long the order that waits longest for room has waited; null when none waits. */
  readonly ageMs: number | null;
  readonly workers: readonly WorkerView[];
  readonly flow: Flow;
}

/** Events of the past read at the first look: enough for a minute of most queues. */
const pastEvents = 1_000;
const pageSize = 100;
/** Orders whose rows are read at each look, because they were handed in before what was heard. */
const mostLookedUp = 200;
const types: readonly string[] = ["orders.submitted", "orders.transition"];

/** Looks at one queue again and again: of the events only what is new since the last look. */
export class QueueViewer {
  readonly #store: Store;
  readonly #queue: string;
  #tally: FlowTally | undefined;
  #after = 0;

  constructor(store: Store, queue: string) {
    this.#store = store;
    this.#queue = queue;
  }

  async view(): Promise<QueueView> {
    const { orders, clock } = this.#store;
    const tally = await this.#hear();
    const [config, counts, oldest, workers] = await Promise.all([
      orders.config(this.#queue),
      orders.counts(this.#queue),
      orders.oldestDue(this.#queue),
      listWorkers(this.#store, this.#queue),
    ]);
    const waiting = counts.PENDING > 0 ? await orders.waiting(this.#queue, headOfQueue) : [];
    const unused = workers.length === 0 && Object.values(counts).every((number) => number === 0);
    const used = unused ? await orders.queues() : [];
    const others = used.includes(this.#queue) ? [] : used;
    const at = clock.now();
    const seen = workers
      .map((worker) => ({
        ...worker,
        seenAgoMs: Math.max(0, at - worker.seenAt),
        alive: at - worker.seenAt <= missingAfterMs,
      }))
      .toSorted((a, b) => a.id.localeCompare(b.id));
    const ageMs = oldest === undefined ? null : Math.max(0, at - oldest);
    const alive = seen.filter((worker) => worker.alive);
    const behind = await countBehind(orders, this.#queue, {
      counts,
      paused: config.paused,
      ageMs,
      workers: alive,
      waiting,
      limits: config.limits,
    });
    const reasons = reasonsFor({
      queue: this.#queue,
      config,
      counts,
      ageMs,
      workers: seen,
      waiting,
      behind,
      others,
    });
    const status = reasons.some(({ level }) => level === "critical")
      ? "critical"
      : reasons.length > 0
        ? "warning"
        : "ok";
    return {
      queue: this.#queue,
      at,
      status,
      reasons,
      config,
      counts,
      ageMs,
      workers: seen,
      flow: tally.flow(at),
    };
  }

  /** Takes in what happened since the last look; at first what happened in the last minute, as far as it is not too much. */
  async #hear(): Promise<FlowTally> {
    const { events, clock } = this.#store;
    if (this.#tally === undefined) {
      const end = await events.count();
      const since = clock.now() - flowWindowMs;
      const begun = await firstSince(this.#store, since, end);
      this.#after = Math.max(begun, end - pastEvents);
      const [first] = this.#after === begun ? [] : await events.read({ after: this.#after, limit: 1 });
      this.#tally = new FlowTally(first?.at ?? since);
    }
    const stream = `queue:${this.#queue}`;
    for (;;) {
      const page = await events.read({ stream, types, after: this.#after, limit: pageSize });
      for (const event of page) {
        this.#tally.hear(event);
        this.#after = event.seq;
      }
      if (page.length < pageSize) break;
    }
    const starts = this.#tally.takeUnplaced(mostLookedUp);
    const rows = await Promise.all(starts.map(({ id }) => this.#store.orders.get(id)));
    starts.forEach((start, n) => {
      const row = rows[n];
      if (row !== undefined) this.#tally?.place(start, Math.max(row.createdAt, row.runAt));
    });
    return this.#tally;
  }
}

/** Position of the last event before `since`: the log is ordered by time, near enough for rates. */
async function firstSince({ events }: Store, since: number, end: number): Promise<number> {
  let [low, high] = [0, end];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [event] = await events.read({ after: middle, limit: 1 });
    if (event !== undefined && event.at < since) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Pure: what the figures mean, worst first, and what to do about it. */
export function reasonsFor(facts: {
  readonly queue: string;
  readonly config: Pick<QueueConfig, "paused"> & Partial<Pick<QueueConfig, "limits">>;
  readonly counts: OrderCounts;
  readonly ageMs: number | null;
  readonly workers: readonly Pick<
    WorkerView,
    "kinds" | "tags" | "slots" | "memory" | "staggerMs" | "alive"
  >[];
  readonly waiting: QueueFacts["waiting"];
  readonly behind?: ReadonlyMap<string, number>;
  /** Queues of the store, when this one was never used and has no workers. */
  readonly others?: readonly string[];
}): readonly QueueReason[] {
  const { queue, config, counts, ageMs, waiting, behind = new Map(), others = [] } = facts;
  const flag = queue === "default" ? "" : ` --queue ${queue}`;
  const commands: Readonly<Record<QueueFinding["code"], string>> = {
    "no-worker": "cutover worker FILE",
    paused: `cutover queue resume${flag}`,
    unserved: `cutover queue workers${flag}`,
    tags: `cutover queue workers${flag}`,
    limit: `cutover queue workers${flag}`,
    room: `cutover queue workers${flag}`,
    stagger: `cutover queue workers${flag}`,
    age: "",
    failed: `cutover queue ls --state FAILED${flag}`,
  };
  const workers = facts.workers.filter((worker) => worker.alive);
  const { paused, limits = {} } = config;
  const reasons: readonly QueueReason[] = queueFindings({
    counts,
    paused,
    ageMs,
    workers,
    waiting,
    limits,
    behind,
  }).map((finding) => ({
    ...finding,
    // An id that looks like an option would have to stand behind the store, which is added later.
    command:
      finding.order === undefined || finding.order.startsWith("-")
        ? commands[finding.code]
        : `cutover queue show ${shellWord(finding.order)}${flag}`,
  }));
  // A name that is misspelt would otherwise look like a queue that is well. Only the command is told a name.
  if (others.length === 0) return reasons;
  const unknown: QueueReason = {
    level: "warning",
    code: "unknown",
    message: `nothing was ever seen of queue ${queue}; the store has ${others.slice(0, 5).join(", ")}${others.length > 5 ? ", …" : ""}`,
    command: "cutover queue",
  };
  return [unknown, ...reasons];
}
