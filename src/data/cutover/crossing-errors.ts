import { CutoverError, formatDuration, type JsonObject } from "../../core/index.ts";
import type { Standing } from "./switch.ts";

/** Something that has to hold before anybody is stopped does not. */
export function preflight(place: string, expected: string, found: string, remedy: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_PREFLIGHT", {
    message: `expected ${expected}, found ${found}; nothing was stopped`,
    place,
    remedy,
  });
}

export function notFollowed(place: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_NOT_FOLLOWED", {
    message: `expected a backfill of the same stores, collections and map that has copied everything and whose log is followed, found ${found}`,
    place,
  });
}

/** The pause would be, or was, longer than it may be. */
export function tooLong(place: string, words: string, details: JsonObject): CutoverError {
  return new CutoverError("CUTOVER_DATA_PAUSE_TOO_LONG", { message: words, place, details });
}

export function pauseEnded(place: string, afterMs: number, at: string): CutoverError {
  return tooLong(
    place,
    `expected writers to be stopped for at most ${formatDuration(afterMs)}, found the cutover at "${at}" then: the side that was in charge goes on`,
    { afterMs, at },
  );
}

/** Somebody else decided the epoch of this attempt, or a later one. */
export function decidedOtherwise(place: string, { side, epoch }: Standing): CutoverError {
  return new CutoverError("CUTOVER_DATA_EPOCH", {
    message: `expected to decide which side is in charge, found that the ${side} side is since epoch ${epoch}: an application has waited for too long, or somebody else turned the switch`,
    place,
    details: { side, epoch },
  });
}

export function alreadyThere(place: string, { side, epoch }: Standing): CutoverError {
  return new CutoverError("CUTOVER_DATA_EPOCH", {
    message: `expected the other side to be in charge, found that the ${side} side is since epoch ${epoch}, and this crossing did not do it`,
    place,
    details: { side, epoch },
    remedy: "name the switch of these two stores; a switch that was used before is not used again",
  });
}
