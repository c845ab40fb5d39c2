import { CutoverError } from "../core/index.ts";
import { hasEnded, type RunRecord } from "../store/index.ts";

/** Which run a command means. */
export interface RunChoice {
  /** What the user typed: a whole id, or its beginning when that is enough. */
  readonly typed: string | undefined;
  /** `unfinished`: without an id, the only run that has not ended. `newest`: that one, else the newest. */
  readonly otherwise: "unfinished" | "newest";
}

/**
 * The run a command means.
 * @throws CUTOVER_RUN_NOT_FOUND when there is none, or more than one to choose from; CUTOVER_CLI_USAGE for an empty id
 */
export function chooseRun(runs: readonly RunRecord[], { typed, otherwise }: RunChoice): RunRecord {
  if (typed !== undefined) return byId(runs, typed);
  const open = runs.filter((run) => !hasEnded(run.state));
  if (open.length > 1) {
    throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
      message: `expected one unfinished run, found ${open.length}: ${open.map((run) => run.id).join(", ")}`,
      remedy: "name the run you mean",
    });
  }
  const chosen = open[0] ?? (otherwise === "newest" ? runs[0] : undefined);
  if (chosen !== undefined) return chosen;
  const last = runs[0];
  throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
    message:
      last === undefined
        ? "expected a run, found none in this store"
        : `expected an unfinished run, found none: the newest, ${last.id}, is ${last.state}`,
    remedy: last === undefined ? "begin one with `cutover run`" : `see \`cutover status ${last.id}\``,
  });
}

function byId(runs: readonly RunRecord[], typed: string): RunRecord {
  // As a variable gives that is not set; it would be the beginning of every id.
  if (typed.trim() === "")
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: "expected the id of a run, found an empty one",
      remedy: "give the id or its beginning, or leave the word out; `cutover status` lists the runs",
    });
  const exact = runs.find((run) => run.id === typed);
  if (exact !== undefined) return exact;
  const matching = runs.filter((run) => run.id.startsWith(typed));
  if (matching.length === 1 && matching[0] !== undefined) return matching[0];
  const known = runs.slice(0, 5).map((run) => run.id);
  throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
    message:
      matching.length === 0
        ? `expected the id of a run, found ${JSON.stringify(typed.slice(0, 60))}`
        : `expected the id of one run, found the beginning of ${matching.length}`,
    details: { known },
    ...(known.length === 0 ? {} : { remedy: `name one of: ${known.join(", ")}` }),
  });
}
