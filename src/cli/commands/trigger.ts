import { CutoverError } from "../../core/index.ts";
import { liftRecorded, triggerRecorded } from "../../engine/index.ts";
import type { Command } from "../command.ts";
import { decide, reasonOf, reasonOption, sayState } from "../decide.ts";

export const command: Command = {
  usage: "trigger NAME [--lift] --reason TEXT",
  help: [
    "Fires a trigger that the migration declares for people, `manual(…)`: what it does then stands in the definition. `cutover plan` and `cutover status` name those that are armed.",
    "With --lift: ends what a trigger holds or slows, one that fired by itself too; it is armed anew. Name and reason are recorded.",
  ],
  options: {
    run: { type: "string", value: "RUN", help: "the run, when more than one has not ended" },
    lift: { type: "boolean", help: "end a hold or throttle instead" },
    ...reasonOption,
  },
  words: 1,
  async run(context) {
    const { args } = context;
    const [trigger] = args.positionals;
    if (trigger === undefined || trigger.trim() === "")
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: "expected the name of a trigger, found none",
        remedy:
          'usage: cutover trigger "customer impact" --reason "…"; `cutover status` names those that are armed',
      });
    const reason = reasonOf(context, "trigger");
    const lift = args.flag("lift");
    const record = lift ? liftRecorded : triggerRecorded;
    const view = await decide(
      context,
      args.text("run"),
      lift ? "lift" : "trigger",
      { trigger, reason },
      (parts, run) => record(parts, run, { trigger, by: context.by, reason }),
    );
    sayState(context, view, lift ? `"${trigger}" lifted` : `"${trigger}" fired by ${context.by}`);
    return 0;
  },
};
