import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryMigration } from "../testing/arbitrary-migration.ts";
import { compile, type CompiledStep } from "./compile.ts";
import { defineMigration } from "./define-migration.ts";
import type { MigrationInput, Phase } from "./definition.ts";
import { difference } from "./difference.ts";
import { rate, value } from "./measures.ts";
import { check, gate, phase } from "./phase.ts";
import { command } from "./command.ts";
import { step } from "./task.ts";
import { when } from "./when.ts";

const run = (): void => {};
const named = (name: string, after?: string[]): ReturnType<typeof step> =>
  step(name, { run, ...(after === undefined ? {} : { after }) });

const graphOf = (input: Omit<MigrationInput, "name">): Record<string, readonly string[]> =>
  Object.fromEntries(
    compile(defineMigration({ name: "queue", ...input })).steps.map((found) => [found.id, found.after]),
  );

const onePhase = (
  steps: Phase["steps"],
  rest: Omit<MigrationInput, "name" | "phases"> = {},
): ReturnType<typeof graphOf> => graphOf({ ...rest, phases: [phase("move", { steps })] });

describe("the graph of a definition", () => {
  test("steps without `after` run one after the other, in the order written", () => {
    expect(onePhase([named("copy"), named("verify"), named("tell")])).toEqual({
      "move/copy": [],
      "move/verify": ["move/copy"],
      "move/tell": ["move/verify"],
    });
  });

  test("an empty `after` starts with the phase, and several can be waited for", () => {
    expect(onePhase([named("left", []), named("right", []), named("join", ["left", "right"])])).toEqual({
      "move/left": [],
      "move/right": [],
      "move/join": ["move/left", "move/right"],
    });
  });

  test("a list per unit makes one chain for each unit, side by side", () => {
    expect(onePhase(() => [named("copy"), named("verify")], { units: ["a", "b"] })).toEqual({
      "move/copy@a": [],
      "move/verify@a": ["move/copy@a"],
      "move/copy@b": [],
      "move/verify@b": ["move/copy@b"],
    });
  });

  test("a unit starts when the units it depends on are through, also past one this phase leaves out", () => {
    const units = ["a", { name: "b", after: ["a"] }, { name: "c", after: ["b"] }];
    const steps = (unit: string): ReturnType<typeof named>[] =>
      unit === "b" ? [] : [named("copy"), named("verify")];
    expect(onePhase(steps, { units })).toEqual({
      "move/copy@a": [],
      "move/verify@a": ["move/copy@a"],
      "move/copy@c": ["move/verify@a"],
      "move/verify@c": ["move/copy@c"],
    });
  });

  test("a wave starts when the one before is through and its gates are met", () => {
    const graph = onePhase(() => [named("copy")], {
      units: ["a", "b", "c"],
      waves: [
        { name: "pilot", units: ["a"], exit: [rate.error().below(0.01)] },
        { name: "most", units: ["b"] },
        { name: "rest", units: ["c"], exit: [rate.error().below(0.01)] },
      ],
    });
    expect(graph).toEqual({
      "move/copy@a": [],
      "move/wave:pilot": ["move/copy@a"],
      "move/copy@b": ["move/wave:pilot"],
      "move/copy@c": ["move/copy@b"],
      "move/wave:rest": ["move/copy@c"],
    });
  });

  test("a step of no unit waits for all units written before it, and for their wave's gates", () => {
    const graph = onePhase(
      [named("prepare"), step("copy", { run, unit: "a" }), step("copy", { run, unit: "b" }), named("tell")],
      { units: ["a", "b"], waves: [{ name: "all", units: ["a", "b"], exit: [rate.error().below(0.01)] }] },
    );
    expect(graph).toEqual({
      "move/prepare": [],
      "move/copy@a": ["move/prepare"],
      "move/copy@b": ["move/prepare"],
      "move/wave:all": ["move/copy@a", "move/copy@b"],
      "move/tell": ["move/copy@b", "move/copy@a", "move/wave:all"],
    });
  });

  test("`after` names a step of the same unit, or any unit's with @", () => {
    const steps = (unit: string): ReturnType<typeof named>[] => [
      named("copy", unit === "a" ? [] : ["copy@a"]),
      named("verify", ["copy"]),
    ];
    expect(onePhase(steps, { units: ["a", "b"] })).toMatchObject({
      "move/copy@b": ["move/copy@a"],
      "move/verify@b": ["move/copy@b"],
    });
  });

  test("phases follow their `after`, and layers show what may run side by side", () => {
    const compiled = compile(
      defineMigration({
        name: "queue",
        phases: [
          phase("last", { after: ["first"], steps: [named("done")] }),
          phase("first", {
            after: [],
            steps: [named("left", []), named("right", []), named("join", ["left"])],
          }),
        ],
      }),
    );
    expect(compiled.phases.map(({ name, layers }) => ({ name, layers }))).toEqual([
      { name: "first", layers: [["first/left", "first/right"], ["first/join"]] },
      { name: "last", layers: [["last/done"]] },
    ]);
    expect(compiled.steps.map((found) => found.id)).toEqual([
      "first/left",
      "first/right",
      "first/join",
      "last/done",
    ]);
  });

  test("limits come from the step, then its kind, then the defaults", () => {
    const own = { ...named("own"), timeout: "5s", retries: 2 };
    const kind = { ...named("kind"), kind: { ...named("kind").kind, timeoutMs: 7_000 } };
    const { steps } = compile(
      defineMigration({ name: "queue", phases: [phase("move", { steps: [own, kind, named("plain")] })] }),
    );
    expect(steps.map(({ timeoutMs, retries }) => [timeoutMs, retries])).toEqual([
      [5_000, 2],
      [7_000, 0],
      [3_600_000, 0],
    ]);
  });

  test("contingencies are compiled too, under ids of their own", () => {
    const { contingencies, steps } = compile(
      defineMigration({
        name: "queue",
        phases: [phase("move", { steps: [named("copy")] })],
        contingencies: [{ name: "stuck", on: "rollback-stuck", steps: [named("stop"), named("call")] }],
      }),
    );
    expect(contingencies[0]?.steps.map(({ id, after }) => [id, after])).toEqual([
      ["contingency:stuck/stop", []],
      ["contingency:stuck/call", ["contingency:stuck/stop"]],
    ]);
    expect(steps).toHaveLength(1);
  });
});

