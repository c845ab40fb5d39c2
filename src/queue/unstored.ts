import { CutoverError, hasCode, isCutoverError, type Json } from "../core/index.ts";
import { classify, errorRecord } from "./failure.ts";

/** True when the store refuses what is to be recorded, and would refuse it again after every other attempt. */
export const isUnstorable = (error: unknown): boolean =>
  hasCode(error, "CUTOVER_STORE_CONFLICT") || hasCode(error, "CUTOVER_INTERNAL");

/** True for trouble of a store or machine that may be over soon; a file that is gone does not come back. */
export const mayPass = (error: unknown): boolean =>
  !isCutoverError(error) || (error.exitCode === 6 && error.code !== "CUTOVER_STORE_GONE");

/**
 * What is recorded in the place of an outcome that cannot be stored, in plain ASCII: left as it is, the work would be done
 * again for ever. A result would be the same after another attempt, so the order fails; an error keeps its meaning.
 */
export function unstored(
  outcome: { readonly result: Json } | { readonly error: unknown } | undefined,
  refusal: unknown,
): { readonly error: unknown } | undefined {
  if (outcome === undefined) return undefined;
  const isResult = "result" in outcome;
  const reason = errorRecord(refusal).message.replaceAll(/[^\x20-\x7e]/g, "?");
  const error = new CutoverError("CUTOVER_ORDER_FAILED", {
    message: `the ${isResult ? "result" : "error"} could not be stored: ${reason}`,
    details: isResult ? { class: "fatal" } : { ...classify(outcome.error) },
    ...(isResult ? {} : { cause: outcome.error }),
  });
  return { error };
}
