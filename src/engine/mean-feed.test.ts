import { describe, expect, test } from "vitest";
import { type Clock, type JsonObject, silentLog } from "../core/index.ts";
import { mean, type MeanAnswer, type MeanReader, type MeanWindow, type Verdict } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { meanAnswer } from "./mean-answer.ts";
import { MetricJudge } from "./metric-judge.ts";

const judgeOf = (rig: Rig, read: MeanReader, clock: Clock = rig.clock): MetricJudge =>
  new MetricJudge(
    {
      runId: "r1",
      store: rig.store,
      clock,
      log: silentLog,
      readMemory: undefined,
      touched: new Set(),
      declared: async () => await Promise.resolve(undefined),
    },
    mean("order value", read).worseThan("old", { by: 0.05 }),
    rig.clock.now(),
  );

/** 100 values around 40 and 40 · `factor`, all there is to a stretch. */
const values = (factor: number): MeanAnswer => ({
  old: Array.from({ length: 100 }, (_, i) => 30 + (i % 21)),
  new: Array.from({ length: 100 }, (_, i) => (30 + (i % 21)) * factor),
});

async function looks(rig: Rig, judge: MetricJudge, count: number, ms = 10_000): Promise<Verdict> {
  let verdict: Verdict = { kind: "hold", reason: "" };
  for (let look = 0; look < count; look++) {
    await rig.clock.advance(ms);
    ({ verdict } = await judge.look());
  }
  return verdict;
}

describe("the source of a mean", () => {
  test("is asked for one stretch after the other, without a gap, at its own pace", async () => {
    await using rig = await openRig();
    const windows: MeanWindow[] = [];
    const judge = judgeOf(rig, (window) => {
      windows.push(window);
      return values(1);
    });
    const start = rig.clock.now();
    await looks(rig, judge, 120, 250);
    expect(windows.map(({ from, to, runId }) => [from - start, to - start, runId])).toEqual([
      [0, 250, "r1"],
      [250, 10_250, "r1"],
      [10_250, 20_250, "r1"],
    ]);
  });

  test("lets the gate pass for an equal mean and fail for one ten percent lower", async () => {
    await using rig = await openRig();
    const equal = await looks(
      rig,
      judgeOf(rig, () => values(1)),
      30,
    );
    expect(equal).toMatchObject({ kind: "pass", figures: { old: { count: 3_000 } } });
    const lower = await looks(
      rig,
      judgeOf(rig, () => values(0.9)),
      30,
    );
    expect(lower.kind).toBe("fail");
    expect(lower.reason).toMatch(/^new − old −10 % /);
  });

  test("holds while it fails, and then is asked again from where it failed: no value is lost", async () => {
    await using rig = await openRig();
    const windows: MeanWindow[] = [];
    let broken = true;
    const judge = judgeOf(rig, (window) => {
      windows.push(window);
      if (broken) throw new Error("connection refused");
      return values(1);
    });
    const failing = await looks(rig, judge, 2);
    expect(failing).toMatchObject({
      kind: "hold",
      reason: "mean order value at most 5 % below old cannot be read: connection refused",
    });
    broken = false;
    expect((await looks(rig, judge, 1)).reason).toMatch(/^new − old /);
    expect(new Set(windows.map(({ from }) => from)).size).toBe(1);
  });

  test("that never answers holds and says so; it is not asked twice at once, and others are judged on", async () => {
    await using rig = await openRig();
    let asked = 0;
    const judge = judgeOf(rig, async () => {
      asked++;
      return await new Promise<MeanAnswer>(() => {});
    });
    let verdict: Verdict | undefined;
    await rig.clock.advance(1_000);
    for (let look = 0; look < 40; look++) {
      let over = false;
      void judge.look().then((given) => {
        ({ verdict } = given);
        over = true;
      });
      await rig.until(() => over, 5_000);
    }
    expect(asked).toBe(1);
    expect(verdict).toMatchObject({ kind: "hold" });
    expect(verdict?.reason).toMatch(/it has not answered for 4\d s$/);
  });

  test("stops waiting for it when the look is called off", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, async () => await new Promise<MeanAnswer>(() => {}));
    await rig.clock.advance(1_000);
    const controller = new AbortController();
    const look = judge.look(controller.signal);
    controller.abort();
    expect((await look).verdict.kind).toBe("hold");
  });

  test("of which the clock is set back is asked on from the new time", async () => {
    await using rig = await openRig();
    const windows: MeanWindow[] = [];
    let back = 0;
    const clock: Clock = {
      now: () => rig.clock.now() - back,
      monotonic: () => rig.clock.monotonic(),
      after: (ms, fn) => rig.clock.after(ms, fn),
    };
    const read: MeanReader = (window) => {
      windows.push(window);
      return values(1);
    };
    const judge = judgeOf(rig, read, clock);
    await looks(rig, judge, 2);
    back = 3_600_000;
    await looks(rig, judge, 3);
    const last = windows.at(-1);
    expect(windows).toHaveLength(4);
    expect((last?.to ?? 0) - (last?.from ?? 0)).toBe(10_000);
  });
});

describe("what a source of a mean may answer", () => {
  test("values, sums as a database adds them up, or values each with a side", () => {
    const sums = { count: 2, sum: 3, sumOfSquares: 5 };
    expect(meanAnswer({ old: [1, 2], new: sums })).toEqual({ old: sums, new: sums });
    expect(
      meanAnswer([
        { side: "new", value: 1 },
        { side: "new", value: 2 },
      ]),
    ).toEqual({
      old: { count: 0, sum: 0, sumOfSquares: 0 },
      new: sums,
    });
    expect(meanAnswer({})).toEqual({});
  });

  test.each<readonly [unknown, RegExp]>([
    [undefined, /found undefined/],
    [7, /found 7/],
    [{ neu: [1] }, /found a member "neu"/],
    [{ old: 3 }, /old to be a list of values or/],
    [{ old: [1, Number.NaN] }, /old\[1\] to be a finite number, found NaN/],
    [{ old: { count: "2", sum: 1, sumOfSquares: 1 } }, /old.count to be a finite number, found 2/],
    [{ new: { count: 0, sum: null, sumOfSquares: null } }, /new.sum to be a finite number, found null/],
    [[{ side: "both", value: 1 }], /\[0\].side to be "old" or "new", found both/],
    [[3], /\[0\].side/],
    [[{ side: "old", value: {} }], /\[0\].value to be a finite number, found an object/],
  ])("refuses %j", (answer, message) => {
    expect(() => meanAnswer(answer as JsonObject)).toThrow(message);
  });

  test("sums that no numbers have hold the gate with the reason", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, () => ({ old: { count: 10, sum: 100, sumOfSquares: 1 } }));
    expect((await looks(rig, judge, 1)).reason).toMatch(/cannot be read: expected old.sumOfSquares/);
  });
});
