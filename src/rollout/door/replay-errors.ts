import { CutoverError, type RouteState } from "../../core/index.ts";
import type { Entry } from "./replay-entry.ts";

const entity = (route: string): string => `entity(${JSON.stringify(route)})`;

export function lostError(route: string, most: number, closed: boolean): CutoverError {
  return new CutoverError("CUTOVER_WRITE_LOST", {
    message: closed
      ? `a second write of ${JSON.stringify(route)} came after its rollout was closed; the first side has taken it alone`
      : `expected at most ${most} second writes of ${JSON.stringify(route)} to be missing; one more went to the first side alone`,
    details: { route },
    place: entity(route),
  });
}

export function asideError(route: string, entry: Entry): CutoverError {
  const { id, operation, key = null, aside = "" } = entry;
  return new CutoverError("CUTOVER_WRITE_ASIDE", {
    message: `${operation} of key ${String(JSON.stringify(key)).slice(0, 200)} was set aside: ${aside}`,
    details: { route, id, operation, key },
    place: `${entity(route)}.${operation}`,
  });
}

export function voidError(route: string, { stage, epoch }: RouteState, given: number): CutoverError {
  return new CutoverError("CUTOVER_WRITE_ASIDE", {
    message: `${given} second writes of ${JSON.stringify(route)} given up, stage ${stage} forbids them`,
    details: { route, stage, epoch, given },
    place: `${entity(route)} at stage ${stage}`,
    remedy: "copy the state to the other side before a stage writes to both again",
  });
}
