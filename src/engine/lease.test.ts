import { describe, expect, test } from "vitest";
import { openSqliteStore } from "../store/index.ts";
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
