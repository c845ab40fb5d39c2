import type { ResourceLimits } from "node:worker_threads";
import { asError, type Clock, type Timer, untilAborted } from "../../core/index.ts";
import type { ThreadSetup } from "./thread-messages.ts";
import { WarmThread } from "./warm-thread.ts";

export interface ThreadPoolOptions {
  readonly setup: ThreadSetup;
  readonly limits: ResourceLimits;
  /** Most threads at a time. */
  readonly threads: number;
  /** How long a thread without work is kept. */
  readonly idleMs: number;
  /** Orders after which a thread is replaced. */
  readonly orders: number;
  readonly clock: Clock;
}

interface Waiting {
  readonly limit: number;
  readonly give: (thread: WarmThread) => void;
  readonly fail: (error: Error) => void;
}

/** Threads that are kept between orders. One order has a thread for itself; who finds none free waits, first come first. */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #all = new Set<WarmThread>();
  readonly #idle = new Map<WarmThread, Timer>();
  /** Threads that could not be ended. They count no more among those there may be: others must not wait for them. */
  readonly #leftBehind = new Set<WarmThread>();
  readonly #waiting: Waiting[] = [];

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /** Threads there are, with or without work. */
  get size(): number {
    return this.#all.size;
  }

  /** Threads that block in a call that cannot be ended, and go on with it. */
  get leftBehind(): number {
    return this.#leftBehind.size;
  }

  /**
   * @param limit of its heap, bytes: set when a thread is made, so only one made with the same fits
   * @param loaded waits for the module: unlike the wait for a thread that others have, that is the order's own
   */
  async take(
    limit: number,
    signal: AbortSignal,
    loaded: (ready: Promise<void>) => Promise<void>,
  ): Promise<WarmThread> {
    signal.throwIfAborted();
    const thread = this.#free(limit) ?? (await this.#wait(limit, signal));
    try {
      await untilAborted(loaded(thread.ready), signal);
      // Loading the module is not the work of the order that came first.
      if (thread.orders === 0) thread.cpuBefore = await untilAborted(thread.cpuMs(), signal);
      return thread;
    } catch (error) {
      await this.drop(thread);
      throw error;
    }
  }

  /** Back for the next order. */
  async give(thread: WarmThread): Promise<void> {
    if (!thread.alive || ++thread.orders >= this.#options.orders) return this.drop(thread);
    const next = this.#waiting.findIndex(({ limit }) => limit === thread.limit);
    // Only the first in line: one behind it that fits better must not go ahead for ever.
    if (next === 0) return this.#waiting.shift()?.give(thread);
    if (next === -1 && this.#waiting.length === 0) return this.#rest(thread);
    return this.drop(thread);
  }

  /** Ends a thread for good. */
  async drop(thread: WarmThread): Promise<void> {
    this.#idle.get(thread)?.cancel();
    this.#idle.delete(thread);
    await thread.end();
    this.#all.delete(thread);
    if (thread.alive) {
      this.#leftBehind.add(thread);
      void thread.ended.then(() => this.#leftBehind.delete(thread));
    }
    this.#serve();
  }

  /** Ends the threads without work. */
  async close(): Promise<void> {
    await Promise.all([...this.#idle.keys()].map((thread) => this.drop(thread)));
  }

  #free(limit: number): WarmThread | undefined {
    if (this.#waiting.length > 0) return undefined;
    for (const [thread, timer] of this.#idle) {
      if (thread.limit !== limit || !thread.alive) continue;
      timer.cancel();
      this.#idle.delete(thread);
      thread.hold(true);
      return thread;
    }
    return this.#all.size < this.#options.threads ? this.#make(limit) : undefined;
  }

  #make(limit: number): WarmThread {
    const { setup, limits, clock } = this.#options;
    const thread = new WarmThread(setup, limit, limits, clock);
    this.#all.add(thread);
    // What work left behind may still end a thread that rests.
    void thread.ended.then(() => (this.#idle.has(thread) ? this.drop(thread) : undefined));
    return thread;
  }

  #rest(thread: WarmThread): void {
    thread.hold(false);
    const timer = this.#options.clock.after(this.#options.idleMs, () => void this.drop(thread));
    timer.unref();
    this.#idle.set(thread, timer);
  }

  #wait(limit: number, signal: AbortSignal): Promise<WarmThread> {
    // A thread that rests with another limit makes room.
    const [resting] = this.#idle.keys();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        signal.removeEventListener("abort", aborted);
        const at = this.#waiting.indexOf(waiting);
        if (at !== -1) this.#waiting.splice(at, 1);
      };
      const waiting: Waiting = {
        limit,
        give: (thread) => (leave(), resolve(thread)),
        fail: (error) => (leave(), reject(error)),
      };
      const aborted = (): void => waiting.fail(asError(signal.reason));
      signal.addEventListener("abort", aborted, { once: true });
      this.#waiting.push(waiting);
      if (resting !== undefined) void this.drop(resting);
    });
  }

  /** Makes threads for those who wait, as far as there may be more. */
  #serve(): void {
    while (this.#all.size < this.#options.threads) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      next.give(this.#make(next.limit));
    }
  }
}
