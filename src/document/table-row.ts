import { nothing } from "./arrows.ts";
import { tellDates } from "./dates.ts";
import type { Context } from "./draft.ts";
import type { Field } from "./field-words.ts";
import type { Inline } from "./inline.ts";
import { tellFigures } from "./passage.ts";
import type { Reading } from "./reading.ts";

export interface Columns {
  readonly names: readonly string[];
  readonly at: ReadonlyMap<Field, number>;
}

export interface Row {
  readonly line: number;
  readonly cells: readonly Inline[];
  readonly text: string;
  readonly index: number;
}

export type RowReader = (reading: Reading, row: Row, columns: Columns, context: Context) => void;

export const cell = (row: Row, index: number | undefined): string =>
  index === undefined ? "" : (row.cells[index]?.plain.trim() ?? "");
export const filled = (text: string): boolean => !nothing.test(text);

/** Figures and dates of all cells but those that a reader told itself. */
export function figures(
  reading: Reading,
  row: Row,
  context: Context,
  options: Parameters<typeof tellFigures>[4] = {},
  but: readonly (number | undefined)[] = [],
): ReturnType<typeof tellFigures>["durations"] {
  const durations = row.cells.flatMap(({ plain }, index) => {
    if (but.includes(index)) return [];
    tellDates(reading, context, plain, row.line, titleOf(row));
    return tellFigures(reading, context, plain, row.line, options).durations;
  });
  reading.draft.tell(row.line);
  return durations;
}

export const byName = (row: Row, { names }: Columns): Record<string, string> =>
  Object.fromEntries(
    row.cells.map(({ plain }, index) => [
      names[index] === undefined || names[index] === "" ? `${index + 1}` : (names[index] ?? ""),
      plain.trim(),
    ]),
  );

export const said = (
  row: Row,
  why: string,
): { text: string; line: number; sureness: "certain"; why: string } => ({
  text: row.text,
  line: row.line,
  sureness: "certain",
  why,
});

/** The first cell that is more than a number. */
const titleOf = ({ cells, text }: Row): string =>
  cells.find(({ plain }) => /\p{L}/u.test(plain))?.plain ?? text;
