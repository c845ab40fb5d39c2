import { describe, expect, test } from "vitest";
import { defineMigration } from "./define-migration.ts";
import { dryRun } from "./dry-run.ts";
import { compile } from "./compile.ts";
import { phase } from "./phase.ts";
import { step } from "./task.ts";
import { unproven } from "./unproven.ts";
import { command } from "./command.ts";
import { memory } from "./measures.ts";
import { originOf } from "./origin.ts";
import { manual, when } from "./when.ts";

const migration = (text = "deploy the new processors") =>
  defineMigration({
    name: "imported",
    phases: [
      phase("prepare", {
        entry: [unproven("backup taken", { from: "PLAN.md:12", by: ["command", "data"] })],
        steps: [step("deploy", unproven(text, { from: "PLAN.md:14" }))],
        wayBack: [unproven("backup restores")],
        exit: [unproven("zero data loss", { by: ["data"] })],
      }),
    ],
  });

describe("what has no proof", () => {
  test("stands as a check, as a step and as a gate, and the plan lists it in the order a run meets it", async () => {
    const { unproven: listed, phases } = await dryRun(migration());
    expect(listed.map(({ role, name, from }) => [role, name, from])).toEqual([
      ["entry", "backup taken", "PLAN.md:12"],
      ["way-back", "backup restores", undefined],
      ["step", "prepare/deploy", "PLAN.md:14"],
      ["exit", "zero data loss", undefined],
    ]);
    expect(listed[0]?.by).toEqual(["command", "data"]);
    expect(listed[2]?.by).toEqual(["command", "metric", "data", "approval"]);
    expect(phases[0]?.steps[0]).toMatchObject({
      kind: "unproven",
      summary: "deploy the new processors (unproven)",
    });
  });

  test("changes the definition's hash with its words", () => {
    expect(compile(migration("deploy them")).hash).not.toBe(compile(migration()).hash);
    expect(compile(migration()).hash).toBe(compile(migration()).hash);
  });

  test("as a gate it never passes, and says what would settle it", () => {
    const gate = unproven("zero data loss", { by: ["data"] });
    expect(gate.judge(gate.collect())).toEqual({
      kind: "hold",
      reason: "not proven: a data check would settle it, see `cutover bind`",
    });
  });

  test.each([
    ["no text", () => unproven(" "), "found no text"],
    ["an option nobody knows", () => unproven("x", { form: "a" } as never), "knows no `form`"],
    [
      "a sort nobody knows",
      () => unproven("x", { by: ["faith" as never] }),
      "command, metric, data, approval",
    ],
    ["no sort at all", () => unproven("x", { by: [] }), "an empty list"],
  ])("is refused with %s", (_, make, says) => {
    expect(make).toThrow(says);
  });
});

test("a command to be reviewed says so in its input, and nothing else is taken for a yes", () => {
  expect(command("move", { run: ["true"], review: true }).input).toEqual({ run: ["true"], review: true });
  expect(command("move", { run: ["true"], review: false }).input).toEqual({ run: ["true"] });
  const wrong = () =>
    defineMigration({
      name: "wrong",
      phases: [phase("a", { steps: [command("move", { run: ["true"], review: "yes" as never })] })],
    });
  expect(wrong).toThrow("expected `review` to be true or false");
});

test("phases, commands and triggers take their line of a plan as an option, which their hash does not cover", () => {
  const made = (from?: string) => {
    const line = from === undefined ? {} : { from };
    return defineMigration({
      name: "placed",
      phases: [phase("a", { steps: [command("move", { run: ["true"], ...line })], ...line })],
      triggers: [when(memory().above(0.9)).then("alert", line), manual("stop").then("pause", line)],
    });
  };
  const placed = made("PLAN.md:7");
  expect(compile(placed).hash).toBe(compile(made()).hash);
  const [first] = placed.phases;
  expect([first, first?.steps[0], ...placed.triggers].map((item) => originOf(item ?? {}))).toEqual(
    Array.from({ length: 4 }, () => "PLAN.md:7"),
  );
  expect(() => made("line 7")).toThrow("expected the place in a written plan");
});

test("a trigger whose condition nobody measures is told as one that never fires", async () => {
  const migration = defineMigration({
    name: "silent",
    phases: [phase("a", { steps: [command("move", { run: ["true"] })] })],
    triggers: [when(unproven("queue grows")).then("alert"), when(memory().above(0.9)).then("pause")],
  });
  expect(compile(migration).graph["unprovenTriggers"]).toEqual(["queue grows"]);
  const { triggers } = await dryRun(migration);
  expect(triggers.map(({ unproven: silent }) => silent)).toEqual([true, false]);
});

test("a claim as a step may belong to a unit", () => {
  const { phases } = defineMigration({
    name: "units",
    units: ["orders"],
    phases: [phase("a", { steps: [step("move", unproven("move it", { unit: "orders" }))] })],
  });
  expect(phases[0]?.steps[0]?.unit).toBe("orders");
});
