import { expect, test } from "vitest";
import { routeCoverage } from "../../report/index.ts";
import { coverageTable } from "./coverage-table.ts";
import { lineWidth, paint } from "./line.ts";

test("coverage is a table of operations and one of cohorts that fits 80 columns and says what is missing", () => {
  const lines = coverageTable({
    compared: 7_714,
    mismatches: 3,
    declared: true,
    operations: [
      { name: "submit", compared: 7_700, mismatches: 3, state: "compared" },
      { name: "remove", compared: 0, mismatches: 0, state: "untested" },
      { name: "extra", compared: 14, mismatches: 0, state: "undeclared" },
      {
        name: "charge",
        compared: 0,
        mismatches: 0,
        state: "never",
        reason: "non-idempotent",
        refused: 1_234,
      },
    ],
    cohorts: [{ name: "eu\u001b[31m", compared: 7_714, mismatches: 3, state: "compared" }],
  });
  expect(lines.map((line) => paint(line, false))).toEqual([
    "  7,714 compared · 3 differ",
    "",
    "  operation    compared    differ",
    "  submit          7,700         3",
    "  remove              0         –   untested",
    "  extra              14         0   not declared",
    "  charge              –         –   never doubled: non-idempotent, 1,234 calls",
    "",
    "  cohort     compared    differ",
    expect.stringMatching(/^ {2}eu.*\[31m +7,714 +3$/) as string,
  ]);
  expect(Math.max(...lines.map(lineWidth))).toBeLessThanOrEqual(80);
  // What a call site names a cohort must not reach the terminal as a command.
  expect(lines.some((line) => paint(line, false).includes("\u001b"))).toBe(false);
});

test("what differs is told by field, list places as one, the commonest first with its newest values", () => {
  const sample = (id: string, ...differences: { path: string; old: string; new: string }[]) => ({
    id,
    route: "r",
    door: "d",
    at: 0,
    key: `k${id}`,
    operation: "get",
    differences,
  });
  const coverage = routeCoverage(
    [],
    [],
    [
      sample("2", { path: "items.0.n", old: "1", new: "2" }, { path: "items.7.n", old: "3", new: "4" }),
      sample(
        "1",
        { path: "items.1.n", old: "5", new: "6" },
        { path: "name", old: "x".repeat(90), new: "\u001b[31m" },
      ),
    ],
  );
  const lines = coverageTable(coverage);
  const text = lines.map((line) => paint(line, false));
  expect(text.slice(1, 4)).toEqual([
    "",
    "  field        kept   newest: old → new",
    "  items.*.n       2   1 → 2   k2",
  ]);
  expect(text[4]).toMatch(/^ {2}name {12}1 {3}x{23}… → .*\[31m {3}k1$/);
  expect(text.some((line) => line.includes("\u001b"))).toBe(false);
  expect(Math.max(...lines.map(lineWidth))).toBeLessThanOrEqual(80);
});
