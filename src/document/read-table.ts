import type { Table } from "./block.ts";
import type { Context } from "./draft.ts";
import { type Field, fieldOf } from "./field-words.ts";
import { readHeading } from "./heading.ts";
import { readInline } from "./inline.ts";
import { tellLinks } from "./passage.ts";
import { tellMentioned } from "./read-commands.ts";
import type { Reading } from "./reading.ts";
import { type Columns, type RowReader } from "./table-row.ts";
import { bounds, hasBounds, risk, threshold, mapping, share, criterion } from "./figure-rows.ts";
import { phase, unit, role, step, other } from "./work-rows.ts";

/** Reads a table by the words of its head; each row becomes what the head says, or a row kept whole. */
export function readTable(reading: Reading, table: Table, context: Context): void {
  const { draft } = reading;
  draft.form(table.line, table.line + 1);
  const names = table.header.map((cell) => readInline(cell).plain.trim());
  const at = new Map<Field, number>();
  names.forEach((name, index) => {
    const field = fieldOf(name);
    if (field !== undefined && !at.has(field)) at.set(field, index);
  });
  const columns: Columns = { names, at };
  const reader = readerFor(columns, context, table);
  if (table.rows.length === 0) draft.leave(table.line, table.endLine, "a table without rows", context);
  table.rows.forEach(({ line, cells }, index) => {
    const inlines = cells.map(readInline);
    const text = inlines.map(({ plain }) => plain.trim()).join(" | ");
    if (text.replace(/[\s|]/g, "") === "") {
      draft.form(line);
      return;
    }
    const row = { line, cells: inlines, text, index };
    for (const cell of inlines) tellLinks(reading, context, cell, line);
    reader(reading, row, columns, context);
    for (const cell of inlines) tellMentioned(reading, cell.codes, line, context);
  });
}

function readerFor({ at, names }: Columns, context: Context, table: Table): RowReader {
  if (at.has("risk") && (at.has("mitigation") || at.has("probability") || at.has("impact"))) return risk;
  if (hasBounds({ at, names })) return bounds;
  if (at.has("threshold") && (at.has("metric") || names.length > 1)) return threshold;
  if (at.has("old") && at.has("new")) return mapping;
  if (context.role === "mapping" && names.length >= 2) return mapping;
  if (context.role === "risks" && names.length >= 2) return risk;
  if (
    context.role === "thresholds" &&
    names.length >= 2 &&
    table.rows.some(({ cells }) => /[<>≤≥]/.test(cells.slice(1).join(" ")))
  )
    return threshold;
  if (
    at.get("phase") !== undefined &&
    (at.get("phase") === 0 || names.length > 2 || phaseLike(table, at.get("phase") ?? 0))
  )
    return phase;
  if (
    table.rows.length > 1 &&
    table.rows.every(({ cells }) => readHeading(readInline(cells[0] ?? "").plain.trim()).role === "phase")
  )
    return phase;
  if (
    at.has("share") &&
    table.rows.length > 1 &&
    table.rows.every(({ cells }) => /\d\s?[%％]/.test(cells[at.get("share") ?? 0] ?? ""))
  )
    return share;
  if (
    at.has("unit") &&
    (at.has("effort") ||
      at.has("depends") ||
      at.has("order") ||
      at.has("status") ||
      at.has("priority") ||
      at.has("duration") ||
      at.get("unit") === 0)
  )
    return unit;
  if (at.has("person") || (at.has("owner") && at.has("role")) || (at.has("role") && context.role === "roles"))
    return role;
  if (at.has("criterion") || context.role === "criteria") return criterion;
  if (at.has("step")) return step;
  if (context.role === "rollback" || context.role === "checklist") return step;
  return other;
}

const phaseLike = (table: Table, column: number): boolean =>
  table.rows.some(({ cells }) => readHeading(readInline(cells[column] ?? "").plain.trim()).role === "phase");
