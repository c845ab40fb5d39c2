import { CutoverError } from "../core/index.ts";

const refuse = (place: string, expected: string, found: unknown): CutoverError =>
  new CutoverError("CUTOVER_GATE_INPUT", {
    message: `expected ${place} to be ${expected}, found ${String(found)}`,
    details: { field: place, found: String(found) },
    place,
  });

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
  if (!(value > 0 && value < 1)) throw refuse(place, "between 0 and 1, both excluded", value);
}

/** @throws CUTOVER_GATE_INPUT unless 0 ≤ value ≤ 1. */
export function requireShare(place: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw refuse(place, "a share from 0 to 1", value);
}

/** @throws CUTOVER_GATE_INPUT unless the value is a finite number. */
export function requireFinite(place: string, value: number): void {
  if (!Number.isFinite(value)) throw refuse(place, "a finite number", value);
}

/** @throws CUTOVER_GATE_INPUT unless the value is finite and above 0. */
export function requirePositive(place: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0) throw refuse(place, "a finite number above 0", value);
}

/** @throws CUTOVER_GATE_INPUT always: the measure cannot be judged in this way. */
export function refuseRule(message: string, remedy: string): never {
  throw new CutoverError("CUTOVER_GATE_INPUT", { message, remedy });
}
