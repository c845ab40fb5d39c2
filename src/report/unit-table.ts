import { formatDuration } from "../core/index.ts";
import { count } from "./figures.ts";
import type { UnitView } from "./run-view.ts";
import { unitCounts } from "./unit-view.ts";
import { unitFaces } from "./words.ts";

/** `50 units: 1 failed · 3 moving · 24 moved · 22 not begun`. */
export function unitSum(units: readonly UnitView[]): string {
  const counts = unitCounts(units).map((each) => `${count(each.count)} ${each.face.word}`);
  return `${count(units.length)} units: ${counts.join(" · ")}`;
}

/** What a person looks for comes first: a phone shows the left half. */
const columns: readonly { readonly head: string; readonly cell: (unit: UnitView) => string }[] = [
  { head: "unit", cell: ({ name, title }) => (title === "" || title === name ? name : `${name}: ${title}`) },
  { head: "state", cell: ({ state }) => `${unitFaces[state].mark} ${unitFaces[state].word}` },
  { head: "steps", cell: ({ stepsDone, stepsTotal }) => `${count(stepsDone)} of ${count(stepsTotal)}` },
  { head: "now", cell: ({ line }) => line },
  {
    head: "took",
    cell: ({ startedAt, endedAt }) =>
      startedAt === null || endedAt === null ? "" : formatDuration(endedAt - startedAt),
  },
  { head: "wave", cell: ({ wave }) => wave ?? "" },
  { head: "priority", cell: ({ priority }) => priority ?? "" },
  { head: "effort", cell: ({ effortMs }) => (effortMs === null ? "" : formatDuration(effortMs)) },
];

/** Units as a table of texts; columns that none of them fills are left out. */
export function unitTable(units: readonly UnitView[]): {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const filled = columns.filter(({ cell }) => units.some((unit) => cell(unit) !== ""));
  return {
    head: filled.map(({ head }) => head),
    rows: units.map((unit) => filled.map(({ cell }) => cell(unit))),
  };
}
