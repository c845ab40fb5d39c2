import { errorCatalog } from "./error-catalog.ts";
import type { ErrorCode } from "./error-code.ts";
import type { JsonObject } from "./json.ts";

export interface CutoverErrorInit {
  /** What was expected, what was found, what to do: one or two sentences. */
  readonly message: string;
  /** Facts a program can use; never secrets, never long values. */
  readonly details?: JsonObject;
  /** Where it is: `file:line`, `phases[2].steps[0]`, a path, a table. */
  readonly place?: string;
  /** What to do, when the catalogue's general remedy can be made more precise. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/**
 * The one error every door throws. `code` is stable and listed with cause and remedy in
 * `docs/errors.md`; `exitCode` is what the command line ends with.
 */
export class CutoverError extends Error {
  override readonly name = "CutoverError";
  readonly code: ErrorCode;
  readonly details: JsonObject;
  readonly place: string | undefined;
  readonly remedy: string;

  constructor(code: ErrorCode, init: CutoverErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.details = init.details ?? {};
    this.place = init.place;
    this.remedy = init.remedy ?? errorCatalog[code].remedy;
  }

  get exitCode(): number {
    return errorCatalog[this.code].exit;
  }

  toJSON(): JsonObject {
    const { code, message, details, place, remedy } = this;
    return { code, message, details, place, remedy };
  }
}

/** True for a `CutoverError`, also one that came from another copy of the package. */
export function isCutoverError(value: unknown): value is CutoverError {
  return (
    value instanceof Error && value.name === "CutoverError" && (value as { code?: string }).code !== undefined
  );
}

/** A `CutoverError` with exactly this code. */
export function hasCode(value: unknown, code: ErrorCode): value is CutoverError {
  return isCutoverError(value) && value.code === code;
}
