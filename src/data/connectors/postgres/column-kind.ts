import type { KeyValue } from "../../key-codec.ts";
import { type RecordValue, TextBytes } from "../../record-codec.ts";
import { dateText, daysOfText, microsOfText, timestampText } from "./instants.ts";

/**
 * How a column's values become values of a record. `text` of all sorts, numbers with a fraction, dates, times, uuids and every
 * type not named here are text as PostgreSQL writes it; `raw` are the two columns of a collection that a move keeps for itself.
 */
export type ColumnKind =
  | "boolean"
  | "int2"
  | "int4"
  | "int8"
  | "float4"
  | "float8"
  | "text"
  | "padded"
  | "bytes"
  | "uuid"
  | "timestamp"
  | "timestamptz"
  | "date"
  | "numeric"
  | "json"
  | "jsonb"
  | "enum"
  | "other"
  | "raw";

/** By the oid of the type; those of domains are found under their base type. */
const kinds: Readonly<Record<number, ColumnKind>> = {
  16: "boolean",
  17: "bytes",
  19: "text",
  20: "int8",
  21: "int2",
  23: "int4",
  25: "text",
  114: "json",
  700: "float4",
  701: "float8",
  1042: "padded",
  1043: "text",
  1082: "date",
  1114: "timestamp",
  1184: "timestamptz",
  1700: "numeric",
  2950: "uuid",
  3802: "jsonb",
};

export function kindOf(type: number, isEnum: boolean): ColumnKind {
  return isEnum ? "enum" : (kinds[type] ?? "other");
}

/** What can be part of a key: PostgreSQL orders it as the bytes of its encoded key are ordered. */
export const keyKinds: ReadonlySet<ColumnKind> = new Set([
  "boolean",
  "int2",
  "int4",
  "int8",
  "text",
  "padded",
  "bytes",
  "uuid",
  "timestamp",
  "timestamptz",
  "date",
  "raw",
] as const);

/** The bytes of a value's text, as the log and queries give it, as a value of a record. */
export function valueOfText(kind: ColumnKind, bytes: Buffer): RecordValue {
  switch (kind) {
    case "boolean":
      return bytes[0] === 0x74;
    case "int2":
    case "int4":
    case "int8":
      return BigInt(bytes.toString("latin1"));
    case "float4":
      // COPY gives the four bytes, whose nearest double is not that of the short text.
      return Math.fround(Number(bytes.toString("latin1")));
    case "float8":
      return Number(bytes.toString("latin1"));
    case "bytes":
    case "raw":
      return bytesOfHex(bytes);
    case "text":
    case "padded":
    case "uuid":
    case "timestamp":
    case "timestamptz":
    case "date":
    case "numeric":
    case "json":
    case "jsonb":
    case "enum":
    case "other":
      // As it is: text need not be decoded to be carried.
      return new TextBytes(bytes);
  }
}

/** A value of a record as text that PostgreSQL reads for this type; undefined when it cannot be of it. */
export function textOfValue(kind: ColumnKind, value: Exclude<RecordValue, null>): string | undefined {
  if (value instanceof TextBytes) return undefined;
  if (value instanceof Uint8Array) return kind === "bytes" || kind === "raw" ? hexText(value) : undefined;
  if (kind === "bytes" || kind === "raw") return undefined;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A column of a record as a column of a key; undefined when it cannot be one. */
export function keyOfValue(kind: ColumnKind, value: RecordValue): KeyValue | undefined {
  const text = typeof value === "string" ? value : value instanceof TextBytes ? textIn(value) : undefined;
  switch (kind) {
    case "boolean":
      return typeof value === "boolean" ? BigInt(value) : value === 0n || value === 1n ? value : undefined;
    case "int2":
    case "int4":
    case "int8":
      return typeof value === "bigint" ? value : undefined;
    case "date": {
      const days = text === undefined ? undefined : daysOfText(text);
      return days === undefined ? undefined : BigInt(days);
    }
    case "timestamp":
    case "timestamptz":
      return text === undefined ? undefined : microsOfText(text, kind === "timestamptz");
    case "padded":
      return text?.replace(/ +$/, "");
    case "text":
    case "uuid":
      return text;
    case "bytes":
    case "raw":
      return value instanceof Uint8Array ? value : undefined;
    case "float4":
    case "float8":
    case "numeric":
    case "json":
    case "jsonb":
    case "enum":
    case "other":
      return undefined;
  }
}

/** A column of a key as text that PostgreSQL reads for this type; undefined when it cannot be of it. */
export function textOfKey(kind: ColumnKind, value: KeyValue): string | undefined {
  switch (kind) {
    case "boolean":
      return value === 0n ? "f" : value === 1n ? "t" : undefined;
    case "int2":
    case "int4":
    case "int8":
      return typeof value === "bigint" ? String(value) : undefined;
    case "date":
      return typeof value === "bigint" ? dateText(Number(value)) : undefined;
    case "timestamp":
    case "timestamptz":
      return typeof value === "bigint" ? timestampText(value, kind === "timestamptz") : undefined;
    case "text":
    case "padded":
    case "uuid":
      return typeof value === "string" ? value : undefined;
    case "bytes":
    case "raw":
      return value instanceof Uint8Array ? hexText(value) : undefined;
    case "float4":
    case "float8":
    case "numeric":
    case "json":
    case "jsonb":
    case "enum":
    case "other":
      return undefined;
  }
}

function textIn({ bytes }: TextBytes): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

/** After `\\x`. Large ones piece by piece, as their text would take twice their room again. */
function bytesOfHex(text: Buffer): Buffer {
  const piece = 65_536;
  if (text.length <= piece) return Buffer.from(text.toString("latin1", 2), "hex");
  const bytes = Buffer.allocUnsafe((text.length - 2) / 2);
  for (let at = 2; at < text.length; at += piece)
    bytes.write(text.toString("latin1", at, Math.min(at + piece, text.length)), (at - 2) / 2, "hex");
  return bytes;
}

function hexText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`;
}
