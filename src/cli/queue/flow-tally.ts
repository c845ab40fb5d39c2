import {
  type OrdersTold,
  ordersTold,
  type OrdersTransition,
  type StoredEvent,
  type SubmittedOrder,
} from "../../store/index.ts";

/** Times of many orders: quantiles, and how they spread over buckets from under 1 ms to over a minute. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Orders in each bucket of `spreadBounds`, and in one more above the last. */
  readonly buckets: readonly number[];
}

/** Upper ends of the buckets, milliseconds. */
export const spreadBounds: readonly number[] = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 60_000];

/** What went through a queue in the last minute, or since it is looked at. Rates are per second. */
export interface Flow {
  readonly windowMs: number;
  readonly submitted: number;
  readonly started: number;
  readonly completed: number;
  /** For good: given up, poisoned. */
  readonly failed: number;
  /** Attempts that will be tried again, and orders of lost workers. */
  readonly retried: number;
  readonly cancelled: number;
  /** From due to started. */
  readonly wait: Spread;
  /** From started to the end of the attempt. */
  readonly run: Spread;
}

export const flowWindowMs = 60_000;
/** Orders under way that are remembered, and times that are kept; the oldest give way. */
const mostOrders = 50_000;
const mostTimes = 10_000;

const words = ["submitted", "started", "completed", "failed", "retried", "cancelled"] as const;
type Word = (typeof words)[number];

const wordOf: Readonly<Record<string, Word>> = {
  started: "started",
  completed: "completed",
  failed: "failed",
  exhausted: "failed",
  poisoned: "failed",
  "retry-scheduled": "retried",
  lost: "retried",
  cancelled: "cancelled",
};

/** An order that began, and whose submit lies before what was heard. */
export interface Start {
  readonly id: string;
  readonly at: number;
  readonly startedAt: number;
}

interface Second {
  readonly at: number;
  readonly counts: Record<Word, number>;
}

/**
 * Counts what the events of a queue's stream tell. From the record alone, so that it sees the work of all machines and
 * can be asked anywhere.
 */
export class FlowTally {
  readonly #orders = new Map<string, { due: number; startedAt?: number }>();
  readonly #wait: { at: number; ms: number }[] = [];
  readonly #run: { at: number; ms: number }[] = [];
  #seconds: Second[] = [];
  #unplaced: Start[] = [];
  readonly #since: number;

  /** @param since what is counted began then, milliseconds of the store's clock */
  constructor(since: number) {
    this.#since = since;
  }

  hear({ type, at, data }: Pick<StoredEvent, "type" | "at" | "data">): void {
    const orders = data["orders"];
    if (!Array.isArray(orders)) return;
    if (type === "orders.submitted") {
      this.#count("submitted", at, orders.length);
      for (const { id, runAt } of ordersTold(data as unknown as OrdersTold<SubmittedOrder>))
        this.#remember(id, { due: Math.max(at, runAt) });
    }
    if (type === "orders.transition") this.#transition(data as unknown as OrdersTransition, at);
  }

  flow(now: number): Flow {
    const from = Math.max(this.#since, now - flowWindowMs);
    this.#seconds = this.#seconds.filter((second) => second.at > from - 1_000);
    for (const times of [this.#wait, this.#run]) {
      const fresh = times.findIndex((time) => time.at > from);
      times.splice(0, fresh === -1 ? times.length : fresh);
    }
    const windowMs = Math.max(1_000, now - from);
    const rate = (word: Word): number =>
      (this.#seconds.reduce((sum, { counts }) => sum + counts[word], 0) * 1_000) / windowMs;
    const rates = Object.fromEntries(words.map((word) => [word, rate(word)])) as Record<Word, number>;
    return { windowMs, ...rates, wait: spread(this.#wait), run: spread(this.#run) };
  }

  /**
   * Starts since the last call whose submit was not heard, at most `most` of them, evenly spread. Who waited longest is
   * among these: without them the waits would look short just when they are long.
   */
  takeUnplaced(most: number): readonly Start[] {
    const all = this.#unplaced;
    this.#unplaced = [];
    const step = Math.max(1, all.length / most);
    return Array.from({ length: Math.min(most, all.length) }, (_, n) => all[Math.floor(n * step)]).filter(
      (start) => start !== undefined,
    );
  }

  /** @param due when it could have begun, as its row says; later than its start when it has been tried again since */
  place({ at, startedAt }: Start, due: number): void {
    if (due <= startedAt) keep(this.#wait, at, startedAt - due);
  }

  #transition(transition: OrdersTransition, at: number): void {
    const { event } = transition;
    // It waits since its time, not since somebody saw that it had come.
    if (event === "due") return;
    const orders = ordersTold(transition);
    const word = wordOf[event];
    if (word !== undefined) this.#count(word, at, orders.length);
    for (const { id, to, set } of orders) {
      const known = this.#orders.get(id);
      const told = set ?? {};
      if (event === "started") {
        const startedAt = told.startedAt ?? at;
        if (known !== undefined) keep(this.#wait, at, startedAt - known.due);
        else if (this.#unplaced.length < mostTimes) this.#unplaced.push({ id, at, startedAt });
        this.#remember(id, { due: known?.due ?? startedAt, startedAt });
        continue;
      }
      const over = word !== undefined && word !== "submitted";
      if (over && known?.startedAt !== undefined) keep(this.#run, at, (told.endedAt ?? at) - known.startedAt);
      if (to === "PENDING" || to === "WAITING_RETRY") this.#remember(id, { due: told.runAt ?? at });
      else if (over) this.#orders.delete(id);
    }
  }

  #count(word: Word, at: number, n: number): void {
    let second = this.#seconds.at(-1);
    if (second === undefined || second.at !== Math.floor(at / 1_000) * 1_000) {
      second = {
        at: Math.floor(at / 1_000) * 1_000,
        counts: { submitted: 0, started: 0, completed: 0, failed: 0, retried: 0, cancelled: 0 },
      };
      this.#seconds.push(second);
    }
    second.counts[word] += n;
  }

  #remember(id: string, known: { due: number; startedAt?: number }): void {
    this.#orders.delete(id);
    this.#orders.set(id, known);
    if (this.#orders.size <= mostOrders) return;
    const [oldest] = this.#orders.keys();
    if (oldest !== undefined) this.#orders.delete(oldest);
  }
}

function keep(times: { at: number; ms: number }[], at: number, ms: number): void {
  times.push({ at, ms: Math.max(0, ms) });
  if (times.length > mostTimes * 2) times.splice(0, times.length - mostTimes);
}

function spread(times: readonly { readonly ms: number }[]): Spread {
  const sorted = times.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  const buckets = Array.from({ length: spreadBounds.length + 1 }, () => 0);
  for (const ms of sorted) {
    const found = spreadBounds.findIndex((bound) => ms < bound);
    const index = found === -1 ? spreadBounds.length : found;
    buckets[index] = (buckets[index] ?? 0) + 1;
  }
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0, buckets };
}
