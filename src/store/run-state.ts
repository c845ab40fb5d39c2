import type { RunState } from "./run-events.ts";

/** True for a state in which nothing more will happen to the run. */
export const hasEnded = (state: RunState): boolean => state === "COMPLETED" || state === "ROLLED_BACK";
