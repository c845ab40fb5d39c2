import {
  type BackMap,
  type DataMap,
  decodeRecord,
  encodeRecord,
  type Image,
  noImage,
  type Place,
  type RecordValue,
  type SourceRow,
} from "cutover/data";
import { oldState, oldTaskState, statusOf, taskStatusOf } from "./status.ts";

/** Tables of the old shop that move; `shop.visits` has no primary key and stays. */
export const oldTables: readonly string[] = ["shop.events", "shop.items", "shop.orders", "shop.tasks"];
export const newTables: readonly string[] = [
  "sales.events",
  "sales.items",
  "sales.orders",
  "sales.payments",
  "sales.tasks",
];

/** Columns of a row in the order of its table. */
type Columns = readonly RecordValue[];

/**
 * Old rows in the new shop. Keys are the same on both sides; what changes is the table (payments have one of their own) and the
 * columns. It depends on the row alone.
 */
export const toNew: DataMap = {
  map: ({ collection, value }) => {
    const columns = decodeRecord(value);
    if (collection === "shop.items") return image("sales.items", columns);
    if (collection === "shop.orders") {
      // customer → customer_name, created → placed_at, updated → updated_at: places in the row, not names, are what counts.
      const [id, request, customer, state, ...rest] = columns;
      return image("sales.orders", [id, request, customer, statusOf(wordOf(state)), ...rest]);
    }
    if (collection === "shop.tasks") {
      const [id, order, state, ...rest] = columns;
      const status = taskStatusOf(wordOf(state));
      return status === null ? null : image("sales.tasks", [id, order, status, ...rest]);
    }
    const [id, order, kind, amount, attachment, body, at] = columns;
    if (kind === "payment") {
      if (amount === null) throw noImage("a payment without an amount");
      return image("sales.payments", [id, order, amount, attachment, body, at]);
    }
    if (amount !== null) throw noImage(`an amount in an event of kind "${wordOf(kind)}"`);
    return image("sales.events", [id, order, kind, attachment, body, at]);
  },
  // Every table in which an image of a row with this key can lie: known without asking.
  places: (collection, key) => {
    if (collection === "shop.events")
      return [
        { collection: "sales.events", key },
        { collection: "sales.payments", key },
      ];
    return [{ collection: collection.replace("shop.", "sales."), key }];
  },
};

/** New rows in the old shop again: what was written after the cutover is not lost by going back. */
export const toOld: BackMap = {
  map: ({ collection, value }: SourceRow): Image => {
    const columns = decodeRecord(value);
    if (collection === "sales.items") return image("shop.items", columns);
    if (collection === "sales.orders") {
      const [id, request, customer, status, ...rest] = columns;
      return image("shop.orders", [id, request, customer, oldState(wordOf(status)), ...rest]);
    }
    if (collection === "sales.tasks") {
      const [id, order, status, ...rest] = columns;
      return image("shop.tasks", [id, order, oldTaskState(wordOf(status)), ...rest]);
    }
    if (collection === "sales.payments") {
      const [id, order, amount, receipt, body, at] = columns;
      return image("shop.events", [id, order, "payment", amount, receipt, body, at]);
    }
    const [id, order, kind, attachment, body, at] = columns;
    return image("shop.events", [id, order, kind, null, attachment, body, at]);
  },
  places: (collection: string, key: Uint8Array): readonly Place[] => [
    {
      collection: collection === "sales.payments" ? "shop.events" : collection.replace("sales.", "shop."),
      key,
    },
  ],
};

/** A column of text. */
function wordOf(column: RecordValue | undefined): string {
  if (typeof column === "string") return column;
  throw noImage("a status that is no text");
}

const image = (collection: string, columns: readonly (RecordValue | undefined)[]): Image => ({
  collection,
  value: encodeRecord(columns as Columns),
});
