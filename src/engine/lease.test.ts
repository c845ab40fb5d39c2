import { describe, expect, test } from "vitest";
import type { Clock, Timer } from "../core/index.ts";
import { openSqliteStore, type Store } from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { Lease } from "./lease.ts";

/** A manual clock whose loop can be blocked: time goes on, timers fire late. */
class BlockedClock extends ManualClock {
  lag = 0;
  override monotonic(): number {
    return super.monotonic() + this.lag;
  }
  override now(): number {
    return super.now() + this.lag;
  }
}

/** A clock as Node has it on a machine that stood still: what is due by then fires in one go, with nothing in between. */
class JumpingClock implements Clock {
  #now = 0;
  #timers: { readonly due: number; readonly fire: () => void }[] = [];
  readonly now = (): number => this.#now;
  readonly monotonic = (): number => this.#now;
  after(ms: number, fire: () => void): Timer {
    const timer = { due: this.#now + ms, fire };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((each) => each !== timer)), unref() {} };
  }
  jump(to: number): void {
    this.#now = to;
    for (const timer of this.#timers.toSorted((a, b) => a.due - b.due)) {
      if (timer.due > to || !this.#timers.includes(timer)) continue;
      this.#timers = this.#timers.filter((each) => each !== timer);
      timer.fire();
    }
  }
}

function jumpingLease(renew: () => Promise<boolean>) {
  const clock = new JumpingClock();
  const lost: Error[] = [];
  const store = { runs: { renew } } as unknown as Store;
  const about = { run: "r1", owner: "me", fence: 1, leaseMs: 15_000, claimedAt: 0 };
  const lease = new Lease({ store, clock, ...about, onLost: (error) => lost.push(error) });
  return { clock, lease, lost };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function held(clock: BlockedClock) {
  const store = await openSqliteStore({ path: ":memory:", clock });
  const graph = {};
  await store.runs.commit("r1", [
    { type: "run.created", data: { migration: "m", hash: "h", source: "s", by: "ann", graph } },
  ]);
  const claimedAt = clock.monotonic();
  const { fence } = await store.runs.claim("r1", "me", 15_000);
  const lost: Error[] = [];
  const lease = new Lease({
    store,
    clock,
    run: "r1",
    owner: "me",
    fence,
    leaseMs: 15_000,
    claimedAt,
    onLost: (error) => lost.push(error),
  });
  return { store, lease, lost };
}

describe("a lease", () => {
  test("is kept by its heartbeat and given free by its release", async () => {
    const clock = new BlockedClock();
    const { store, lease, lost } = await held(clock);
    await clock.advance(120_000);
    await expect(store.runs.claim("r1", "other", 15_000)).rejects.toMatchObject({
      code: "CUTOVER_STORE_OWNED",
    });
    await lease.release();
    expect((await store.runs.claim("r1", "other", 15_000)).fence).toBe(2);
    expect([lost, clock.pending]).toEqual([[], 0]);
    await store.close();
  });

  test("is lost at the next heartbeat after somebody else took the run", async () => {
    const clock = new BlockedClock();
    const { store, lost } = await held(clock);
    await store.runs.claim("r1", "other", 15_000, "same-machine");
    await clock.advance(5_000);
    expect(lost).toMatchObject([{ code: "CUTOVER_LEASE_LOST" }]);
    expect(clock.pending).toBe(0);
    await store.close();
  });

  test("survives a blocked event loop when nobody took the run meanwhile", async () => {
    const clock = new BlockedClock();
    const { store, lease, lost } = await held(clock);
    clock.lag = 40_000;
    await clock.advance(20_000);
    expect(lost).toEqual([]);
    await lease.release();
    await store.close();
  });

  test("survives a loop that was blocked past the renewal and its limit, but not past its end", async () => {
    const { clock, lease, lost } = jumpingLease(() => Promise.resolve(true));
    clock.jump(12_500);
    await settled();
    clock.jump(14_900);
    expect(lost).toEqual([]);
    lease.abandon();
  });

  test("is given up before its end when the renewal that was held up is not answered", async () => {
    const { clock, lost } = jumpingLease(() => new Promise(() => {}));
    clock.jump(12_500);
    await settled();
    expect(lost).toEqual([]);
    clock.jump(13_500);
    expect(lost).toMatchObject([{ code: "CUTOVER_LEASE_LOST" }]);
  });

  test("is given up at its limit when the renewal has been on its way since it was due", async () => {
    const { clock, lost } = jumpingLease(() => new Promise(() => {}));
    clock.jump(5_000);
    clock.jump(12_000);
    expect(lost).toMatchObject([{ code: "CUTOVER_LEASE_LOST" }]);
  });

  test("is lost after a blocked event loop when somebody did", async () => {
    const clock = new BlockedClock();
    const { store, lost } = await held(clock);
    clock.lag = 40_000;
    await store.runs.claim("r1", "other", 15_000);
    await clock.advance(20_000);
    expect(lost).toMatchObject([{ code: "CUTOVER_LEASE_LOST" }]);
    await store.close();
  });
});
