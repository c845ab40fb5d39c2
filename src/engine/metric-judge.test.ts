import { describe, expect, test } from "vitest";
import { silentLog } from "../core/index.ts";
import { type MetricGate, rate, value } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { MetricJudge } from "./metric-judge.ts";

const judgeOf = (rig: Rig, gate: MetricGate, touched: readonly string[] = []): MetricJudge =>
  new MetricJudge(
    {
      runId: "r1",
      store: rig.store,
      clock: rig.clock,
      log: silentLog,
      readMemory: undefined,
      touched: new Set(touched),
      declared: async () => await Promise.resolve(undefined),
    },
    gate,
    rig.clock.now(),
  );

async function live(rig: Rig, epoch: number, share: number): Promise<void> {
  await rig.store.routes.set({ route: "orders", epoch, stage: "live", share, by: "test" });
}

const kind = async (judge: MetricJudge): Promise<string> => (await judge.look()).verdict.kind;

describe("a plain limit", () => {
  const limit: MetricGate = {
    type: "metric",
    name: "errors of orders",
    measure: { of: "errors", route: "orders" },
    rule: { kind: "limit", limit: 0.5, direction: "above", minSample: 5, n: 2, m: 3, intervalMs: 1_000 },
  };

  test("starts anew when the route changes: what another share showed decides nothing", async () => {
    await using rig = await openRig();
    await live(rig, 0, 10);
    const judge = judgeOf(rig, limit);
    for (let second = 0; second < 2; second++) {
      await rig.clock.advance(1_000);
      await rig.measure("orders", { new: [20, 20] });
      await judge.look();
    }
    await live(rig, 1, 5);
    await rig.clock.advance(1_000);
    await rig.measure("orders", { new: [20, 0] });
    expect(await kind(judge)).toBe("hold");
    for (let second = 0; second < 4; second++) {
      await rig.clock.advance(1_000);
      await rig.measure("orders", { new: [20, 0] });
    }
    expect(await kind(judge)).toBe("pass");
  });
});

describe("a ratio", () => {
  const worse = rate.error("orders").worseThan("old", { by: 2 });

  test("keeps what it learned when the share changes, and counts late intervals once", async () => {
    await using rig = await openRig();
    await live(rig, 0, 10);
    const judge = judgeOf(rig, worse);
    await rig.clock.advance(1_000);
    await rig.measure("orders", { old: [90, 1], new: [10, 2] });
    await judge.look();
    await live(rig, 1, 20);
    await rig.clock.advance(1_000);
    await rig.measure("orders", { old: [80, 1], new: [20, 3] });
    await judge.look();
    const { evidence } = await judge.look();
    expect(evidence).toMatchObject({
      intervals: 2,
      old: { calls: 170, errors: 2 },
      new: { calls: 30, errors: 5 },
      routes: { orders: { share: 20, epoch: 2 } },
    });
  });

  test("adds up all routes the run touched when it names none", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, rate.error().worseThan("old", { by: 2 }), ["orders", "mails"]);
    await rig.clock.advance(1_000);
    await rig.measure("orders", { old: [90, 1], new: [10, 0] });
    await rig.measure("mails", { old: [90, 1], new: [10, 0] });
    await rig.measure("others", { old: [90, 1], new: [10, 10] });
    expect((await judge.look()).evidence).toMatchObject({ intervals: 2, new: { calls: 20, errors: 0 } });
  });

  test("passes over an interval that cannot be, and still counts the others", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, worse);
    await rig.clock.advance(1_000);
    await rig.measure("orders", { old: [10, 1], new: [5, 9] });
    await rig.measure("orders", { old: [10, 1], new: [5, 1] });
    expect((await judge.look()).evidence).toMatchObject({ intervals: 1, new: { calls: 5, errors: 1 } });
  });
});

describe("a value", () => {
  test("is read once an interval", async () => {
    await using rig = await openRig();
    let reads = 0;
    const gate = value("depth", () => ++reads).below(100, { n: 1, of: 2, interval: "10s" });
    const judge = judgeOf(rig, gate);
    for (let look = 0; look < 80; look++) {
      await judge.look();
      await rig.clock.advance(250);
    }
    expect(reads).toBe(2);
    await rig.clock.advance(12_000);
    expect(await kind(judge)).not.toBe("fail");
  });
});
