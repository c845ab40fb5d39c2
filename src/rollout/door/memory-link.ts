import type { Interval, MismatchSample, RouteDeclaration, RouteState } from "../../core/index.ts";
import type { Link, LinkedDoor } from "./link.ts";

/** A link within one process: states are pushed by hand, measurements are kept in lists. For tests and embedding. */
export interface MemoryLink extends Link {
  readonly intervals: Interval[];
  readonly samples: MismatchSample[];
  readonly declarations: RouteDeclaration[];
  /** Hands states to the door, as an owner would. */
  push(...states: RouteState[]): void;
}

export function memoryLink(): MemoryLink {
  let door: LinkedDoor | undefined;
  const intervals: Interval[] = [];
  const samples: MismatchSample[] = [];
  const declarations: RouteDeclaration[] = [];
  return {
    intervals,
    samples,
    declarations,
    push: (...states) => door?.apply(states, true),
    open: (opened) => {
      door = opened;
    },
    declare: (declaration) => {
      declarations.push(declaration);
    },
    send: (newIntervals, newSamples) => {
      intervals.push(...newIntervals);
      samples.push(...newSamples);
    },
    close: async () => {},
  };
}