describe("any whole definition", () => {
  test("compiles to an order in which every step comes after all it waits for, with nothing lost", () => {
    fc.assert(
      fc.property(arbitraryMigration(), (input) => {
        const migration = defineMigration(input);
        const compiled = compile(migration);
        const seen = new Set<string>();
        for (const found of compiled.steps) {
          for (const before of found.after) expect(seen).toContain(before);
          seen.add(found.id);
        }
        expect(seen.size).toBe(compiled.steps.length);
        const written = compiled.steps.filter((found) => found.wave === undefined).length;
        expect(written).toBe(migration.phases.reduce((sum, { steps }) => sum + steps.length, 0));
        expect(compiled.phases).toHaveLength(migration.phases.length);
      }),
    );
  });

  test("keeps units and waves apart: no step of a later wave can start before the earlier one is through", () => {
    fc.assert(
      fc.property(arbitraryMigration(), (input) => {
        const compiled = compile(defineMigration(input));
        const wave = new Map(
          (input.waves ?? []).flatMap(({ units }, index) => units.map((unit) => [unit, index])),
        );
        for (const { steps } of compiled.phases) {
          const before = ancestors(steps);
          const ofUnits = steps.filter((found) => found.unit !== undefined);
          for (const late of ofUnits)
            for (const early of ofUnits) {
              const [own, other] = [wave.get(late.unit ?? ""), wave.get(early.unit ?? "")];
              if (own !== undefined && other !== undefined && other < own)
                expect(before.get(late.id)).toContain(early.id);
            }
        }
      }),
    );
  });

  test("has one hash: the same every time it is compiled, and whatever the order of its members", () => {
    fc.assert(
      fc.property(arbitraryMigration(), (input) => {
        const hash = compile(defineMigration(input)).hash;
        expect(hash).toMatch(/^[0-9a-f]{64}$/);
        expect(compile(defineMigration(input)).hash).toBe(hash);
        expect(compile(defineMigration(turned(input) as MigrationInput)).hash).toBe(hash);
        const graph = compile(defineMigration(input)).graph;
        expect(JSON.parse(JSON.stringify(graph))).toMatchObject({ format: 1, name: "any-migration", hash });
      }),
    );
  });
});

