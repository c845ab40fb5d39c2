/** What rows become on the other side of a crossing through a map, and how they come back. */
import type { CrossingOptions, SourceRow } from "../../../src/data/index.ts";
import { decodeRecord, encodeRecord } from "../../../src/data/index.ts";

type Between = Required<Pick<CrossingOptions, "map" | "back">>;

const mark = Buffer.from("v2:");
const prefix = Buffer.from("new/");
/** Another key: the order is another one too, as its digits are turned round. */
export const newKey = (key: Uint8Array): Buffer => Buffer.concat([prefix, Buffer.from(key).reverse()]);
const oldKey = (key: Uint8Array): Buffer => Buffer.from(key.subarray(prefix.length)).reverse();
export const newValue = (value: Uint8Array): Buffer => Buffer.concat([mark, value]);
export const oldValue = (value: Uint8Array): Buffer => Buffer.from(value.subarray(mark.length));

const keys: Between = {
  map: {
    map: ({ key, value }) => ({ key: newKey(key), value: newValue(value) }),
    places: (collection, key) => [{ collection, key: newKey(key) }],
  },
  back: {
    map: ({ key, value }: SourceRow) => ({ key: oldKey(key), value: oldValue(value) }),
    places: (collection, key) => [{ collection, key: oldKey(key) }],
  },
};

/** Place of the state among the columns, and what stands for it on the new side. */
const stateAt = 2;
const states = [null, "new", "paid", "sent"] as const;

const columns: Between = {
  map: {
    map: ({ value }) => {
      const row = decodeRecord(value);
      const code = states.findIndex((state) => state === row[stateAt]);
      return { value: encodeRecord(row.with(stateAt, BigInt(code))) };
    },
    places: (collection, key) => [{ collection, key }],
  },
  back: {
    map: ({ value }: SourceRow) => {
      const row = decodeRecord(value);
      return { value: encodeRecord(row.with(stateAt, states[Number(row[stateAt])] ?? null)) };
    },
    places: (collection, key) => [{ collection, key }],
  },
};

export const maps: { readonly keys: Between; readonly columns: Between } = { keys, columns };
