import { isCutoverError } from "../../core/index.ts";
import { fencedMessage } from "../connectors/sqlite-capture.ts";

/** Libraries wrap what a driver threw, some of them twice. */
const deepest = 5;

/**
 * Whether a write was refused because its side is no longer in charge under its epoch: a store of Cutover says
 * CUTOVER_DATA_FENCED, the trigger in PostgreSQL SQLSTATE CUF01, the one in SQLite its text; also as the `cause` of what a library made of it.
 * @returns the least epoch that would have been taken, true where that is not said, false for any other error
 */
export function fencedAt(thrown: unknown): number | boolean {
  let error = thrown;
  for (let depth = 0; depth < deepest && error instanceof Error; depth++) {
    if (isCutoverError(error)) {
      if (error.code !== "CUTOVER_DATA_FENCED") return false;
      const { least } = error.details;
      if (typeof least === "number") return least;
      const deeper = fencedAt(error.cause);
      return deeper === false ? true : deeper;
    }
    if ((error as { readonly code?: unknown }).code === "CUF01") {
      const least = Number(/\bepoch (\d{1,16}) or later\b/.exec(error.message)?.[1] ?? Number.NaN);
      return Number.isSafeInteger(least) ? least : true;
    }
    if (error.message === fencedMessage) return true;
    error = error.cause;
  }
  return false;
}
