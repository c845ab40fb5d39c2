import type { Clock, Log } from "../core/index.ts";
import type { StoreReach } from "../store/index.ts";

/**
 * Keeps the claims of this worker while its own thread cannot: a thread that watches over the heartbeats. As long as
 * the queue's timer renews the leases in time it does nothing at all; when none came for half a lease (work that blocks
 * the event loop, a store connection that hangs) it renews what this worker holds, over a connection of its own, until
 * the timer is back. So heartbeats are not held up by the user's code, and the hot path pays nothing for it: the two
 * share three numbers in memory, no messages.
 *
 * How `Leases` uses it: `start()` with the first claim, `beat(at)` after each successful renewal (and when the first
 * order is held after none was), `idle()` when nothing is held, `renewedAt()` before it gives work up because its own
 * heartbeat failed, `stop()` with the queue.
 */
export interface Heartbeat {
  /** Starts the thread when it does not run yet. Cheap when it does. */
  start(): void;
  /** All that is held was claimed or renewed at this monotonic time or later. */
  beat(at: number): void;
  /** Nothing is held: there is nothing to watch over. */
  idle(): void;
  /** Monotonic time right before the thread's last successful renewal; -Infinity when there was none. */
  renewedAt(): number;
  /** Why the thread does not watch, for health; undefined while it does or was not needed yet. */
  readonly trouble: string | undefined;
  stop(): Promise<void>;
}

export interface HeartbeatOptions {
  /** How the thread finds the store; undefined: it cannot (memory, a store of somebody else), and says so never. */
  readonly reach: StoreReach | undefined;
  readonly queue: string;
  /** Name of this worker in the record. */
  readonly worker: string;
  readonly leaseMs: number;
  readonly graceMs: number;
  /** Anything but the system's clock, and no thread is started: it cannot follow a clock that a test moves. */
  readonly clock: Clock;
  readonly log: Log;
}
