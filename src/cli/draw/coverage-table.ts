import { visible } from "../../core/index.ts";
import { count, type CoverageLine, type DifferingField, type RouteCoverage } from "../../report/index.ts";
import { type Line, span, type Tone } from "./line.ts";
import { cut, pad, textWidth } from "./text-width.ts";

/** What was compared of a route: a table by operation and one by cohort, with what is missing. */
export function coverageTable(coverage: RouteCoverage): readonly Line[] {
  const { compared, mismatches, declared, operations, cohorts } = coverage;
  const lines: Line[] = [[span(`  ${count(compared)} compared · ${count(mismatches)} differ`, "dim")]];
  if (operations.length > 0) lines.push(...block("operation", operations));
  if (cohorts.length > 0) lines.push(...block("cohort", cohorts));
  lines.push(...differing(coverage.fields ?? []));
  if (!declared)
    lines.push([
      span("  no connected application declares this route: what is untested is not known", "wait"),
    ]);
  return lines;
}

/** Most fields shown; the report of a run has the mismatches themselves. */
const mostFields = 8;

/** What differs, by field: the first question after "how many". */
function differing(fields: readonly DifferingField[]): readonly Line[] {
  if (fields.length === 0) return [];
  const shown = fields.slice(0, mostFields);
  const width = Math.max(5, ...shown.map(({ path }) => textWidth(visible(path || "(all)"))));
  const more = fields.length - shown.length;
  return [
    [],
    [span(`  ${pad("field", width)}  ${pad("kept", 6, "left")}   newest: old → new`, "dim")],
    ...shown.map(({ path, kept, key, old, new: fresh }): Line => [
      span(`  ${pad(visible(path || "(all)"), width)}  ${pad(count(kept), 6, "left")}   `),
      span(`${cut(visible(old), 24)} → ${cut(visible(fresh), 24)}`),
      span(key === "" ? "" : `   ${cut(visible(key), 24)}`, "dim"),
    ]),
    ...(more === 0 ? [] : [[span(`  … ${count(more)} more fields`, "dim")]]),
  ];
}

function block(title: string, rows: readonly CoverageLine[]): readonly Line[] {
  const width = Math.max(textWidth(title), ...rows.map(({ name }) => textWidth(visible(name))));
  return [
    [],
    [span(`  ${pad(title, width)}  ${pad("compared", 10, "left")}  ${pad("differ", 8, "left")}`, "dim")],
    ...rows.map((row): Line => {
      const shown = row.state === "never" && row.compared === 0 ? "–" : count(row.compared);
      const differ = row.compared === 0 ? "–" : count(row.mismatches);
      return [
        span(`  ${pad(visible(row.name), width)}  ${pad(shown, 10, "left")}  `),
        span(pad(differ, 8, "left"), row.mismatches > 0 ? "bad" : "plain"),
        span(`   ${noteOf(row)}`, tones[row.state]),
      ];
    }),
  ];
}

const tones: Readonly<Record<CoverageLine["state"], Tone>> = {
  compared: "plain",
  untested: "wait",
  undeclared: "wait",
  never: "dim",
};

function noteOf({ state, reason, refused = 0 }: CoverageLine): string {
  switch (state) {
    case "compared":
      return "";
    case "untested":
      return "untested";
    case "undeclared":
      return "not declared";
    case "never":
      return `never doubled${reason === undefined ? "" : `: ${reason}`}, ${count(refused)} calls`;
  }
}
