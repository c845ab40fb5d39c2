import { expect, test } from "vitest";
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
