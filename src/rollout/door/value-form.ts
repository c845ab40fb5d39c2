/**
 * What sort of value stands in a field, coarsely: two values of one form may be two ids, two of different forms are
 * different answers.
 */
export type Form =
  | "absent"
  | "null"
  | "boolean"
  | "whole number"
  | "fraction"
  | "no number"
  | "bigint"
  | "empty text"
  | "number as text"
  | "time as text"
  | "uuid"
  | "text"
  | "list"
  | "date"
  | "bytes"
  | "object"
  | "other";

export function formOf(value: unknown): Form {
  switch (typeof value) {
    case "undefined":
      return "absent";
    case "boolean":
      return "boolean";
    case "bigint":
      return "bigint";
    case "number":
      if (!Number.isFinite(value)) return "no number";
      return Number.isInteger(value) ? "whole number" : "fraction";
    case "string":
      return formOfText(value);
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return "list";
      if (value instanceof Date) return "date";
      return ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? "bytes" : "object";
    case "function":
    case "symbol":
      return "other";
  }
}

function formOfText(text: string): Form {
  if (text === "") return "empty text";
  if (text.length > 64) return "text";
  if (/^[+-]?\d+(\.\d+)?$/.test(text)) return "number as text";
  if (/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)/.test(text)) return "time as text";
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text) ? "uuid" : "text";
}