/** Everything each step waits for, directly or not. */
function ancestors(steps: readonly CompiledStep[]): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>();
  for (const { id, after } of steps)
    all.set(id, new Set(after.flatMap((name) => [name, ...(all.get(name) ?? [])])));
  return all;
}

/** The same value with the members of every object in the opposite order. */
function turned(input: unknown): unknown {
  if (Array.isArray(input)) return input.map(turned);
  if (typeof input !== "object" || input === null) return input;
  return Object.fromEntries(
    Object.entries(input)
      .reverse()
      .map(([key, member]) => [key, turned(member)]),
  );
}

describe("the hash and the difference", () => {
  const base = (): MigrationInput => ({
    name: "queue",
    title: "Queue",
    units: [
      { name: "a", priority: "P0", effort: "1h" },
      { name: "b", after: ["a"] },
    ],
    waves: [
      { name: "one", units: ["a"], exit: [rate.error("x").below(0.01)] },
      { name: "two", units: ["b"] },
    ],
    phases: [
      phase("move", {
        entry: [check("ready", () => ({ ok: true, note: "yes" }))],
        wayBack: [check("back", () => ({ ok: true, note: "yes" }))],
        steps: (unit) => [
          step("copy", { run: () => unit.length, input: { share: 10 }, timeout: "1m", rollback: run }),
        ],
        exit: [gate("restored", { collect: () => ({ n: 1 }), judge: () => ({ kind: "pass", reason: "" }) })],
      }),
      phase("retire", {
        forwardOnly: true,
        approval: { by: 1 },
        steps: [command("drop", { run: ["true"], env: { A: "1" } })],
      }),
    ],
    triggers: [when(value("depth", () => 1).above(5)).then("pause")],
    success: [rate.error().below(0.001)],
    risks: [{ risk: "loss", probability: "low", impact: "high", mitigation: "backup" }],
    contingencies: [{ name: "stuck", on: "manual", steps: [named("call")] }],
    schedule: { start: "2026-01-01" },
  });
  const [move, retire] = base().phases as [Phase, Phase];
  const phases = (changes: Partial<Phase>): Partial<MigrationInput> => ({
    phases: [{ ...move, ...changes }, retire],
  });
  const before = compile(defineMigration(base()));

  test.each<[title: string, change: Partial<MigrationInput>, line: string]>([
    ["the title", { title: "The queue" }, '~ migration: title "Queue" → "The queue"'],
    [
      "a unit's priority",
      {
        units: [
          { name: "a", priority: "P1", effort: "1h" },
          { name: "b", after: ["a"] },
        ],
      },
      "~ migration: units",
    ],
    ["a risk", { risks: [] }, "~ migration: risks"],
    [
      "the schedule",
      { schedule: { start: "2026-01-02" } },
      '~ migration: schedule {"start":"2026-01-01"} → {"start":"2026-01-02"}',
    ],
    ["a success criterion", { success: [rate.error().below(0.002)] }, "~ migration: success"],
    [
      "a trigger's action",
      { triggers: [when(value("depth", () => 1).above(5)).then("rollback")] },
      '~ trigger depth > 5: action "pause" → "rollback"',
    ],
    [
      "a trigger's limit",
      { triggers: [when(value("depth", () => 1).above(6)).then("pause")] },
      "+ trigger depth > 6",
    ],
    [
      "what a value reads",
      { triggers: [when(value("depth", () => 2).above(5)).then("pause")] },
      "~ trigger depth > 5: condition",
    ],
    [
      "a check's function",
      phases({ entry: [check("ready", () => ({ ok: false, note: "yes" }))] }),
      "~ phase move: entry",
    ],
    ["a proof of the way back", phases({ wayBack: [] }), "~ phase move: wayBack"],
    [
      "a judge's function",
      phases({
        exit: [gate("restored", { collect: () => ({ n: 1 }), judge: () => ({ kind: "hold", reason: "" }) })],
      }),
      "~ phase move: exit",
    ],
    [
      "a collector's function",
      phases({
        exit: [gate("restored", { collect: () => ({ n: 2 }), judge: () => ({ kind: "pass", reason: "" }) })],
      }),
      "~ phase move: exit",
    ],
    ["patience", phases({ patience: "1h" }), "~ phase move: patienceMs 86400000 → 3600000"],
    ["an approval", phases({ approval: { by: 2 } }), '~ phase move: approval null → {"by":2}'],
    [
      "a step's function",
      phases({
        steps: (unit) => [
          step("copy", { run: () => unit.length + 1, input: { share: 10 }, timeout: "1m", rollback: run }),
        ],
      }),
      "~ step move/copy@a: code",
    ],
    [
      "a step's input",
      phases({
        steps: (unit) => [
          step("copy", { run: () => unit.length, input: { share: 11 }, timeout: "1m", rollback: run }),
        ],
      }),
      "~ step move/copy@a: input",
    ],
    [
      "a step's limit",
      phases({
        steps: (unit) => [
          step("copy", { run: () => unit.length, input: { share: 10 }, timeout: "2m", rollback: run }),
        ],
      }),
      "~ step move/copy@a: timeoutMs 60000 → 120000",
    ],
    [
      "a rollback taken away",
      phases({
        steps: (unit) => [step("copy", { run: () => unit.length, input: { share: 10 }, timeout: "1m" })],
      }),
      '~ step move/copy@a: code, undo "rollback" → "nothing"',
    ],
    [
      "a command's environment",
      { phases: [move, { ...retire, steps: [command("drop", { run: ["true"], env: { A: "2" } })] }] },
      "~ step retire/drop: input",
    ],
    [
      "a command's arguments",
      { phases: [move, { ...retire, steps: [command("drop", { run: ["true", "x"], env: { A: "1" } })] }] },
      "~ step retire/drop: input",
    ],
    [
      "one more step",
      {
        phases: [
          move,
          { ...retire, steps: [command("drop", { run: ["true"], env: { A: "1" } }), named("tell")] },
        ],
      },
      "+ step retire/tell",
    ],
    ["one phase less", { phases: [move] }, "- phase retire"],
    [
      "a wave's gate",
      {
        waves: [
          { name: "one", units: ["a"] },
          { name: "two", units: ["b"] },
        ],
      },
      "- step move/wave:one",
    ],
    [
      "a contingency's step",
      { contingencies: [{ name: "stuck", on: "manual", steps: [named("shout")] }] },
      "~ contingency stuck: steps",
    ],
    [
      "the order of phases",
      {
        phases: [
          { ...retire, after: [] },
          { ...move, after: [] },
        ],
      },
      "~ migration: order of phases",
    ],
  ])("show a change of %s", (_title, change, line) => {
    const after = compile(defineMigration({ ...base(), ...change }));
    expect(after.hash).not.toBe(before.hash);
    const changes = difference(before.graph, after.graph);
    expect(changes.same).toBe(false);
    expect(changes.lines).toContain(line);
    expect(JSON.parse(JSON.stringify(changes.data))).toEqual(changes.data);
  });

  test("are silent when nothing changed, also across a store that keeps JSON", () => {
    const again = compile(defineMigration(base()));
    expect(again.hash).toBe(before.hash);
    const stored = JSON.parse(JSON.stringify(before.graph)) as typeof before.graph;
    expect(difference(stored, again.graph)).toMatchObject({ same: true, lines: [] });
  });

  test("agree for any two definitions: equal hashes exactly when there is no difference", () => {
    fc.assert(
      fc.property(
        arbitraryMigration({ maxPhases: 2, maxSteps: 2, maxUnits: 1 }),
        arbitraryMigration({ maxPhases: 2, maxSteps: 2, maxUnits: 1 }),
        (one, two) => {
          const [first, second] = [compile(defineMigration(one)), compile(defineMigration(two))];
          expect(difference(first.graph, second.graph).same).toBe(first.hash === second.hash);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("a summary worded in another way is no change", () => {
    const worded = (text: string): ReturnType<typeof compile> => {
      const plain = named("copy");
      const kind = { ...plain.kind, summary: () => text };
      return compile(
        defineMigration({ name: "queue", phases: [phase("move", { steps: [{ ...plain, kind }] })] }),
      );
    };
    expect(worded("copies").hash).toBe(worded("copies all").hash);
    expect(difference(worded("copies").graph, worded("copies all").graph).same).toBe(true);
  });
});
