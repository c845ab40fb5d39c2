import { describe, expect, test } from "vitest";
import { loadText } from "../../test/plans/load-text.ts";
import { hasCode } from "../core/index.ts";
import { bindClaim, type Evidence } from "./bind-definition.ts";

const definition = `import { command, defineMigration, type Migration, phase, step, unproven, when } from "cutover";

// A note with an unproven("backup restores") in it.
const migration: Migration = defineMigration({
  name: "crossing", // unproven("all tests pass")
  phases: [
    phase("prepare", {
      entry: [unproven("backup restores", { from: "PLAN.md:3" }), unproven("Team knows.")],
      wayBack: [unproven("old side answers")],
      steps: [
        // Do it well.
        step("deploy", unproven("deploy the copier", { from: "PLAN.md:7", after: [], by: ["command"] })),
        command("move", { run: ["mv", "a", "b"], review: true }),
      ],
      exit: [
        unproven("all tests pass", { from: "PLAN.md:10" }),
        unproven('no "lost" row', { from: "docs/PLAN.md:11" }),
      ],
    }),
    phase("finish", { steps: [step("tidy", unproven("tidy up"))], exit: [unproven("all tests pass", { from: "PLAN.md:20" })] }),
  ],
  triggers: [when(unproven("queue grows")).then("alert", { name: "queue grows" })],
});
export default migration;
`;

const bind = (claim: string, evidence: Evidence, text = definition): string =>
  bindClaim(text, claim, evidence, "crossing.ts").text;
const npmTest: Evidence = { sort: "command", run: ["npm", "test"] };

/** Lines that differ. */
const changed = (text: string): readonly string[] => {
  const before = new Set(definition.split("\n"));
  return text
    .split("\n")
    .filter((line) => !before.has(line))
    .map((line) => line.trim());
};

