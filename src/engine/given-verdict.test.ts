import { describe, expect, test } from "vitest";
import { type CustomGate, defineMigration, gate, phase, step, type Verdict, when } from "../plan/index.ts";
import { openRig } from "../testing/engine-rig.ts";

/** What plain JavaScript may answer, whatever the type says. */
const judgedBy = (judge: () => unknown): CustomGate =>
  gate("the count fits", { collect: () => ({ n: 1 }), judge: judge as () => Verdict });

const shape = '{ kind: "pass", "fail" or "hold", reason: text }';

const endless: Record<string, unknown> = {};
endless["self"] = endless;

const answers: readonly (readonly [name: string, answer: unknown, found: string])[] = [
  ["a kind that is none", { kind: "failed", reason: "r" }, '{"kind":"failed","reason":"r"}'],
  ["a kind in capitals", { kind: "FAIL", reason: "r" }, '{"kind":"FAIL","reason":"r"}'],
  ["a fail without a reason", { kind: "fail" }, '{"kind":"fail"}'],
  ["a pass without a reason", { kind: "pass" }, '{"kind":"pass"}'],
  ["a pass for a reason that is no text", { kind: "pass", reason: 7 }, '{"kind":"pass","reason":7}'],
  ["false", false, "false"],
  ["true", true, "true"],
  ["a word", "pass", '"pass"'],
  ["a list", ["pass"], '["pass"]'],
  ["nothing", undefined, "nothing"],
  ["null", null, "null"],
  ["what JSON cannot hold", endless, "an object that JSON cannot hold"],
];

const phases = (exit: readonly CustomGate[], undone: () => void = () => {}) =>
  defineMigration({
    name: "judged",
    phases: [phase("move", { steps: [step("go", { run: () => {}, rollback: undone })], exit })],
  });

describe("a judge of one's own", () => {
  test.each(answers)(
    "that answers with %s holds the phase and says what was found",
    async (...[, answer, found]) => {
      await using rig = await openRig();
      const handle = await rig.start(phases([judgedBy(() => answer)]));
      await rig.until(() => handle.live().verdicts.length > 0);
      await rig.clock.advance(5_000);
      expect(handle.live().verdicts).toMatchObject([
        { kind: "hold", reason: `it cannot judge its evidence: expected ${shape}, found ${found}` },
      ]);
      expect(await rig.store.runs.phases(handle.id)).toMatchObject([{ state: "GATING" }]);
      // What was held so is carried on by whoever comes next, and can be taken back.
      await handle.stop();
      const again = await rig.resume(handle.id, phases([judgedBy(() => answer)]), { rollback: "enough" });
      expect(await rig.end(again)).toMatchObject({ state: "ROLLED_BACK" });
    },
  );

  test("in an async function is waited for: its fail takes the run back, its pass lets it on", async () => {
    await using rig = await openRig();
    const failing = await rig.start(phases([judgedBy(async () => ({ kind: "fail", reason: "too many" }))]));
    expect(await rig.end(failing)).toMatchObject({
      state: "ROLLED_BACK",
      reason: expect.stringContaining("too many"),
    });
    const passing = await rig.start(phases([judgedBy(async () => ({ kind: "pass", reason: "it fits" }))]));
    expect(await rig.end(passing)).toMatchObject({ state: "COMPLETED" });
  });

  test.each([
    ["throws later", async () => await Promise.reject(new Error("no sums")), "no sums"],
    ["never answers", () => new Promise(() => {}), "expected an answer within 10 s, found none"],
  ])("that %s holds the phase", async (_, judge, said) => {
    await using rig = await openRig();
    const handle = await rig.start(phases([judgedBy(judge)]));
    await rig.until(() => handle.live().verdicts.length > 0);
    expect(handle.live().verdicts[0]).toMatchObject({ kind: "hold", reason: expect.stringContaining(said) });
  });

  test("that gives figures which are none, or a wait that is no time, holds the phase", async () => {
    for (const more of [{ figures: 7 }, { figures: { n: 1n } }, { waitMs: "soon" }, { waitMs: Number.NaN }]) {
      await using rig = await openRig();
      const handle = await rig.start(phases([judgedBy(() => ({ kind: "pass", reason: "r", ...more }))]));
      await rig.until(() => handle.live().verdicts.length > 0);
      expect(handle.live().verdicts[0]).toMatchObject({ kind: "hold" });
    }
  });

  test("sets off a trigger from an async function, and sets off nothing by an answer of another shape", async () => {
    await using rig = await openRig();
    const guarded = (judge: () => unknown, action: "rollback" | "alert") =>
      defineMigration({
        name: "guarded",
        phases: [
          phase("move", {
            steps: [
              step("go", {
                run: async ({ clock, signal }) =>
                  await new Promise<void>((resolve, reject) => {
                    clock.after(20_000, resolve);
                    signal.addEventListener("abort", () => reject(new Error("told to stop")));
                  }),
                rollback: () => {},
              }),
            ],
          }),
        ],
        triggers: [when(judgedBy(judge)).then(action)],
      });
    const late = await rig.start(
      guarded(async () => ({ kind: "fail", reason: "50 complaints" }), "rollback"),
    );
    expect(await rig.end(late)).toMatchObject({ state: "ROLLED_BACK" });
    const odd = await rig.start(guarded(() => ({ kind: "failed", reason: "50 complaints" }), "rollback"));
    await rig.clock.advance(5_000);
    expect(odd.live().verdicts).toMatchObject([{ role: "trigger", kind: "hold" }]);
    expect(await rig.end(odd)).toMatchObject({ state: "COMPLETED" });
  });

  test("of a wave whose answer is none keeps the wave from being met", async () => {
    await using rig = await openRig();
    const handle = await rig.start(
      defineMigration({
        name: "waves",
        units: [{ name: "orders" }],
        waves: [{ name: "first", units: ["orders"], exit: [judgedBy(() => false)] }],
        phases: [phase("move", { steps: [step("go", { run: () => {}, unit: "orders" })] })],
      }),
    );
    await rig.until(() => handle.live().verdicts.length > 0);
    await rig.clock.advance(5_000);
    expect(handle.live().verdicts).toMatchObject([{ role: "step", kind: "hold" }]);
    expect(handle.live().state).toBe("RUNNING");
  });
});
