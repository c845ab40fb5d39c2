import { faultPoint, hasCode, type Timer } from "../core/index.ts";
import type { Attempt } from "./attempt.ts";
import type { QueueContext } from "./context.ts";
import { Heartbeat } from "./heartbeat.ts";

interface Held {
  readonly attempt: Attempt;
  /** Monotonic time at which the lease ends as far as is known here: counted from before the store was asked. */
  until: number;
}

/**
 * Heartbeats of all claims of this process, at a third of the lease, from a timer of this thread; `Heartbeat` watches
 * over it from another one. Work is asked to end when a third of its lease is left and no heartbeat came through, so
 * that it is over before somebody else may claim it.
 */
export class Leases {
  readonly #context: QueueContext;
  readonly #held = new Map<string, Held>();
  readonly #watch: Heartbeat;
  #timer: Timer | undefined;
  /** The next moment at which work has to end, while heartbeats do not come through. */
  #ending: Timer | undefined;
  #renewing = false;

  constructor(context: QueueContext) {
    this.#context = context;
    this.#watch = new Heartbeat(context);
  }

  /** Why nobody watches over the heartbeats; undefined while somebody does or need not. */
  get trouble(): string | undefined {
    return this.#watch.trouble;
  }

  /** `claimedAt`: monotonic time right before the claim was asked for. */
  hold(attempt: Attempt, claimedAt: number): void {
    if (this.#held.size === 0) this.#watch.beat(claimedAt);
    const until = claimedAt + this.#context.settings.leaseMs;
    this.#held.set(attempt.order.id, { attempt, until });
    this.#arm();
  }

  release(id: string): void {
    this.#held.delete(id);
    if (this.#held.size > 0) return;
    this.#watch.idle();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ending?.cancel();
    this.#ending = undefined;
  }

  /** Ends all work that is held: where its store is gone nothing says any more whose it is. */
  endAll(): void {
    const { leaseMs } = this.#context.settings;
    for (const { attempt } of this.#held.values()) attempt.end("lease-lost", leaseMs / 6);
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#held.size === 0) return;
    const { clock, leaseMs } = this.#context.settings;
    this.#timer = clock.after(leaseMs / 3, () => {
      this.#timer = undefined;
      void this.#beat();
      this.#arm();
    });
  }

  async #beat(): Promise<void> {
    // A heartbeat that hangs in the store must not hide that the leases run out.
    if (this.#renewing) return this.#endExpiring();
    const { settings, store } = this.#context;
    const { clock, leaseMs } = settings;
    const held = [...this.#held.values()];
    const before = clock.monotonic();
    this.#renewing = true;
    try {
      faultPoint("queue.renew.before");
      const lost = new Set(
        await store.orders.renew(
          held.map(({ attempt }) => ({ id: attempt.order.id, fence: attempt.order.fence })),
          leaseMs,
        ),
      );
      faultPoint("queue.renew.after");
      for (const entry of held) {
        if (lost.has(entry.attempt.order.id)) entry.attempt.end("lease-lost", leaseMs / 6);
        else entry.until = before + leaseMs;
      }
      // What was claimed meanwhile was claimed after `before`.
      if (this.#held.size > 0) this.#watch.beat(before);
    } catch (error) {
      settings.log.warn("a heartbeat could not be written", { orders: held.length, reason: String(error) });
      if (hasCode(error, "CUTOVER_STORE_GONE")) this.endAll();
      else this.#endExpiring();
    } finally {
      this.#renewing = false;
    }
  }

  /** Ends work whose claim the store does not have any more, or whose end was asked for, as no event may have told. */
  async lookAtHeld(): Promise<void> {
    const { settings, store } = this.#context;
    for (const { attempt } of this.#held.values()) {
      const { id, fence, worker } = attempt.order;
      const found = await store.orders.get(id);
      const isOwn = found?.fence === fence && found.worker === worker && found.leaseUntil !== null;
      if (!isOwn) attempt.end("lease-lost", settings.leaseMs / 6);
      else if (found.cancelRequested) attempt.end("cancelled");
    }
  }

  /** Ends work of whose lease a third is left: it must be over before somebody else may claim it. */
  #endExpiring(): void {
    const { clock, leaseMs } = this.#context.settings;
    const now = clock.monotonic();
    const watched = this.#watch.renewedAt + leaseMs;
    let next = Number.POSITIVE_INFINITY;
    for (const { attempt, until } of this.#held.values()) {
      const left = Math.max(until, watched) - now - leaseMs / 3;
      if (left <= 0) attempt.end("lease-lost", leaseMs / 6);
      else next = Math.min(next, left);
    }
    this.#ending?.cancel();
    // What was claimed between two heartbeats has its moment between two others.
    this.#ending = next < leaseMs / 3 ? clock.after(next, () => this.#endExpiring()) : undefined;
  }
}
