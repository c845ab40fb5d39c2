import { expect, test } from "vitest";
import { CutoverError } from "../core/index.ts";
import {
  check,
  compile,
  defineMigration,
  difference,
  from,
  phase,
  rate,
  step,
  unproven,
  when,
} from "./index.ts";

const hash = "ab".repeat(32);

const written = (line: number): ReturnType<typeof compile> =>
  compile(
    defineMigration({
      name: "queue",
      units: ["one", "two"],
      document: { file: "PLAN.md", hash },
      phases: [
        from(
          `PLAN.md:${line}`,
          phase("move", {
            entry: [
              from(
                `PLAN.md:${line + 1}`,
                check("backup taken", () => ({ ok: true, note: "" })),
              ),
            ],
            steps: () => [from(`PLAN.md:${line + 2}`, step("copy", { run: () => null }))],
            exit: [from(`PLAN.md:${line + 3}`, rate.error().below(0.01))],
          }),
        ),
      ],
      triggers: [
        from(`PLAN.md:${line + 4}`, when(rate.error().above(0.05)).then("rollback", { name: "errors" })),
      ],
    }),
  );

test("the record keeps which line of the written plan asks for which item, also for steps of every unit", () => {
  const { graph } = written(10);
  expect(graph["document"]).toEqual({ file: "PLAN.md", hash });
  expect(graph["origins"]).toEqual([
    { role: "phase", phase: "move", name: "move", from: "PLAN.md:10" },
    { role: "entry", phase: "move", name: "backup taken", from: "PLAN.md:11" },
    { role: "step", phase: "move", name: "move/copy@one", from: "PLAN.md:12" },
    { role: "step", phase: "move", name: "move/copy@two", from: "PLAN.md:12" },
    { role: "exit", phase: "move", name: expect.any(String) as unknown, from: "PLAN.md:13" },
    { role: "trigger", phase: null, name: "errors", from: "PLAN.md:14" },
  ]);
});

test("lines that move in the document change neither the hash nor the difference", () => {
  const before = written(10);
  const after = written(30);
  expect(after.hash).toBe(before.hash);
  expect(difference(before.graph, after.graph).same).toBe(true);
});

test("what is unproven knows its line by itself, as check, gate and step", () => {
  const { graph } = compile(
    defineMigration({
      name: "queue",
      phases: [
        phase("move", {
          entry: [unproven("backup taken", { from: "PLAN.md:3" })],
          steps: [step("deploy", unproven("deploy it", { from: "PLAN.md:4" }))],
          exit: [unproven("zero loss", { from: "PLAN.md:5" })],
        }),
      ],
    }),
  );
  expect((graph["origins"] as { from: string }[]).map((each) => each.from)).toEqual([
    "PLAN.md:3",
    "PLAN.md:4",
    "PLAN.md:5",
  ]);
});

test("a place that is none, an item that is none and a document without a digest are refused", () => {
  const refused = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof CutoverError) return `${error.code} ${error.message}`;
    }
    return "";
  };
  expect(refused(() => from("line 3", {}))).toContain('found "line 3"');
  expect(refused(() => from("PLAN.md:0", {}))).toContain("CUTOVER_PLAN_INVALID");
  expect(refused(() => from("PLAN.md:3", null as unknown as object))).toContain("expected a check, gate");
  const phases = [phase("move", { steps: [step("copy", { run: () => null })] })];
  expect(
    refused(() => defineMigration({ name: "queue", phases, document: { file: "PLAN.md", hash: "abc" } })),
  ).toContain("SHA-256");
});
