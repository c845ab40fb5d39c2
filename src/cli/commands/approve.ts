import { CutoverError } from "../../core/index.ts";
import { approveRecorded } from "../../engine/index.ts";
import type { RunView } from "../../report/index.ts";
import type { Command } from "../command.ts";
import { decide, reasonOf, reasonOption, sayState } from "../decide.ts";

export const command: Command = {
  usage: "approve [RUN] [--phase PHASE] --reason TEXT",
  help: [
    "Your name, the time and the hash of the evidence are recorded; when the evidence changes the approval lapses. With --evidence the approval is refused unless that is still the newest.",
    "Look at the evidence first: `cutover status` and `cutover report`. Nothing stands in for a person here.",
  ],
  options: {
    phase: { type: "string", value: "PHASE", help: "the phase, when more than one waits" },
    evidence: { type: "string", value: "HASH", help: "hash of the evidence you looked at" },
    ...reasonOption,
  },
  words: 1,
  async run(context) {
    const reason = reasonOf(context, "approve");
    const phase = context.args.text("phase");
    const evidence = context.args.text("evidence");
    const seen = evidence === undefined ? {} : { evidence };
    const body = { reason, ...seen, ...(phase === undefined ? {} : { phase }) };
    const view = await decide(context, context.args.positionals[0], "approve", body, (parts, run, now) =>
      approveRecorded(parts, run, { by: context.by, reason, phase: phase ?? onlyWaiting(now), ...seen }),
    );
    sayState(context, view, `approved by ${context.by}`);
    return 0;
  },
};

/** The phase an approval without a name means: the only one that waits for one. */
function onlyWaiting({ run, wanted }: RunView): string {
  const [only, second] = wanted;
  if (only !== undefined && second === undefined) return only.phase;
  throw new CutoverError("CUTOVER_RUN_STATE", {
    message:
      only === undefined
        ? `expected a phase that waits for approval, found run ${run.id} in ${run.state} with none`
        : `expected the name of a phase, found ${wanted.length} that wait`,
    ...(only === undefined
      ? {}
      : { remedy: `name one with --phase: ${wanted.map((each) => each.phase).join(", ")}` }),
  });
}
