import { expect, onTestFinished } from "vitest";
import { openSqliteStore, type Store } from "../../src/store/index.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { openQueue, type Queue, type QueueOptions } from "../../src/queue/index.ts";

/** Enough turns of the event loop for everything that needs no timer to happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

export interface Opened {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly queue: Queue;
  /** Moves the clock on and lets everything settle. */
  readonly pass: (ms: number) => Promise<void>;
}

/** A queue on a manual clock over a store in memory; closed with the test, which fails when a timer is left. */
export async function open(options: QueueOptions = {}): Promise<Opened> {
  const clock = new ManualClock();
  const store = await openSqliteStore({ path: ":memory:", clock });
  const queue = await openQueue(
    { store },
    { clock, stagger: 0, slots: 4, memoryPerSlot: 100, random: () => 0, ...options },
  );
  onTestFinished(async () => {
    const stopping = queue.stop();
    await clock.advance(60_000);
    await stopping;
    await store.close();
    expect(clock.pending).toBe(0);
  });
  const pass = async (ms: number): Promise<void> => {
    await settle();
    await clock.advance(ms);
    await settle();
  };
  return { clock, store, queue, pass };
}

/** A handler whose calls are let go one by one. */
export function gate<T>(): {
  work: () => Promise<T>;
  started: number;
  finish: (value: T) => void;
  fail: (error: unknown) => void;
} {
  const waiting: PromiseWithResolvers<T>[] = [];
  const door = {
    started: 0,
    work: () => {
      const call = Promise.withResolvers<T>();
      door.started++;
      waiting.push(call);
      return call.promise;
    },
    finish: (value: T) => waiting.shift()?.resolve(value),
    fail: (error: unknown) => waiting.shift()?.reject(error),
  };
  return door;
}
