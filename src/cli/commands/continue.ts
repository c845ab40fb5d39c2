import { CutoverError } from "../../core/index.ts";
import type { Command } from "../command.ts";
import { reasonOption, sayState, tellOwner } from "../decide.ts";

export const command: Command = {
  usage: "continue [RUN]",
  summary: "go on with a paused run",
  help: ["Tells the process that carries the run. When none does, use `cutover resume`."],
  options: reasonOption,
  words: 1,
  async run(context) {
    const { run, view } = await tellOwner(context, "continue", { reason: context.args.text("reason") ?? "" });
    if (view === undefined) {
      throw new CutoverError("CUTOVER_RUN_STATE", {
        message: `expected a run that a process carries, found ${run.id} in ${run.state}, carried by nobody`,
        remedy: `carry it on with \`cutover resume ${run.id}\``,
        details: { run: run.id, state: run.state },
      });
    }
    sayState(context, view, "goes on");
    return 0;
  },
};
