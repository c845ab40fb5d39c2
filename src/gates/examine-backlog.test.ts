import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import type { Interval } from "../core/index.ts";
import { type BacklogRule, createJudge, type Judge } from "./index.ts";

const gate: BacklogRule = { kind: "backlog", limit: 10, over: "hold", forMs: 3_000 };
const alarm: BacklogRule = { ...gate, over: "fail" };
const judgeOf = (rule: BacklogRule): Judge => createJudge(rule, { of: "backlog", route: "queue.submit" });
const open = (i: number, backlog: number, door = "a"): Interval => ({ ...intervalOf(i), door, backlog });
const after = (rule: BacklogRule, intervals: readonly Interval[], now?: number) => {
  const judge = judgeOf(rule);
  judge.add(intervals);
  return judge.verdict(undefined, now);
};
const steady = (backlog: number, seconds = 5): Interval[] =>
  Array.from({ length: seconds }, (_, i) => open(i, backlog));

describe("the backlog of second writes", () => {
  test("passes once it has stayed below the limit, and says how long it still has to", () => {
    expect(after(gate, steady(9, 2))).toMatchObject({
      kind: "hold",
      reason: "9 open, limit 10; for 1.0 s of 3.0 s",
      waitMs: 2_000,
    });
    expect(after(gate, steady(9))).toMatchObject({ kind: "pass", reason: "9 open, limit 10" });
  });

  test("at the limit a gate holds, since a backlog drains; a trigger fires", () => {
    expect(after(gate, steady(10)).kind).toBe("hold");
    expect(after(alarm, steady(10, 2)).kind).toBe("hold");
    expect(after(alarm, steady(10)).kind).toBe("fail");
  });

  test("one reading over the limit fires nothing", () => {
    expect(after(alarm, [...steady(2), open(5, 50), open(6, 2), open(7, 50)]).kind).toBe("hold");
  });

  test("tells when it will be drained at the pace of the last minute", () => {
    const draining = Array.from({ length: 6 }, (_, i) => open(i, 100 - 10 * i));
    expect(after(gate, draining).waitMs).toBe(4_100 + 3_000);
    expect(after(gate, steady(50)).waitMs).toBeUndefined();
  });

  test("adds up the doors, the newest of each", () => {
    const doors = ["a", "b", "c"].flatMap((door) => [open(0, 90, door), open(1, 4, door)]);
    expect(after(gate, doors)).toMatchObject({ figures: { open: 12, doors: { a: 4, b: 4, c: 4 } } });
  });

  test("a door that falls silent with writes open keeps counting and is named", () => {
    const lost = [open(0, 7, "gone"), ...Array.from({ length: 50 }, (_, i) => open(i, 5))];
    const verdict = after(gate, lost);
    expect(verdict).toMatchObject({ kind: "hold", figures: { open: 12, silent: ["gone"] } });
    expect(verdict.reason).toBe("12 open, limit 10; still counted: 7 of gone, silent for 49 s");
    expect(verdict.waitMs).toBeUndefined();
  });

  test("what a dead door left is counted by the next door of its host, so it is no longer counted twice", () => {
    const heir = (seconds: number) => [
      open(0, 7, "host:1"),
      ...Array.from({ length: seconds }, (_, i) => open(i, 5, "host:2")),
    ];
    expect(after(gate, heir(20))).toMatchObject({ kind: "hold", figures: { open: 12 } });
    expect(after(gate, heir(50))).toMatchObject({ kind: "pass", figures: { open: 5, silent: [] } });
  });

  test("a door that ended with nothing open is forgotten", () => {
    const ended = [open(0, 0, "gone"), ...Array.from({ length: 50 }, (_, i) => open(i, 5))];
    expect(after(gate, ended)).toMatchObject({ kind: "pass", figures: { doors: { a: 5 } } });
  });

  test("holds while nobody reports: silence does not prove an empty journal", () => {
    expect(after(gate, [])).toMatchObject({ kind: "hold", reason: "no door has reported second writes yet" });
    expect(after(gate, [intervalOf(0)])).toMatchObject({ kind: "hold" });
    const mute = after(gate, steady(0), 60_000);
    expect(mute).toMatchObject({ kind: "hold", reason: "0 open, limit 10; no door has reported for 55 s" });
    expect(mute.waitMs).toBeUndefined();
    expect(after(alarm, steady(50), 60_000).kind).toBe("hold");
  });

  test("what doors said before the stretch that is judged still stands", () => {
    const judge = judgeOf(gate);
    judge.remember([open(0, 20, "gone")]);
    judge.add([open(1, 0), open(2, 0), open(3, 0), open(4, 0)]);
    expect(judge.verdict().figures).toMatchObject({ open: 20 });
  });

  test("a late report changes nothing, a clock set back does not blind it", () => {
    expect(after(gate, [...steady(9), open(1, 500)]).kind).toBe("pass");
    const back = [open(1_000, 2), open(0, 50), open(1, 50), open(2, 50), open(3, 50)];
    expect(after(alarm, back)).toMatchObject({ kind: "fail", figures: { open: 50, lastedMs: 3_000 } });
  });

  test("refuses gauges and limits that cannot be", () => {
    expect(() => after(gate, [open(0, -1)])).toThrow(/backlog/);
    expect(() => after(gate, [open(0, Number.NaN)])).toThrow(/backlog/);
    expect(() => after(gate, [open(0, 0)], Number.NaN)).toThrow(/now/);
    expect(() => judgeOf({ ...gate, limit: 0 })).toThrow(/limit/);
    expect(() => judgeOf({ ...gate, forMs: -1 })).toThrow(/forMs/);
    expect(() => judgeOf({ ...gate, over: "maybe" as never })).toThrow(/over/);
  });
});
