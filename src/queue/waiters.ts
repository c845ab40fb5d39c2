import { type Clock, CutoverError, formatDuration, hasCode, type Timer } from "../core/index.ts";
import { abortSignal } from "./calls.ts";
import type { WaitOptions } from "./queue.ts";
import { duration, onlyKnown } from "./settings.ts";

export interface Waiter {
  /** Resolves at the next wake; rejects when the time is over, the signal aborts or the queue stops. */
  next(): Promise<void>;
  /** What the store answers, undefined when it is away; rejects as `next` does, where that comes before the answer. */
  answer<T>(asked: Promise<T>): Promise<T | undefined>;
  /** No more waiting; frees timer and listener. */
  cancel(): void;
}

/** So long what others commit is followed after the last wait. */
const lingerMs = 5_000;
/** `wakeSoon` wakes so much later. */
const soonMs = 50;
/** So long after its end a wait still hears an answer: a store that is away keeps it for half a minute. */
const lateMs = 1_000;

/** What ends a wait before its wake. */
interface WaitEnd {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting {
  wake(): void;
  fail(error: unknown): void;
}

/**
 * Who waits for what. Woken by the store's own event log, which follows other processes while somebody waits; once a poll
 * all are woken, as a net.
 */
export class Waiters {
  readonly #clock: Clock;
  readonly #netMs: number;
  readonly #follow: () => () => void;
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #soon = new Map<string, Timer>();
  #net: Timer | undefined;
  #lingering: Timer | undefined;
  #off: (() => void) | undefined;

  /** `follow`: begins to follow what other processes commit, until what it returns is called. */
  constructor(clock: Clock, netMs: number, follow: () => () => void) {
    this.#clock = clock;
    this.#netMs = netMs;
    this.#follow = follow;
  }

  /**
   * What `look` finds, which looks again at each wake while it finds nothing. A store that is away is looked at again, too:
   * who waits without end waits for it as well.
   */
  async until<T>(name: string, end: WaitEnd, look: () => Promise<T | undefined>): Promise<T> {
    const waiter = this.wait(name, end);
    try {
      for (;;) {
        const found = await waiter.answer(look());
        if (found !== undefined) return found;
        await waiter.next();
      }
    } finally {
      waiter.cancel();
    }
  }

  /** A wake between this call and `next()` is not lost. */
  wait(name: string, { timeoutMs, signal }: WaitEnd): Waiter {
    let woken = false;
    let failed: { readonly error: unknown } | undefined;
    let late: Timer | undefined;
    // One for each next(): a race against a promise of the whole wait would keep something of every wake until its end.
    let heard = (): void => {};
    const wake = (): void => {
      woken = true;
      heard();
    };
    const fail = (error: unknown): void => {
      failed ??= { error };
      heard();
    };
    const entry: Waiting = { wake, fail };
    const onAbort = (): void => fail(signal?.reason);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    const timer =
      timeoutMs === undefined
        ? undefined
        : this.#clock.after(timeoutMs, () => fail(overdue(name, timeoutMs)));
    const others = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, others.add(entry));
    this.#armNet();
    this.#lingering?.cancel();
    this.#off ??= this.#follow();
    return {
      async next() {
        if (!woken && failed === undefined) await new Promise<void>((resolve) => (heard = resolve));
        // Before a wake, or one that is woken faster than it looks would never end.
        if (failed !== undefined) throw failed.error;
        woken = false;
      },
      answer: (asked) =>
        new Promise((resolve, reject) => {
          heard = () => {
            if (failed === undefined) return;
            const { error } = failed;
            late ??= this.#clock.after(lateMs, () => reject(error));
          };
          heard();
          asked.then(resolve, (error: unknown) => {
            if (hasCode(error, "CUTOVER_STORE_UNAVAILABLE")) resolve(undefined);
            else reject(error);
          });
        }),
      cancel: () => {
        timer?.cancel();
        late?.cancel();
        signal?.removeEventListener("abort", onAbort);
        others.delete(entry);
        if (others.size === 0 && this.#waiting.get(name) === others) this.#waiting.delete(name);
        if (this.#waiting.size === 0) this.#rest();
      },
    };
  }

  /** True when somebody waits for anything. */
  get any(): boolean {
    return this.#waiting.size > 0;
  }

  wake(name: string): void {
    for (const entry of this.#waiting.get(name) ?? []) entry.wake();
  }

  /** After a while, once for all calls until then: each of many events may be what is waited for, and looking is dear. */
  wakeSoon(name: string): void {
    if (this.#soon.has(name) || !this.#waiting.has(name)) return;
    const timer = this.#clock.after(soonMs, () => {
      this.#soon.delete(name);
      this.wake(name);
    });
    this.#soon.set(name, timer);
  }

  failAll(error: unknown): void {
    this.#disarm();
    this.#lingering?.cancel();
    this.#off?.();
    this.#off = undefined;
    for (const entries of this.#waiting.values()) for (const entry of entries) entry.fail(error);
  }

  #armNet(): void {
    this.#net ??= this.#clock.after(this.#netMs, () => {
      this.#net = undefined;
      for (const name of this.#waiting.keys()) this.wake(name);
      if (this.#waiting.size > 0) this.#armNet();
    });
  }

  /** Nobody waits any more. Others were told that somebody does: they are not told otherwise after each wait. */
  #rest(): void {
    this.#disarm();
    this.#lingering?.cancel();
    if (this.#off === undefined) return;
    this.#lingering = this.#clock.after(lingerMs, () => {
      this.#off?.();
      this.#off = undefined;
    });
    this.#lingering.unref();
  }

  #disarm(): void {
    this.#net?.cancel();
    this.#net = undefined;
    for (const timer of this.#soon.values()) timer.cancel();
    this.#soon.clear();
  }
}

const overdue = (name: string, ms: number): CutoverError =>
  new CutoverError("CUTOVER_ORDER_TIMEOUT", {
    message: `${name === "" ? "the queue was not empty" : `work order ${name} was not finished`} within ${formatDuration(ms)}; its work goes on`,
    details: { id: name, waitedMs: ms },
    remedy: "wait longer, or look at timeline() and health()",
  });

/** @throws CUTOVER_QUEUE_INVALID naming the option */
export function waitOptions(options: WaitOptions): WaitEnd {
  onlyKnown(options, { timeout: true, signal: true }, "wait");
  const { timeout, signal } = options;
  if (signal !== undefined) abortSignal(signal);
  return { timeoutMs: timeout === undefined ? undefined : duration(timeout, "timeout"), signal };
}
