import { CutoverError, type ErrorCode, errorCatalog, isCutoverError, type Json } from "../core/index.ts";
import type { ErrorRecord } from "../store/index.ts";

/**
 * `value` as it will be read back from the record. `undefined` becomes null.
 * @throws CUTOVER_STEP_FAILED for what JSON cannot hold (a bigint, a circle), so that a commit never meets it.
 */
export function recordable(value: unknown, what: string): Json {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean" || typeof value === "string") return value;
  try {
    const text = JSON.stringify(value);
    return text === undefined ? null : (JSON.parse(text) as Json);
  } catch (cause) {
    throw new CutoverError("CUTOVER_STEP_FAILED", {
      message: `expected ${what} to be JSON, found a value that JSON cannot hold`,
      remedy: "write bigints and bytes as text, and leave out what refers to itself",
      cause,
    });
  }
}

/** An error as it is recorded. Anything but a CutoverError counts as a failed step. */
export function errorRecord(thrown: unknown): ErrorRecord {
  if (isCutoverError(thrown)) {
    const details = recordable(thrown.details, "the error's details");
    return { code: thrown.code, message: thrown.message, ...(isPlain(details) ? { details } : {}) };
  }
  return {
    code: "CUTOVER_STEP_FAILED",
    message: thrown instanceof Error ? thrown.message : String(thrown),
  };
}

const isPlain = (value: Json): value is { readonly [key: string]: Json | undefined } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;

/** False for what repeating cannot mend: wrong use or a wrong definition (exit code 2). */
export function isRetryable(error: ErrorRecord): boolean {
  return !(error.code in errorCatalog) || errorCatalog[error.code as ErrorCode].exit !== 2;
}