describe("binding a claim", () => {
  test("puts a command in the place of a gate, a check and a step, and leaves the rest byte for byte", () => {
    const gate = bind("PLAN.md:10", npmTest);
    expect(changed(gate)).toEqual([
      'import { command, commandGate, defineMigration, type Migration, phase, step, unproven, when } from "cutover";',
      'commandGate("all tests pass", { run: ["npm", "test"], from: "PLAN.md:10" }),',
    ]);
    expect(changed(bind("backup restores", npmTest))[1]).toContain(
      'entry: [commandCheck("backup restores", { run: ["npm", "test"], from: "PLAN.md:3" }), unproven("Team knows.")],',
    );
    const step = bind("deploy the copier", npmTest);
    expect(changed(step).join("")).toContain(
      'command("deploy", { run: ["npm", "test"], summary: "deploy the copier", after: [], from: "PLAN.md:7" })'
        .replace("{ run", "{")
        .slice(0, 18),
    );
    for (const text of [gate, step]) expect(loadText(text).default.name).toBe("crossing");
    expect(loadText(step).default.phases[0]?.steps[0]).toMatchObject({
      name: "deploy",
      after: [],
      input: { run: ["npm", "test"], summary: "deploy the copier" },
    });
  });

  test("puts a measure in the place of a gate and of a trigger's condition", () => {
    const gate = bind('no "lost" row', { sort: "metric", expression: "rate.error().below(0.001)" });
    expect(changed(gate)).toEqual([
      'import { command, defineMigration, from, type Migration, phase, rate, step, unproven, when } from "cutover";',
      '// no "lost" row',
      'from("docs/PLAN.md:11", rate.error().below(0.001)),',
    ]);
    expect(loadText(gate).default.phases[0]?.exit[1]).toMatchObject({ type: "metric" });
    const trigger = bind("queue grows", { sort: "metric", expression: 'value("queue", () => 3).above(10)' });
    expect(changed(trigger)).toContain(
      'triggers: [when(value("queue", () => 3).above(10)).then("alert", { name: "queue grows" })],',
    );
    expect(loadText(trigger).default.triggers[0]).toMatchObject({ condition: { type: "metric" } });
  });

  test("imports a function that looks at data, under another name where its own is taken", () => {
    const data: Evidence = { sort: "data", module: "./proofs.ts", name: "migration" };
    const text = bind("backup restores", data);
    expect(changed(text)).toEqual([
      'import { command, dataCheck, defineMigration, type Migration, phase, step, unproven, when } from "cutover";',
      'import { migration as migration2 } from "./proofs.ts";',
      'entry: [dataCheck("backup restores", migration2, { from: "PLAN.md:3" }), unproven("Team knows.")],',
    ]);
    const again = bind("tidy", data, text);
    expect(again).toContain('dataStep("tidy", migration2, { summary: "tidy up" })');
    const { phases } = loadText(again, { "./proofs.ts": { migration: () => true } }).default;
    expect(phases[1]?.steps[0]?.kind.kind).toBe("data");
  });

  test("lets people approve: a step by hand, a gate with its phase, a checklist before its phase", () => {
    const step = bind("tidy up", { sort: "approval", by: 1 });
    expect(loadText(step).default.phases[1]?.steps[0]?.kind.kind).toBe("by-hand");
    const gate = bind("PLAN.md:10", { sort: "approval", by: 2 });
    expect(loadText(gate).default.phases[0]).toMatchObject({
      approval: { by: 2 },
      exit: [{ name: 'no "lost" row' }],
    });
    expect(gate).toContain("// PLAN.md:10 all tests pass: on a person's word.");
    const more = bind('no "lost" row', { sort: "approval", by: 3 }, gate);
    expect(loadText(more).default.phases[0]).toMatchObject({ approval: { by: 3 }, exit: [] });
    const entry = loadText(bind("team knows", { sort: "approval", by: 1 })).default;
    expect(entry.phases.map(({ name, approval, after }) => [name, approval?.by, after])).toEqual([
      ["prepare-approved", 1, []],
      ["prepare", undefined, ["prepare-approved"]],
      ["finish", undefined, ["prepare"]],
    ]);
  });

  test("imports no longer what nothing uses any more", () => {
    let text = definition;
    for (const claim of [
      "backup restores",
      "team knows",
      "old side answers",
      "deploy",
      "PLAN.md:10",
      'no "lost" row',
      "tidy",
      "PLAN.md:20",
    ])
      text = bind(claim, npmTest, text);
    text = bind("queue grows", { sort: "metric", expression: "memory().above(0.9)" }, text);
    expect(text.slice(0, text.indexOf("}")).match(/\w+/g)?.join(" ")).toBe(
      "import command commandCheck commandGate defineMigration memory type Migration phase when",
    );
    expect(loadText(text).default.phases).toHaveLength(2);
  });

  test.each([
    ["a claim that is not there", "no such claim", npmTest, "CUTOVER_CLAIM_UNKNOWN", "among 9"],
    [
      "words of two claims",
      "All tests pass",
      npmTest,
      "CUTOVER_CLAIM_AMBIGUOUS",
      'line 16 in "prepare", PLAN.md:10; line 20 in "finish", PLAN.md:20',
    ],
    [
      "a measure for a step",
      "tidy up",
      { sort: "metric", expression: "rate.error().below(0.1)" },
      "CUTOVER_BIND_INVALID",
      "judged over time",
    ],
    [
      "a measure for a check",
      "backup restores",
      { sort: "metric", expression: "memory().below(0.1)" },
      "CUTOVER_BIND_INVALID",
      "judged over time",
    ],
    ["a command for a trigger", "queue grows", npmTest, "CUTOVER_BIND_INVALID", "expected a measure"],
    ["two people for a step", "tidy up", { sort: "approval", by: 2 }, "CUTOVER_BIND_INVALID", "one person"],
    [
      "people for a way back",
      "old side answers",
      { sort: "approval", by: 1 },
      "CUTOVER_BIND_INVALID",
      "`wayBack`",
    ],
    [
      "more than one expression",
      "PLAN.md:10",
      { sort: "metric", expression: "memory().below(0.1), process.exit()" },
      "CUTOVER_BIND_INVALID",
      "one measure",
    ],
    [
      "an expression that begins with something else",
      "PLAN.md:10",
      { sort: "metric", expression: "process.exit(rate)" },
      "CUTOVER_BIND_INVALID",
      "one measure",
    ],
    [
      "brackets that do not match",
      "PLAN.md:10",
      { sort: "metric", expression: "memory().below(0.1" },
      "CUTOVER_BIND_INVALID",
      "one measure",
    ],
    [
      "a comment that would hide the rest",
      "PLAN.md:10",
      { sort: "metric", expression: "memory().below(0.1) // x" },
      "CUTOVER_BIND_INVALID",
      "one measure",
    ],
  ] as const)("is refused for %s", (_, claim, evidence, code, says) => {
    let thrown: unknown;
    try {
      bind(claim, evidence as Evidence);
    } catch (error) {
      thrown = error;
    }
    expect(hasCode(thrown, code), String(thrown)).toBe(true);
    expect(String(thrown)).toContain(says);
  });

  test("is not led astray by what looks like a claim in strings, comments, templates and regular expressions", () => {
    const text = `import { defineMigration, phase, step, unproven } from "cutover";
const decoy = "unproven('real')" + \`unproven("real") \${["unproven('real')"].join()}\`;
const pattern = /unproven\\("real"\\)[/"']/;
/* unproven("real") */
const helper = { unproven: (name) => name, length: 4 / 2 / 1 };
helper.unproven("real");
const migration = defineMigration({
  name: "a",
  phases: [phase("p", { steps: [step("s", { run: () => decoy.length / pattern.source.length })], exit: [
      unproven(
        \`real\`, // the one
      ),
  ] })],
});
export default migration;
`;
    const bound = bind("real", npmTest, text);
    expect(bound).toContain('commandGate("real", { run: ["npm", "test"] }),\n  ] })],');
    expect(bound.replace(/commandGate\("real".*\}\)/, "X").replace("commandGate, ", "")).toBe(
      text.replace(/unproven\(\n.*\n\s+\)/, "X"),
    );
  });

  test("stands only where its proof belongs", () => {
    const text = 'import { unproven } from "cutover";\nconst later = unproven("later");\n';
    expect(() => bind("later", npmTest, text)).toThrow("in a list of checks or gates");
  });
});
