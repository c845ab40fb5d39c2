import { hrtime } from "node:process";
import { Worker } from "node:worker_threads";
import { asError, ownThread, systemClock } from "../core/index.ts";
import type { QueueContext } from "./context.ts";
import type { HeartbeatOrder } from "./heartbeat-order.ts";

/** Below this a thread would not be there in time. */
const shortestLease = 1_000;

const threadFile = ownThread("queue/heartbeat-thread");

/**
 * A thread that watches over this worker's heartbeats. While the queue's timer renews the leases in time it does nothing.
 * When none came for half a lease (work that blocks the event loop, a store connection that hangs) it renews what this
 * worker holds over a connection of its own, until the timer is back; no order for longer than its timeout and grace, so
 * that a worker that hangs for ever loses its claims in the end. The two share three numbers, no messages: orders that
 * come and go cost it nothing.
 *
 * `Leases` calls `held` with the first order it holds after none, `beat` after each renewal, `idle` when nothing is held
 * any more, and asks `renewedAt` before it gives work up because its own renewal failed.
 *
 * The thread takes 16 MB and 60 ms of processor time once. It is started with the first claim where other machines may
 * take an order over (PostgreSQL), else when an order lasts longer than a third of the lease: a queue of short orders
 * on one machine never has it. It starts also while this thread is blocked already.
 *
 * Without a thread (store in memory, a clock that is not the system's, a lease under a second) nothing is watched.
 */
export class Heartbeat {
  readonly #context: QueueContext;
  readonly #numbers = new BigInt64Array(new SharedArrayBuffer(24));
  /** From the queue's monotonic clock to the one that all threads share. */
  readonly #offset: number;
  readonly #possible: boolean;
  #thread: Worker | undefined;
  #trouble: string | undefined;
  #stopped = false;

  constructor(context: QueueContext) {
    const { settings, store } = context;
    this.#context = context;
    this.#offset = Number(hrtime.bigint() / 1_000n) / 1_000 - settings.clock.monotonic();
    // The thread cannot follow a clock that somebody else moves. PostgreSQL has the server's, whatever is set here.
    const followed = store.reach?.kind === "postgres" || store.clock === systemClock;
    this.#possible =
      store.reach !== undefined &&
      settings.clock === systemClock &&
      followed &&
      settings.leaseMs >= shortestLease;
  }

  /** Why heartbeats are not watched over although they could be; for health. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Monotonic time before the thread's last renewal, when no gap lies before it; -Infinity when there was none. */
  get renewedAt(): number {
    const at = Number(Atomics.load(this.#numbers, 2));
    return at === 0 ? Number.NEGATIVE_INFINITY : at - this.#offset;
  }

  /** All that is held was claimed or renewed at this monotonic time or later. */
  beat(at: number): void {
    if (!this.#possible) return;
    Atomics.store(this.#numbers, 0, BigInt(Math.floor(at + this.#offset)));
    Atomics.store(this.#numbers, 1, 1n);
    // With the first claim: work that blocks from its first line gives no second chance. One that failed is not started
    // again and again: the timer goes on alone.
    if (this.#thread === undefined && this.#trouble === undefined && !this.#stopped) this.#start();
  }

  /** Nothing is held. */
  idle(): void {
    Atomics.store(this.#numbers, 1, 0n);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    const ended = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
    thread.ref();
    thread.postMessage("stop");
    const timer = this.#context.settings.clock.after(1_000, () => void thread.terminate());
    await ended;
    timer.cancel();
  }

  #start(): void {
    const { store, settings, worker } = this.#context;
    if (store.reach === undefined) return;
    const order: HeartbeatOrder = {
      reach: store.reach,
      queue: settings.name,
      worker,
      leaseMs: settings.leaseMs,
      graceMs: settings.graceMs,
      shared: this.#numbers.buffer,
    };
    try {
      const thread = new Worker(threadFile, {
        name: "cutover heartbeat",
        workerData: order,
        // Flags of this process, a debugger's or a test runner's, are not for the thread.
        execArgv: [],
        resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
      });
      thread.unref();
      thread.on("message", (message: { readonly trouble: string | undefined }) => {
        this.#trouble = message.trouble;
        if (message.trouble !== undefined) this.#warn(message.trouble);
      });
      thread.on("error", (error) => this.#lost(asError(error).message));
      thread.on("exit", (code) => this.#lost(`it ended with code ${code}`));
      this.#thread = thread;
    } catch (error) {
      this.#lost(asError(error).message);
    }
  }

  #lost(reason: string): void {
    this.#thread = undefined;
    if (this.#stopped || this.#trouble !== undefined) return;
    this.#trouble = `its thread is gone: ${reason}`;
    this.#warn(this.#trouble);
  }

  #warn(reason: string): void {
    this.#context.settings.log.warn("heartbeats are not watched over; work that blocks can lose its claim", {
      reason,
    });
  }
}
