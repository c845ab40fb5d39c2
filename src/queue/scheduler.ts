import { faultPoint, hasCode, type Timer } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { type Admission, admission, type Use } from "./capacity.ts";
import { Attempt, type EndReason } from "./attempt.ts";
import { viewBacklog } from "./backlog.ts";
import { type QueueContext, sendEvent } from "./context.ts";
import { errorRecord } from "./failure.ts";
import { Leases } from "./leases.ts";
import type { MemoryReading } from "./memory.ts";
import type { Sandbox } from "./sandboxes/sandbox.ts";
import { tooLarge } from "./submission.ts";

/** Most orders asked for in one claim: enough to fill a commit, few enough that a claim stays under a millisecond. */
const claimBatch = 100;

/** Oldest waiting orders looked at once a poll, for what a claim cannot see: orders that do not fit. */
const backlogPage = 100;

/** How long a reading of the machine's memory is good for. */
const readingMs = 200;

/**
 * Pulls work: asks the store for no more than fits now, starts it, asks again at once while the answer was full
 * or when a slot came free. Otherwise it waits for the bell, the time the next order is due, or the poll.
 */
export class Scheduler {
  readonly attempts: Map<string, Attempt> = new Map();
  readonly sandboxes: Map<string, Sandbox> = new Map();
  paused = false;
  /** Why the last look at the store failed; undefined when it did not. */
  trouble: string | undefined;
  readonly #context: QueueContext;
  readonly #leases: Leases;
  readonly #running = new Set<Promise<void>>();
  readonly #idle: () => void;
  readonly #sweep: () => Promise<void>;
  #stopped = false;
  #pulling: Promise<void> | undefined;
  #again = false;
  #timer: Timer | undefined;
  #lastStart = Number.NEGATIVE_INFINITY;
  #sweptAt: number;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #reserveFor: OrderRecord | undefined;
  #reading: { readonly at: number; readonly memory: MemoryReading } | undefined;

  /**
   * @param idle called each time nothing runs and nothing was there to claim
   * @param sweep takes up orders whose lease is over; called once per lease time
   */
  constructor(context: QueueContext, idle: () => void, sweep: () => Promise<void>) {
    this.#context = context;
    this.#sweep = sweep;
    this.#sweptAt = context.settings.clock.monotonic();
    this.#leases = new Leases(context);
    this.#idle = idle;
  }

