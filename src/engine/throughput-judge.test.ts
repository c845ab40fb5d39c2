import { describe, expect, test } from "vitest";
import { throughput, type ThroughputCondition } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { ThroughputJudge } from "./throughput-judge.ts";

const judgeOf = (rig: Rig): ThroughputJudge => {
  const sources = { store: rig.store, clock: rig.clock, touched: new Set<string>() };
  return new ThroughputJudge(
    sources,
    throughput("orders").below(0.5) as ThroughputCondition,
    rig.clock.now(),
  );
};

async function seconds(rig: Rig, count: number, old: number, fresh: number, failed = 0): Promise<void> {
  for (let i = 0; i < count; i++) {
    await rig.clock.advance(1_000);
    await rig.measure("orders", { old: [old, 0], new: [fresh, failed] });
  }
}

const share = async (rig: Rig, percent: number): Promise<void> => {
  const epoch = (await rig.store.routes.get("orders"))?.epoch ?? 0;
  await rig.store.routes.set({ route: "orders", epoch, stage: "live", share: percent, by: "ann" });
};

describe("throughput of the new side", () => {
  test("is compared with its share of the same windows, so the rhythm of a day does not matter", async () => {
    await using rig = await openRig();
    await share(rig, 25);
    const judge = judgeOf(rig);
    for (const calls of [300, 150, 30, 90]) await seconds(rig, 20, calls, calls / 3);
    expect((await judge.look()).verdict).toMatchObject({ kind: "pass" });
  });

  test("counts a failed call as not done", async () => {
    await using rig = await openRig();
    await share(rig, 25);
    const judge = judgeOf(rig);
    await seconds(rig, 80, 300, 100, 60);
    expect((await judge.look()).verdict).toMatchObject({ kind: "fail" });
  });

  test("is compared with the old side's pace of before where the new side answers everything", async () => {
    await using rig = await openRig();
    await share(rig, 50);
    await seconds(rig, 60, 100, 100);
    await share(rig, 100);
    const judge = judgeOf(rig);
    await seconds(rig, 80, 0, 180);
    expect((await judge.look()).verdict).toMatchObject({ kind: "pass" });
    await seconds(rig, 60, 0, 80);
    expect((await judge.look()).verdict).toMatchObject({ kind: "fail" });
  });

  test("holds where nothing is known to compare with, and where there is too little of it", async () => {
    await using rig = await openRig();
    await share(rig, 100);
    const judge = judgeOf(rig);
    await seconds(rig, 80, 0, 5);
    expect((await judge.look()).verdict).toMatchObject({ kind: "hold" });
    await using other = await openRig();
    await share(other, 1);
    const small = judgeOf(other);
    await seconds(other, 80, 100, 0);
    expect((await small.look()).verdict).toMatchObject({ kind: "hold" });
  });
});
