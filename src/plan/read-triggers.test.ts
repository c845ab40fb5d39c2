import { describe, expect, test } from "vitest";
import { isCutoverError } from "../core/index.ts";
import { compile } from "./compile.ts";
import { defineMigration } from "./define-migration.ts";
import type { MigrationInput, Trigger } from "./definition.ts";
import { memory, value } from "./measures.ts";
import { gate, phase } from "./phase.ts";
import { behindSchedule, failuresInARow, growth, throughput, unitsFailed } from "./run-conditions.ts";
import { step } from "./task.ts";
import { contingency, manual, when } from "./when.ts";

const base = (triggers: readonly Trigger[], more: Partial<MigrationInput> = {}): MigrationInput => ({
  name: "guarded",
  phases: [phase("one", { steps: [step("copy", { run: () => {} })] })],
  triggers,
  ...more,
});
const mend = { name: "mend", on: "manual", steps: [step("look", { run: () => {} })] } as const;
const bad = memory().above(0.9);
const depth = (): number => 1;

describe("a wrong trigger is refused with what would be right", () => {
  test.each<[string, MigrationInput, code: string, message: string, remedy: string]>([
    [
      "a contingency nobody declared",
      base([when(bad).then(contingency("mnd"))], { contingencies: [mend] }),
      "CUTOVER_PLAN_INVALID",
      'found "mnd"',
      'did you mean "mend"?',
    ],
    [
      "a contingency where there is none",
      base([when(bad).then(contingency("mend"))]),
      "CUTOVER_PLAN_INVALID",
      'found "mend"',
      "declare it",
    ],
    [
      "one that runs by itself",
      base([when(bad).then(contingency("mend"))], { contingencies: [{ ...mend, on: "rollback-stuck" }] }),
      "CUTOVER_PLAN_INVALID",
      "when a rollback is stuck",
      'on: "manual"',
    ],
    [
      "an action nearly right",
      base([when(bad).then("holt" as "hold")]),
      "CUTOVER_PLAN_INVALID",
      'found "holt"',
      'did you mean "hold"?',
    ],
    [
      "a debounce that is no duration",
      base([when(bad).then("alert", { for: "soon" as "1s" })]),
      "CUTOVER_DURATION_INVALID",
      "`for`",
      "",
    ],
    [
      "a debounce of a person",
      base([manual("impact").then("pause", { for: "1m" } as object)]),
      "CUTOVER_PLAN_INVALID",
      "no `for`",
      "the person decides",
    ],
    [
      "a repeated rollback",
      base([when(bad).then("rollback", { repeat: "1m" })]),
      "CUTOVER_PLAN_INVALID",
      "found it on rollback",
      "remove `repeat`",
    ],
    [
      "an option nobody knows",
      base([when(bad).then("alert", { until: "1m" } as object)]),
      "CUTOVER_PLAN_INVALID",
      "knows no `until`",
      "",
    ],
    [
      "failed units of a migration without units",
      base([when(unitsFailed().above(2)).then("pause")]),
      "CUTOVER_PLAN_INVALID",
      "a migration of none",
      "`units`",
    ],
    [
      "half a failed unit",
      base([when(unitsFailed().above(0.5)).then("pause")], { units: ["a"] }),
      "CUTOVER_GATE_INPUT",
      "a whole number",
      "",
    ],
    [
      "a schedule without an end",
      base([when(behindSchedule().above("7d")).then("pause")], { schedule: { start: "2026-01-01" } }),
      "CUTOVER_PLAN_INVALID",
      "none with an end",
      "schedule:",
    ],
    [
      "a lag that is no duration",
      base([when(behindSchedule().above("week" as "7d")).then("pause")], { schedule: { end: "2026-01-01" } }),
      "CUTOVER_GATE_INPUT",
      "a duration above 0",
      "",
    ],
    [
      "a growth that nobody reads",
      base([when(growth("queue", 5 as never).above(10)).then("alert")]),
      "CUTOVER_GATE_INPUT",
      "a function",
      "",
    ],
    [
      "a growth without a limit",
      base([when(growth("queue", depth).above(Number.NaN)).then("alert")]),
      "CUTOVER_GATE_INPUT",
      "a finite limit",
      "",
    ],
    [
      "a throughput above the old side's",
      base([when(throughput("orders").below(2)).then("alert")]),
      "CUTOVER_GATE_INPUT",
      "at most 1",
      "",
    ],
    [
      "more windows than there are",
      base([when(throughput().below(0.5, { n: 5, of: 3 })).then("alert")]),
      "CUTOVER_GATE_INPUT",
      "at most 3 windows",
      "",
    ],
    [
      "a fraction of a failure",
      base([when(failuresInARow("health", depth).above(1.5)).then("alert")]),
      "CUTOVER_GATE_INPUT",
      "whole number",
      "",
    ],
    ["a person's trigger of no name", base([manual("").then("alert")]), "CUTOVER_PLAN_INVALID", "`name`", ""],
    [
      "a condition of no sort",
      base([{ name: "x", condition: { type: "run", of: "moon", name: "x" } as never, action: "alert" }]),
      "CUTOVER_GATE_INPUT",
      "a known condition",
      "",
    ],
  ])("%s", (_, input, code, message, remedy) => {
    let thrown: unknown;
    try {
      defineMigration(input);
    } catch (error) {
      thrown = error;
    }
    if (!isCutoverError(thrown)) throw new Error("it was taken");
    expect(thrown.code).toBe(code);
    expect(thrown.message).toContain(message);
    expect(thrown.remedy).toContain(remedy);
  });
});

