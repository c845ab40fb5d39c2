import fc from "fast-check";
import type { Inventory } from "../../src/document/index.ts";

/** Words that try to leave the place they are written into. */
const hostile: readonly string[] = [
  "`${process.exit(1)}`",
  '"); process.exit(1); //',
  "'); throw 1; ('",
  "*/ throw 1; /*",
  "line\nbreak",
  "carriage\rreturn",
  "separators \u2028 and \u2029",
  "\\",
  "\\u0041 \\x",
  "\0",
  "\ud800 alone",
  "__proto__",
  "constructor",
  "",
  "   ",
  "</script>",
  "仓库迁移",
  "Миграция склада",
  "🚚 move",
  "تجربة",
  "a".repeat(400),
  "// comment",
  "#!/bin/sh",
  'from: "PLAN.md:3"',
  "// Written so by the last import: 00000000",
  "rate.error().below(0.01)",
  "All tests pass",
  "Backup taken",
];

const said = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ maxLength: 30 }),
);
const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const place = fc
  .integer({ min: 1, max: 300 })
  .map((line) => ({ file: "PLAN.md", line, column: 1, endLine: line }));
const keys = (kind: string): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: 3 }).map((number) => `${kind}:${number}`);
const claim = some(
  fc.record({ state: fc.constantFrom("done", "in-progress", "next", "open", "failed"), text: said }),
);
const within = fc.record(
  { section: keys("section"), phase: keys("phase"), unit: keys("unit"), step: keys("step") },
  { requiredKeys: [] },
);
const number = fc.oneof(
  fc.integer({ min: -5, max: 200 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0.07, 5.5, 1e21, 1e-9),
);

/** A list of findings with keys `kind:0`, `kind:1`, …. */
const findings = (
  kind: string,
  members: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<unknown[]> =>
  fc.array(fc.record({ text: said, place, within, ...members }), { maxLength: 4 }).map((list) =>
    list.map((each, index) => ({
      kind,
      key: `${kind}:${index}`,
      sureness: "guessed",
      why: "",
      ...(Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined)) as object),
    })),
  );

const roles = fc.constantFrom(
  "phase",
  "step",
  "rollback",
  "timeline",
  "cleanup",
  "criteria",
  "contingency",
  "risks",
  "other",
);
const does = fc.constantFrom("alert", "pause", "throttle", "rollback");
const levels = fc.constantFrom("low", "medium", "high", "critical");

