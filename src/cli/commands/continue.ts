import { continueRecorded } from "../../engine/index.ts";
import type { Command } from "../command.ts";
import { decide, reasonOption, sayState } from "../decide.ts";

export const command: Command = {
  usage: "continue [RUN]",
  help: [
    "You answer for what led to the pause or hold: gates and triggers that had failed gather evidence anew.",
    "When no process carries the run, this only marks it; `cutover resume` then carries it on.",
  ],
  options: reasonOption,
  words: 1,
  async run(context) {
    const reason = context.args.text("reason") ?? "continued by hand";
    const view = await decide(context, context.args.positionals[0], "continue", { reason }, (parts, run) =>
      continueRecorded(parts, run, { by: context.by, reason }),
    );
    sayState(context, view, "continued");
    return 0;
  },
};