  /** There may be something to do. */
  ring(): void {
    if (this.#stopped) return;
    if (this.#pulling !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pulling = this.#pull().finally(() => {
      this.#pulling = undefined;
      if (this.#again) this.ring();
    });
  }

  /** What is admitted now, from the last reading of the machine's memory (at most 0.2 s old). */
  admission(): Admission {
    const { settings } = this.#context;
    const now = settings.clock.monotonic();
    if (this.#reading === undefined || now - this.#reading.at >= readingMs) {
      this.#reading = { at: now, memory: settings.readMemory() };
    }
    const used = { slots: 0, memory: 0 };
    for (const { order, working } of this.attempts.values()) {
      if (!working) continue;
      used.slots += order.slots;
      used.memory += order.memory;
    }
    return admission(settings, used, this.#reading.memory);
  }

  get memory(): MemoryReading {
    this.admission();
    return this.#reading?.memory ?? this.#context.settings.readMemory();
  }

  /** No more claims; work that runs may end by itself within `waitMs`, then it is asked to. Resolves when all has ended. */
  async stop(why: EndReason, waitMs: number): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#pulling;
    const endAll = (): void => {
      for (const attempt of this.attempts.values()) attempt.end(why);
    };
    if (waitMs <= 0) endAll();
    const timer = this.#context.settings.clock.after(waitMs, endAll);
    await Promise.all(this.#running);
    timer.cancel();
  }

  async #pull(): Promise<void> {
    let due: number | undefined;
    try {
      do {
        this.#again = false;
        if (this.#stopped || this.sandboxes.size === 0) return;
        await this.#sweepIfDue();
        if (this.paused) break;
        due = undefined;
        if (this.#staggerLeft() > 0) continue;
        const { free } = this.admission();
        if (free.slots <= 0 || (await this.#keepsRoom(free))) continue;
        const max = this.#context.settings.staggerMs > 0 ? 1 : Math.min(free.slots, claimBatch);
        const claimed = await this.#claim({ ...free, max });
        if (claimed === max) this.#again = true;
        else due = await this.#context.store.orders.nextDue(this.#context.settings.name, this.#now());
        this.trouble = undefined;
      } while (this.#again);
      if (this.attempts.size === 0) this.#idle();
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error);
      this.#context.settings.log.error("the queue cannot claim work", { reason: this.trouble });
    } finally {
      this.#arm(due);
    }
  }

  /** True while everything that comes free is kept for an order that has waited too long for room. */
  async #keepsRoom(free: Use): Promise<boolean> {
    const { clock, pollMs } = this.#context.settings;
    if (clock.monotonic() - this.#lookedAt >= pollMs) {
      this.#lookedAt = clock.monotonic();
      await this.#lookAtBacklog(free);
    }
    const wanted = this.#reserveFor;
    if (wanted === undefined || this.attempts.size === 0) return false;
    return wanted.slots > free.slots || wanted.memory > free.memory;
  }

  async #lookAtBacklog(free: Use): Promise<void> {
    const { store, settings } = this.#context;
    const { clock, name, slots, memoryPerSlot } = settings;
    const waiting = await store.orders.list({ queue: name, states: ["PENDING"], limit: backlogPage });
    const ours = waiting.filter((order) => this.sandboxes.has(order.kind));
    const room = { total: { slots, memory: slots * memoryPerSlot }, free };
    const view = viewBacklog(ours, room, clock.now(), settings.reserveAfterMs);
    this.#reserveFor = view.reserveFor;
    for (const order of view.tooLarge) {
      const set = { endedAt: clock.now(), error: errorRecord(tooLarge(order, settings)) };
      await sendEvent(this.#context, order, "failed", set).catch((error: unknown) => {
        if (!hasCode(error, "CUTOVER_LEASE_LOST")) throw error; // Somebody larger took it meanwhile.
      });
    }
  }

  async #sweepIfDue(): Promise<void> {
    const { clock, leaseMs } = this.#context.settings;
    if (clock.monotonic() - this.#sweptAt < leaseMs) return;
    this.#sweptAt = clock.monotonic();
    await this.#sweep();
  }

  async #claim(capacity: { slots: number; memory: number; max: number }): Promise<number> {
    const { store, settings, worker } = this.#context;
    const before = settings.clock.monotonic();
    faultPoint("queue.claim.before");
    const kinds = [...this.sandboxes.keys()];
    const { name, leaseMs } = settings;
    const orders = await store.orders.claim(name, worker, { ...capacity, kinds }, leaseMs, this.#now());
    faultPoint("queue.claim.after");
    if (orders.length > 0) this.#lastStart = settings.clock.monotonic();
    for (const order of orders) {
      this.#context.meter.count("claimed");
      const sandbox = this.sandboxes.get(order.kind);
      if (sandbox === undefined) continue; // Not asked for; its lease runs out and it goes back.
      const attempt = new Attempt(order, sandbox, this.#context);
      this.attempts.set(order.id, attempt);
      this.#leases.hold(attempt, before);
      const ended = attempt
        .run(() => this.ring())
        .then(() => {
          this.#running.delete(ended);
          // After a lost lease the same order may be here again under a newer fence; that claim stays.
          if (this.attempts.get(order.id) === attempt) {
            this.attempts.delete(order.id);
            this.#leases.release(order.id);
          }
          if (this.attempts.size === 0) this.ring();
        });
      this.#running.add(ended);
    }
    return orders.length;
  }

  #staggerLeft(): number {
    const { clock, staggerMs } = this.#context.settings;
    return staggerMs === 0 ? 0 : this.#lastStart + staggerMs - clock.monotonic();
  }

  #arm(due: number | undefined): void {
    // A queue that only hands work in needs no timer, and one would keep its process alive.
    if (this.#stopped || this.#timer !== undefined || this.sandboxes.size === 0) return;
    const { clock, pollMs } = this.#context.settings;
    const waits = [pollMs];
    if (due !== undefined) waits.push(Math.max(0, due - this.#now()));
    const stagger = this.#staggerLeft();
    if (stagger > 0) waits.push(stagger);
    this.#timer = clock.after(Math.min(...waits), () => {
      this.#timer = undefined;
      this.ring();
    });
  }

  #now(): number {
    return this.#context.settings.clock.now();
  }
}
