import { CutoverError } from "../../core/index.ts";
import type { AnyFunction } from "./apart.ts";
import type { Difference } from "./compare.ts";
import type { ErrorReporter } from "./report-error.ts";

/**
 * Functions that a route brings along are asked for an answer at once. One that is `async` gives a promise, which says neither
 * yes nor no: taken at its word it would call every answer equal and every failure expected. And nobody would be there
 * when it rejects, which ends a process.
 */

export type OwnComparison = (old: unknown, other: unknown) => boolean | readonly Difference[] | undefined;
export type OwnPredicate = (error: unknown) => boolean;

/** @throws CUTOVER_ROUTE_FAULT, from the result, for a promise; it is let go of then. */
export function ownNormalizer(normalize: AnyFunction): AnyFunction {
  return (answer) => {
    const normal = normalize(answer);
    if (!letGo(normal)) return normal;
    throw faulty("normalize", "the normalised answer at once", normal);
  };
}

/** @throws CUTOVER_ROUTE_FAULT, from the result, for what is neither true nor false nor a list of differences. */
export function ownComparison(compare: (old: unknown, other: unknown) => unknown): OwnComparison {
  return (old, other) => {
    const found = compare(old, other);
    if (typeof found === "boolean") return found;
    if (Array.isArray(found) && found.every(isDifference)) return found;
    letGo(found);
    throw faulty("compare", "true, false or a list of { path, old, new }", found);
  };
}

/**
 * True only for `true`; what looks true and is not is told. Whoever answers with a promise whether a write is `unsure` does
 * not know it yet, so that one is. What throws is thrown on.
 */
export function ownPredicate(
  place: "expected" | "unsent" | "unsure",
  ask: OwnPredicate,
  { route, errors }: { readonly route: string; readonly errors: ErrorReporter },
): OwnPredicate {
  return (error) => {
    const answer: unknown = ask(error);
    if (answer === true || !answer) return answer === true;
    errors.fault(route, place, faulty(place, "true or false", answer));
    return letGo(answer) && place === "unsure";
  };
}

/** True for a promise, which may now reject without harm: nobody waits for it. */
export function letGo(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    const { then } = value as { then?: unknown };
    if (typeof then !== "function") return false;
    then.call(
      value,
      () => {},
      () => {},
    );
    return true;
  } catch {
    return false; // what does not let itself be asked is no promise
  }
}

/** What a function gave, for people. */
export function describeAnswer(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list of something else";
  if (typeof value === "object") return letGo(value) ? "a promise" : "an object";
  return typeof value === "string" ? "a text" : `${typeof value}`;
}

const isDifference = (value: unknown): boolean =>
  typeof value === "object" && value !== null && typeof (value as { path?: unknown }).path === "string";

const faulty = (place: string, expected: string, found: unknown): CutoverError =>
  new CutoverError("CUTOVER_ROUTE_FAULT", {
    message: `expected ${place} to answer with ${expected}, found ${describeAnswer(found)}`,
    details: { function: place },
  });
