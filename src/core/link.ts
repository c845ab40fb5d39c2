import type { Interval, MismatchSample, RouteDeclaration } from "./route.ts";

/** What a link may ask of the door it serves. */
export interface LinkedDoor {
  readonly name: string;
  /**
   * Hands over states. A door takes those with a higher epoch than its own; `fromOwner` also lets it take a state with
   * another salt, which means that the owner has another store than before.
   */
  apply(states: readonly unknown[], fromOwner: boolean): void;
  declarations(): readonly RouteDeclaration[];
}

/**
 * How a door hears of states and tells what it measured. Nothing in it may throw, wait for the caller or keep the
 * process alive.
 */
export interface Link {
  open(door: LinkedDoor): void;
  /** A route was declared after `open`. */
  declare(declaration: RouteDeclaration): void;
  send(intervals: readonly Interval[], samples: readonly MismatchSample[]): void;
  /** Delivers what was sent, as far as that is possible within a second, and lets go of everything. */
  close(): Promise<void>;
}
