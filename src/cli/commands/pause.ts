import { pauseRecorded } from "../../engine/index.ts";
import type { Command } from "../command.ts";
import { decide, reasonOf, reasonOption, sayState } from "../decide.ts";

export const command: Command = {
  usage: "pause [RUN] --reason TEXT",
  help: [
    "Running steps are stopped at their checkpoint, triggers stay armed. `cutover continue` goes on.",
    "A run that no process carries stands still already; it is marked, so that `cutover resume` leaves it paused.",
  ],
  options: reasonOption,
  words: 1,
  async run(context) {
    const reason = reasonOf(context, "pause");
    const view = await decide(context, context.args.positionals[0], "pause", { reason }, (parts, run) =>
      pauseRecorded(parts, run, { by: context.by, reason }),
    );
    sayState(context, view, "paused");
    return 0;
  },
};
