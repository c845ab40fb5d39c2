import { deserialize, serialize } from "node:v8";
import { copyValue, uncopied } from "./copy.ts";
import type { WriteRecord } from "./journal-record.ts";

/** An input as it is written down: JSON where that is exact, else in the form of `v8`. */
export type WrittenInput = { readonly json: string } | { readonly v8: string };

const deepest = 64;

/**
 * Undefined for what cannot be written down and read back the same: functions, instances of classes, symbols, cycles
 * and anything deeper than 64 levels. Dates, maps, sets, buffers, big integers and `undefined` can.
 */
export function writeInput(args: readonly unknown[]): WrittenInput | undefined {
  try {
    const form = formOf(args, 0);
    if (form === "json") return { json: JSON.stringify(args) };
    return form === "v8" ? { v8: serialize(args).toString("base64") } : undefined;
  } catch {
    return undefined; // a getter or proxy that throws
  }
}

/** A fresh copy each time: what an attempt does to its input, the next one never sees. */
export function readInput(record: WriteRecord): readonly unknown[] | undefined {
  if (record.json !== undefined) return record.json;
  if (record.v8 === undefined) return undefined;
  return deserialize(Buffer.from(record.v8, "base64")) as unknown[];
}

type Form = "json" | "v8" | "none";

function formOf(value: unknown, depth: number): Form {
  switch (typeof value) {
    case "string":
    case "boolean":
      return "json";
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? "json" : "v8";
    case "undefined":
    case "bigint":
      return "v8";
    case "object":
      if (value === null) return "json";
      return depth > deepest ? "none" : formOfObject(value, depth);
    case "function":
    case "symbol":
      return "none";
  }
}

function formOfObject(value: object, depth: number): Form {
  if (Array.isArray(value))
    return worst(Object.keys(value).length === value.length ? value : [...value, undefined], depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) {
    if (Object.getOwnPropertySymbols(value).length > 0 || "toJSON" in value) return "none";
    // A member named `__proto__` would set the prototype of what is read back.
    if (Object.hasOwn(value, "__proto__")) return "none";
    return worst(Object.values(value), depth);
  }
  const kind = value.constructor as unknown;
  if (kind === Map) return worst([undefined, ...(value as Map<unknown, unknown>)].flat(), depth);
  if (kind === Set) return worst([undefined, ...(value as Set<unknown>)], depth);
  if (kind === Date || kind === ArrayBuffer || Buffer.isBuffer(value)) return "v8";
  return ArrayBuffer.isView(value) && typedArrays.has(kind) ? "v8" : "none";
}

const typedArrays: ReadonlySet<unknown> = new Set([
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]);

function worst(values: readonly unknown[], depth: number): Form {
  let form: Form = "json";
  for (const value of values) {
    const found = formOf(value, depth + 1);
    if (found === "none") return "none";
    if (found === "v8") form = "v8";
  }
  return form;
}

/** The input of a write that only memory holds; unlike a shadow call a write is never left out for its size. */
export function copyInput(args: readonly unknown[]): readonly unknown[] {
  const copied = copyValue(args, Number.POSITIVE_INFINITY);
  return copied === uncopied ? args : (copied as unknown[]);
}
