/** What a projection wants done to one row: the words every SQL store understands. */
export type RowValue = string | number | null;
export type Columns = Readonly<Record<string, RowValue>>;

export type Table =
  | "runs"
  | "run_graphs"
  | "phases"
  | "steps"
  | "evidence"
  | "verdicts"
  | "approvals"
  | "incidents"
  | "routes"
  | "route_changes";

export type RowChange =
  /** A new row; with `ifNew` one whose key is there already is left alone. */
  | { readonly do: "insert"; readonly table: Table; readonly row: Columns; readonly ifNew?: boolean }
  /** Changes rows that match `key` and `expect`. With `expect`, exactly one row must match. */
  | {
      readonly do: "update";
      readonly table: Table;
      readonly key: Columns;
      readonly set: Columns;
      readonly expect?: Columns;
    }
  /**
   * Inserts `key + initial + first + set`, or changes `set` in the row that matches `key` and `expect`; columns of
   * `first` are then filled only while they are empty. Exactly one row must be touched.
   */
  | {
      readonly do: "upsert";
      readonly table: Table;
      readonly key: Columns;
      readonly initial: Columns;
      readonly first: Columns;
      readonly set: Columns;
      readonly expect: Columns;
    };
