import type { StoreReach } from "../store/index.ts";

/** What the thread is started with. */
export interface HeartbeatOrder {
  readonly reach: StoreReach;
  readonly queue: string;
  readonly worker: string;
  readonly leaseMs: number;
  readonly graceMs: number;
  /**
   * Three 64-bit numbers, read and written atomically; times in milliseconds of the system's monotonic clock.
   * 0: all that is held was claimed or renewed then, or later. 1: whether anything is held.
   * 2: when the thread last renewed, unbroken since 0.
   */
  readonly shared: SharedArrayBuffer;
}