/** Any inventory of the right form, also those no document would give: references to nothing, circles, impossible figures. */
export const arbitraryInventory: fc.Arbitrary<Inventory> = fc
  .record({
    title: said,
    sections: findings("section", {
      level: fc.constant(2),
      title: said,
      role: roles,
      path: fc.array(said, { maxLength: 2 }),
    }),
    phases: findings("phase", {
      name: said,
      title: said,
      number: some(said),
      order: fc.constant(1),
      goal: some(said),
      claim,
      durations: fc.array(keys("duration"), { maxLength: 2 }),
      calendar: fc.array(keys("calendar"), { maxLength: 2 }),
      scope: some(fc.oneof(said, fc.constant("1-3 (P0-P2 systems)"))),
      wayBack: some(fc.record({ text: said, forwardOnly: fc.boolean() })),
      after: fc.array(keys("phase"), { maxLength: 2 }),
      also: fc.constant([]),
    }),
    units: findings("unit", {
      name: said,
      order: some(fc.integer({ min: 1, max: 4 })),
      after: fc.array(keys("unit"), { maxLength: 3 }),
      dependsOn: fc.array(said, { maxLength: 2 }),
      priority: some(fc.constantFrom("P0", "P1", "p2", "", "high")),
      glob: fc.boolean(),
      count: some(fc.integer({ min: 0, max: 60 })),
      effort: some(keys("effort")),
      claim,
      also: fc.constant([]),
    }),
    waves: findings("wave", {
      name: said,
      units: fc.array(keys("unit"), { maxLength: 3 }),
      note: some(said),
    }),
    steps: findings("step", {
      name: said,
      title: said,
      order: fc.constant(1),
      claim,
      after: fc.constant([]),
      way: fc.constantFrom("forward", "rollback"),
      commands: fc.constant([]),
    }),
    checks: findings("check", {
      ticked: fc.constantFrom(true, false, null),
      mark: said,
      guards: fc.constantFrom("entry", "exit", "success", "cleanup", "task"),
      mentions: fc.constant([]),
      thresholds: fc.array(keys("threshold"), { maxLength: 2 }),
    }),
    criteria: findings("criterion", {
      check: some(keys("check")),
      thresholds: fc.array(keys("threshold"), { maxLength: 2 }),
    }),
    thresholds: findings("threshold", {
      measure: said,
      about: fc.constantFrom("error-rate", "latency", "throughput", "memory", "mismatch", "loss", "other"),
      quantile: some(fc.constantFrom(0.5, 0.95, 0.99, 0.999)),
      comparison: fc.constantFrom("<", "<=", ">", ">=", "=", "!=", "within"),
      number,
      numberText: said,
      unit: fc.constantFrom("%", "×", "", "ms", "/min", "crates"),
      baseline: some(said),
      sense: fc.constantFrom("limit", "goal", "unknown"),
      action: some(said),
      does: some(does),
    }),
    triggers: findings("trigger", {
      mode: fc.constantFrom("automatic", "manual", "unknown"),
      thresholds: fc.array(keys("threshold"), { maxLength: 2 }),
      action: said,
      does,
    }),
    ramps: findings("ramp", {
      stages: fc.array(
        fc.record(
          { percent: number, text: said, place, hold: keys("duration") },
          { requiredKeys: ["percent", "text", "place"] },
        ),
        { maxLength: 4 },
      ),
    }),
    mappings: findings("mapping", {
      group: said,
      old: fc.option(said),
      new: fc.option(said),
      about: fc.constant("value"),
      columns: fc.dictionary(said, said, { maxKeys: 2 }),
    }),
    commands: findings("command", {
      shell: fc.oneof(said, fc.constantFrom("rm -rf old/", "cd lib", "npm test", "cp {a,b} c", "export A=1")),
      argv: fc.option(fc.array(said, { maxLength: 3 })),
      language: fc.constantFrom("bash", "sh", "", "powershell", "zsh"),
      cwd: fc.option(fc.oneof(said, fc.constant("."))),
      note: some(said),
      scripts: fc.constant([]),
      dangers: fc.array(fc.record({ kind: fc.constant("deletes"), irreversible: fc.boolean(), why: said }), {
        maxLength: 2,
      }),
      blanks: fc.array(said, { maxLength: 1 }),
    }),
    calendar: findings("calendar", {
      title: said,
      start: some(fc.constantFrom("2026-01-05", "2026-02-30", "soon", "2027-12-31")),
      end: some(fc.constantFrom("2026-03-01", "2025-01-01", "")),
      after: fc.constant([]),
      milestone: fc.boolean(),
    }),
    durations: findings("duration", {
      written: said,
      low: fc.integer({ min: 0, max: 9 }),
      high: number,
      unit: fc.constantFrom("ms", "s", "min", "h", "day", "workday", "week", "month", "quarter", "year"),
      sort: fc.constantFrom("length", "span"),
      role: fc.constant("other"),
      approximate: fc.boolean(),
    }),
    efforts: findings("effort", { of: said, duration: keys("duration") }),
    totals: findings("total", { parts: fc.constant([]), buffer: fc.constant([]) }),
    percents: fc.constant([]),
    risks: findings("risk", {
      risk: said,
      probability: some(levels),
      impact: some(levels),
      level: some(levels),
      mitigation: some(said),
      owner: some(said),
    }),
    contingencies: findings("contingency", {
      name: said,
      steps: fc.array(fc.record({ text: said, place }), { maxLength: 2 }),
    }),
    reports: findings("report", { title: said }),
    roles: findings("role", { name: said, duty: some(fc.oneof(said, fc.constant("approval"))) }),
    orders: findings("order", {
      title: said,
      from: fc.constant("list"),
      way: fc.constantFrom("forward", "rollback"),
      items: fc.array(
        fc.record(
          { text: said, place, after: fc.constant([]), dependsOn: fc.constant([]), finding: keys("step") },
          { requiredKeys: ["text", "place", "after", "dependsOn"] },
        ),
        { maxLength: 3 },
      ),
    }),
    literals: fc.constant([]),
    artifacts: fc.constant([]),
    links: fc.constant([]),
    rows: fc.constant([]),
    notes: findings("note", { role: fc.constant("prose") }),
    defects: fc.constant([]),
    unplaced: fc.constant([]),
  })
  .map(
    (lists) =>
      ({
        version: 1,
        file: "docs/PLAN.md",
        hash: "0".repeat(64),
        format: "markdown",
        lines: { total: 300, filled: 200, placed: 200 },
        ...lists,
      }) as unknown as Inventory,
  );
