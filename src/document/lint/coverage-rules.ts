import type { Inventory } from "../inventory.ts";
import type { MappingFinding } from "../work-finding.ts";
import type { FoundValues, LintFacts } from "./facts.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

/** Tables of values (`queued → PENDING`) against the values that data and code really hold. */
export function checkCoverage(inventory: Inventory, facts: LintFacts, tell: Tell): void {
  if (facts.values === undefined) return;
  for (const table of tablesOf(inventory)) {
    for (const side of ["old", "new"] as const) {
      const listed = table.rows.flatMap((row) => row[side] ?? []);
      const fields = facts.values.filter((field) => fits(field, table, side, listed));
      // The nearest match alone: a field of another thing that happens to share two words is no evidence.
      const chosen = best(fields, listed);
      for (const field of chosen) compare(table, side, listed, field, tell);
    }
  }
}

interface Table {
  readonly title: string;
  readonly rows: readonly MappingFinding[];
}

function tablesOf(inventory: Inventory): readonly Table[] {
  const groups = new Map<string, MappingFinding[]>();
  for (const row of inventory.mappings) {
    if (row.about !== "value") continue;
    const key = `${row.within.section ?? ""}\n${row.group}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups.values()].map((rows) => ({ title: rows[0]?.group ?? "", rows }));
}

const tokens = (text: string): readonly string[] =>
  text
    .split(/[^\p{L}\p{N}]+|(?<=[\p{Ll}\p{N}])(?=\p{Lu})/u)
    .map((word) => word.toLowerCase().replace(/(?:es|s)$/u, ""))
    .filter((word) => word.length > 1);

const hollow = new Set(
  "mapping map table old new legacy current value type enum field the of to in migration data name".split(
    " ",
  ),
);

/** By name (`status` in "Work Order Status Mapping") with a shared value, or by two shared values that are most of the field's. */
function fits(field: FoundValues, table: Table, side: "old" | "new", listed: readonly string[]): boolean {
  const shared = overlap(field, listed);
  if (shared === 0) return false;
  const rival = table.rows.flatMap((row) => row[side === "old" ? "new" : "old"] ?? []);
  // `running` and `RUNNING` differ by case alone: the side that is written as in the data is meant.
  if (overlap(field, rival) > shared) return false;
  const title = new Set(tokens(table.title).filter((word) => !hollow.has(word)));
  const named = tokens(field.field.split(".").at(-1) ?? field.field).some(
    (word) =>
      title.has(word) ||
      (word === "state" && title.has("status")) ||
      (word === "status" && title.has("state")),
  );
  const most = shared >= 2 && shared * 2 >= Math.min(field.values.length, listed.length);
  return named ? shared >= 2 || listed.length < 3 : most;
}

const overlap = (field: FoundValues, listed: readonly string[]): number =>
  field.values.filter(({ value }) => listed.includes(value)).length;

function best(fields: readonly FoundValues[], listed: readonly string[]): readonly FoundValues[] {
  const leaf = ({ field }: FoundValues): string => field.split(/[.\s]/).at(-1) ?? field;
  const pick = (from: "data" | "code"): readonly FoundValues[] => {
    const ranked = fields
      .filter((field) => field.from === from)
      .toSorted((a, b) => overlap(b, listed) - overlap(a, listed) || a.values.length - b.values.length);
    // The same field may stand at several depths and in several tables.
    return ranked.filter((field) => ranked[0] !== undefined && leaf(field) === leaf(ranked[0]));
  };
  return [...pick("data"), ...pick("code")];
}

function compare(
  table: Table,
  side: "old" | "new",
  listed: readonly string[],
  field: FoundValues,
  tell: Tell,
): void {
  const head = table.rows[0];
  if (head === undefined) return;
  const place = { ...head.place, endLine: table.rows.at(-1)?.place.endLine ?? head.place.endLine };
  const uncovered = field.values.filter(({ value }) => !listed.includes(value));
  const where = field.from === "data" ? `field \`${field.field}\` of the data` : `\`${field.field}\` in code`;
  if (uncovered.length > 0) {
    const values = uncovered.map(({ value, count }) =>
      field.from === "data" ? `${value} (${count}×)` : value,
    );
    tell(
      "status-not-covered",
      { place, text: table.title },
      {
        expected:
          side === "old"
            ? `a row for every value of ${where}`
            : `a row that leads to every value of ${where}`,
        found: `no row for ${values.join(", ")}`,
        remedy:
          side === "old"
            ? "say what each becomes, or that it is refused by name"
            : "add the rows, or say that nothing old leads there",
        severity: side === "old" ? "error" : "warning",
        also: uncovered.map(({ value, first, count }) => ({
          ...first,
          what: `${value}${count > 1 ? `, first of ${count}` : ""}`,
        })),
      },
    );
  }
  if (field.from !== "data" || side === "new") return;
  const seen = new Set(field.values.map(({ value }) => value));
  for (const row of table.rows) {
    const value = row[side];
    if (value === null || seen.has(value)) continue;
    const twin = field.values.find((each) => each.value.toLowerCase() === value.toLowerCase());
    tell("status-not-found", row, {
      expected: `a value of ${where}: ${field.values.map((each) => each.value).join(", ")}`,
      found: quoted(value),
      remedy:
        twin === undefined
          ? "take the row out, or point at the data that holds it"
          : `write it as the data does: ${twin.value}`,
      also: [lineOf(head.place, table.title)],
    });
  }
}
