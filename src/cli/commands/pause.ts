import { CutoverError } from "../../core/index.ts";
import type { Command } from "../command.ts";
import { reasonOf, reasonOption, sayState, tellOwner } from "../decide.ts";

export const command: Command = {
  usage: "pause [RUN] --reason TEXT",
  summary: "hold a run where it is",
  help: [
    "Running steps are stopped at their checkpoint, triggers stay armed. `cutover continue` goes on.",
    "A run that no process carries stands still already.",
  ],
  options: reasonOption,
  words: 1,
  async run(context) {
    const { run, view } = await tellOwner(context, "pause", { reason: reasonOf(context, "pause") });
    if (view === undefined) {
      throw new CutoverError("CUTOVER_RUN_STATE", {
        message: `expected a run that a process carries, found ${run.id} in ${run.state}, carried by nobody: it stands still`,
        remedy: `go on later with \`cutover resume ${run.id}\``,
        details: { run: run.id, state: run.state },
      });
    }
    sayState(context, view, "paused");
    return 0;
  },
};
