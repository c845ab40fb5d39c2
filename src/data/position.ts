import { CutoverError } from "../core/index.ts";
import type { Position } from "./connector.ts";

/** Digits of a position, so that the order of the text is the order of the numbers. */
const width = 16;

/** A journal's sequence number as a position. */
export function positionOf(sequence: number): Position {
  return String(sequence).padStart(width, "0");
}

/** @throws CUTOVER_DATA_SLOT_LOST when the text is no position of a journal */
export function sequenceOf(position: Position, place: string): number {
  if (/^\d{16}$/.test(position)) return Number(position);
  throw new CutoverError("CUTOVER_DATA_SLOT_LOST", {
    message: `expected a position of ${width} digits, found ${JSON.stringify(position.slice(0, 40))}: it was not given by this store`,
    place,
  });
}
