import type { RunState } from "../store/index.ts";

/** Exit code of a command that shows or carries a run, by how the run stands; see the error catalogue. */
export function exitOf(state: RunState): number {
  switch (state) {
    case "RUNNING":
    case "COMPLETED":
      return 0;
    case "HOLDING":
    case "PAUSED":
      return 3;
    case "ROLLING_BACK":
    case "ROLLED_BACK":
      return 4;
    case "ROLLBACK_STUCK":
      return 5;
  }
}
