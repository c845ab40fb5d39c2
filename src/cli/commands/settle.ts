import { CutoverError } from "../../core/index.ts";
import { settleRecorded } from "../../engine/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { decide, reasonOf, reasonOption, sayState } from "../decide.ts";

export const command: Command = {
  usage: "settle STEP done|not-done --reason TEXT",
  help: [
    "After a crash a step may not be able to tell whether it took effect; the run then holds. Look, and say it: done counts its work as done, not-done starts it again.",
    "It stands on your word, so it is recorded as an override and stands in every report.",
  ],
  options: {
    run: { type: "string", value: "ID", help: "the run, when more than one is unfinished" },
    ...reasonOption,
  },
  words: 2,
  async run(context) {
    const { step, outcome } = settlementOf(context);
    const reason = reasonOf(context, "settle");
    const view = await decide(
      context,
      context.args.text("run"),
      "settle",
      { step, outcome, reason },
      (parts, run) => settleRecorded(parts, run, { step, outcome, by: context.by, reason }),
    );
    sayState(context, view, `${step} settled as ${outcome}`);
    return 0;
  },
};

function settlementOf({ args }: CommandContext): {
  readonly step: string;
  readonly outcome: "done" | "not-done";
} {
  const [step, outcome] = args.positionals;
  if (step !== undefined && (outcome === "done" || outcome === "not-done")) return { step, outcome };
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected a step and "done" or "not-done", found ${args.positionals.join(" ") || "nothing"}`,
    remedy: 'usage: cutover settle PHASE/STEP done|not-done --reason "…"',
  });
}