describe("a trigger", () => {
  const { signal } = new AbortController();
  const hashOf = (trigger: Trigger): string =>
    compile(defineMigration(base([trigger], { contingencies: [mend] }))).hash;

  test("takes a gate of one's own", () => {
    const own = gate("own", { collect: () => ({}), judge: () => ({ kind: "pass", reason: "" }) });
    expect(when(own).then("pause")).toMatchObject({
      name: "own",
      action: "pause",
      condition: { type: "custom" },
    });
    expect(() => hashOf(when(own).then("pause"))).not.toThrow();
  });

  test("is another definition with another time, another action or another probe, and the same with the same", () => {
    const hashes = [
      when(bad).then("alert"),
      when(bad).then("alert", { for: "1m" }),
      when(bad).then("alert", { recover: "1m" }),
      when(bad).then(contingency("mend")),
      when(growth("queue", depth).above(10)).then("alert"),
      when(growth("queue", () => 2).above(10)).then("alert"),
      when(failuresInARow("health", () => true).above(3)).then("alert"),
      when(failuresInARow("health", () => false).above(3)).then("alert"),
      manual("impact").then("alert"),
    ].map(hashOf);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashOf(when(bad).then("alert", { phases: undefined } as object))).toBe(hashes[0]);
  });

  test("a probe that hangs has failed when its interval is over, and is told to stop", async () => {
    let told: unknown;
    const { measure } = failuresInARow(
      "health",
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject((told = signal.reason)));
        }),
    ).above(3, { interval: "20ms" });
    expect(measure.of === "value" ? await measure.read({ signal }) : undefined).toBe(1);
    expect(told).toMatchObject({ name: "TimeoutError" });
  });

  test("a row of failures ends with one success, and a throw is a failure", async () => {
    const { measure } = failuresInARow("health", () => {
      throw new Error("no answer");
    }).above(3);
    const reads = await Promise.all(
      [undefined, false, true, 0]
        .map((answer) => failuresInARow("h", () => answer).above(1))
        .map(({ measure: m }) =>
          m.of === "value" ? Promise.resolve(m.read({ signal })) : Promise.resolve(-1),
        ),
    );
    expect(measure.of === "value" ? await measure.read({ signal }) : undefined).toBe(1);
    expect(reads).toEqual([0, 1, 0, 0]);
    expect(when(value("x", depth).above(1)).then("alert").name).toBe("x > 1");
  });
});
