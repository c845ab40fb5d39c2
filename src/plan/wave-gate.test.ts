import { describe, expect, test } from "vitest";
import type { Json } from "../core/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import type { Verdict } from "./gate-spec.ts";
import { rate, value } from "./measures.ts";
import type { StepContext } from "./step-kind.ts";
import { waveGateKind } from "./wave-gate.ts";

const errors = rate.error().below(0.01);
const depth = value("depth", () => 1).below(5);
const kind = waveGateKind({ name: "pilot", units: ["a"], exit: [errors, depth] });

/** A context whose gates answer in turn from `answers`, the last one for ever. */
function contextWith(answers: Verdict["kind"][], saved?: Json) {
  const clock = new ManualClock(1_000_000);
  const asked: { gate: string; since: number | undefined }[] = [];
  const notes: (string | undefined)[] = [];
  const abort = new AbortController();
  let checkpoint = saved;
  const context = {
    clock,
    signal: abort.signal,
    checkpoint: () => checkpoint,
    saveCheckpoint: (to: Json) => {
      checkpoint = to;
      return Promise.resolve();
    },
    progress: ({ note }) => notes.push(note),
    judge: (gate, options) => {
      asked.push({ gate: gate.name, since: options?.since });
      const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? "hold";
      return Promise.resolve({ kind: answer, reason: `${answer} because` });
    },
  } as Partial<StepContext> as StepContext;
  return { clock, context, asked, notes, abort, saved: () => checkpoint };
}

describe("the gates of a wave", () => {
  test("let the next wave start once all have passed, on evidence from after the wave alone", async () => {
    const { clock, context, asked, notes, saved } = contextWith(["hold", "pass", "pass"]);
    const work = kind.start(context);
    await clock.advance(999);
    expect(asked).toHaveLength(2);
    expect(notes).toEqual(["errors below 1 %: hold because"]);
    await clock.advance(1);
    expect(await work).toEqual({ wave: "pilot", gates: ["errors below 1 %", "depth not above 5"] });
    expect(asked.every(({ since }) => since === 1_000_000)).toBe(true);
    expect(saved()).toBe(1_000_000);
    expect(clock.pending).toBe(0);
  });

  test("go on with the same evidence after a crash", async () => {
    const { context, asked } = contextWith(["pass"], 500_000);
    await kind.start(context);
    expect(asked.map(({ since }) => since)).toEqual([500_000, 500_000]);
  });

  test("fail the step when one fails, and say which and why", async () => {
    const { context } = contextWith(["pass", "fail"]);
    await expect(kind.start(context)).rejects.toMatchObject({
      code: "CUTOVER_STEP_FAILED",
      message: 'wave "pilot" failed its gate "depth not above 5": fail because',
    });
  });

  test("stop waiting when the run pauses", async () => {
    const { context, clock, abort } = contextWith(["hold"]);
    const work = kind.start(context);
    await clock.advance(1_500);
    abort.abort(new Error("paused"));
    await expect(work).rejects.toThrow("paused");
    expect(clock.pending).toBe(0);
  });
});
