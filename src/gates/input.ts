import { CutoverError } from "../core/index.ts";

/** Never throws, whatever it is given: an object without a prototype has no `String()`. */
const shown = (value: unknown): string => {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value).slice(0, 80);
};

const refuse = (place: string, expected: string, found: unknown): CutoverError =>
  new CutoverError("CUTOVER_GATE_INPUT", {
    message: `expected ${place} to be ${expected}, found ${shown(found)}`,
    details: { field: place, found: shown(found) },
    place,
  });

/**
 * For doors that plain JavaScript can reach: reading a member of `undefined` would be a bare TypeError.
 * @throws CUTOVER_GATE_INPUT unless the value is an object.
 */
export function requireObject(place: string, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse(place, "an object", value);
  }
}

/** @throws CUTOVER_GATE_INPUT unless the value is an array. */
export function requireArray(place: string, value: unknown): void {
  if (!Array.isArray(value)) throw refuse(place, "an array", value);
}

/** @throws CUTOVER_GATE_INPUT unless the value is a function. */
export function requireFunction(place: string, value: unknown): void {
  if (typeof value !== "function") throw refuse(place, "a function", value);
}

/** @throws CUTOVER_GATE_INPUT unless the value is one of those listed. */
export function requireOneOf(place: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value !== "string" || !allowed.includes(value)) {
    throw refuse(place, `one of ${allowed.join(", ")}`, value);
  }
}

/** @throws CUTOVER_GATE_INPUT always, for what no rule above names. */
export function refuseValue(place: string, expected: string, found: unknown): never {
  throw refuse(place, expected, found);
}

const isNumber = (value: unknown): value is number => typeof value === "number";

/** @throws CUTOVER_GATE_INPUT unless the value is a whole number ≥ `least` (default 0). */
export function requireCount(place: string, value: number, least = 0): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw refuse(place, `a whole number of at least ${least}`, value);
  }
}

/** @throws CUTOVER_GATE_INPUT unless both are counts and `part` is not more than `whole`. */
export function requirePart(partName: string, part: number, wholeName: string, whole: number): void {
  requireCount(partName, part);
  requireCount(wholeName, whole);
  if (part > whole) throw refuse(partName, `at most ${wholeName} (${whole})`, part);
}

/** @throws CUTOVER_GATE_INPUT unless 0 < value < 1. */
export function requireProbability(place: string, value: number): void {
  if (!isNumber(value) || !(value > 0 && value < 1))
    throw refuse(place, "between 0 and 1, both excluded", value);
}

/** @throws CUTOVER_GATE_INPUT unless 0 ≤ value ≤ 1. */
export function requireShare(place: string, value: number): void {
  if (!isNumber(value) || !(value >= 0 && value <= 1)) throw refuse(place, "a share from 0 to 1", value);
}

/** @throws CUTOVER_GATE_INPUT unless the value is a finite number. */
export function requireFinite(place: string, value: number): void {
  if (!Number.isFinite(value)) throw refuse(place, "a finite number", value);
}

/** @throws CUTOVER_GATE_INPUT unless the value is finite and above 0. */
export function requirePositive(place: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0) throw refuse(place, "a finite number above 0", value);
}

/** @throws CUTOVER_GATE_INPUT unless the value is finite and at least 0. */
export function requireNonNegative(place: string, value: number): void {
  if (!Number.isFinite(value) || value < 0) throw refuse(place, "a finite number of at least 0", value);
}

/** @throws CUTOVER_GATE_INPUT always: the measure cannot be judged in this way. */
export function refuseRule(message: string, remedy: string): never {
  throw new CutoverError("CUTOVER_GATE_INPUT", { message, remedy });
}
