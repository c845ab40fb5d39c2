import type { SqlValue } from "../sql/program.ts";
import { jsonArray, jsonTexts, numberArray, textArray } from "./arrays.ts";

/** One column of rows that are written together. `json`: texts that hold no control characters; `bytea`: bytes. */
export interface NewColumn {
  readonly name: string;
  readonly form: "text" | "bigint" | "double precision" | "json" | "bytea";
  readonly cells: readonly SqlValue[];
  /** What is made of a value before it is written, as SQL; by default nothing. */
  readonly as?: (cell: string) => string;
}

/** Rows as a query, `SELECT` and all. Names of columns and forms are part of its text, the number of rows is not. */
export interface NewRows {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** So many rows have a text of their own for each number of them. */
const fewRows = 3;

/**
 * Columns of the same length as rows. A few rows are lists of values: taken from arrays, each column would be a set of
 * rows by itself, 4 µs of the server. More of them are arrays, so that the text does not depend on their number.
 * @param within name of a query in `WITH`: there are as many copies of the rows as it has rows, none when it has none
 */
export function newRows(columns: readonly NewColumn[], within?: string): NewRows {
  const count = columns[0]?.cells.length ?? 0;
  const few = count <= fewRows;
  const cells = columns.map(({ name, form, as }, index) => {
    const cell = count === 1 ? `$${index + 1}::${typeOf(form)}` : `new.${name}`;
    return as === undefined ? cell : as(cell);
  });
  const source = count === 1 ? [] : [few ? listed(columns, count) : unnested(columns)];
  const from = [...source, ...(within === undefined ? [] : [within])];
  return {
    sql: `SELECT ${cells.join(", ")}${from.length === 0 ? "" : ` FROM ${from.join(", ")}`}`,
    values: few ? cellsByRow(columns, count) : columns.map(arrayOf),
  };
}

const typeOf = (form: NewColumn["form"]): string => (form === "json" ? "text" : form);
const namesOf = (columns: readonly NewColumn[]): string => columns.map(({ name }) => name).join(", ");

function listed(columns: readonly NewColumn[], count: number): string {
  const rows = Array.from({ length: count }, (_, row) =>
    columns.map(({ form }, index) => `$${row * columns.length + index + 1}::${typeOf(form)}`).join(", "),
  );
  return `(VALUES ${rows.map((row) => `(${row})`).join(", ")}) AS new (${namesOf(columns)})`;
}

function cellsByRow(columns: readonly NewColumn[], count: number): readonly SqlValue[] {
  const values: SqlValue[] = [];
  for (let row = 0; row < count; row++) for (const { cells } of columns) values.push(cells[row] ?? null);
  return values;
}

function unnested(columns: readonly NewColumn[]): string {
  const arrays = columns.map(({ form }, index) =>
    form === "json" ? jsonTexts(index + 1) : `$${index + 1}::${form}[]`,
  );
  return `unnest(${arrays.join(", ")}) AS new (${namesOf(columns)})`;
}

function arrayOf({ form, cells }: NewColumn): string {
  if (form === "json") return jsonArray(cells as readonly (string | null)[]);
  if (form === "bytea") return textArray((cells as readonly (Uint8Array | null)[]).map(hexOf));
  return form === "text"
    ? textArray(cells as readonly (string | null)[])
    : numberArray(cells as readonly (number | null)[]);
}

/** As an element of an array value; alone, the driver sends bytes as they are. */
const hexOf = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : `\\x${Buffer.from(bytes).toString("hex")}`;
