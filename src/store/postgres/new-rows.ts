import type { SqlValue } from "../sql/program.ts";
import { jsonArray, jsonTexts, numberArray, textArray } from "./arrays.ts";

/** One column of rows that are written together. `json`: texts that hold no control characters. */
export interface NewColumn {
  readonly name: string;
  readonly form: "text" | "bigint" | "double precision" | "json";
  readonly cells: readonly (string | number | null)[];
  /** What is made of a value before it is written, as SQL; by default nothing. */
  readonly as?: (cell: string) => string;
}

/** Rows as a query, `SELECT` and all. Names of columns and forms are part of its text, the number of rows is not. */
export interface NewRows {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/**
 * Columns of the same length as rows. One row is a list of values: taken from arrays, its columns would be as many sets
 * of rows, 4 µs of the server for each.
 * @param within name of a query in `WITH`: there are as many copies of the rows as it has rows, none when it has none
 */
export function newRows(columns: readonly NewColumn[], within?: string): NewRows {
  const alone = columns[0]?.cells.length === 1;
  const cells = columns.map(({ name, form, as }, index) => {
    const cell = alone ? `$${index + 1}::${form === "json" ? "text" : form}` : `new.${name}`;
    return as === undefined ? cell : as(cell);
  });
  const from = [...(alone ? [] : [source(columns)]), ...(within === undefined ? [] : [within])];
  return {
    sql: `SELECT ${cells.join(", ")}${from.length === 0 ? "" : ` FROM ${from.join(", ")}`}`,
    values: columns.map((column) => (alone ? (column.cells[0] ?? null) : arrayOf(column))),
  };
}

function source(columns: readonly NewColumn[]): string {
  const arrays = columns.map(({ form }, index) =>
    form === "json" ? jsonTexts(index + 1) : `$${index + 1}::${form}[]`,
  );
  return `unnest(${arrays.join(", ")}) AS new (${columns.map(({ name }) => name).join(", ")})`;
}

function arrayOf({ form, cells }: NewColumn): string {
  if (form === "json") return jsonArray(cells as readonly (string | null)[]);
  return form === "text"
    ? textArray(cells as readonly (string | null)[])
    : numberArray(cells as readonly (number | null)[]);
}
