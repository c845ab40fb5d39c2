import { CutoverError } from "../../core/index.ts";
import { buildRunView, type RunView, type WantedApproval } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { reasonOf, reasonOption, sayState, tellOwner } from "../decide.ts";
import { ownStore } from "../reach-store.ts";

export const command: Command = {
  usage: "approve [RUN] [--phase PHASE] --reason TEXT",
  summary: "approve the evidence a phase waits for",
  help: [
    "Your name, the time and the hash of the evidence are recorded; when the evidence changes the approval lapses. With --evidence the approval is refused unless that is still the newest.",
    "Look at the evidence first: `cutover status` and `cutover report`. Nothing, also no --yes, stands in for a person here.",
  ],
  options: {
    phase: { type: "string", value: "PHASE", help: "the phase, when more than one waits" },
    evidence: { type: "string", value: "HASH", help: "hash of the evidence you looked at" },
    ...reasonOption,
  },
  words: 1,
  async run(context) {
    const phase = context.args.text("phase");
    const evidence = context.args.text("evidence");
    const decision = {
      reason: reasonOf(context, "approve"),
      ...(phase === undefined ? {} : { phase }),
      ...(evidence === undefined ? {} : { evidence }),
    };
    const told = await tellOwner(context, "approve", decision);
    const view = told.view ?? (await approveInRecord(context, told.run.id, decision));
    sayState(context, view, `approved by ${context.by}`);
    return 0;
  },
};

/** Nobody carries the run: the approval goes into the record, and counts when the run is resumed on that evidence. */
function approveInRecord(
  context: CommandContext,
  id: string,
  decision: { readonly reason: string; readonly phase?: string; readonly evidence?: string },
): Promise<RunView> {
  return ownStore(context, async (store) => {
    const wanted = chooseWanted(await buildRunView(store, id, { at: context.clock.now() }), decision.phase);
    const { phase, evidence } = wanted;
    if (evidence === null || (decision.evidence !== undefined && !evidence.startsWith(decision.evidence))) {
      throw invalid(
        `expected the newest evidence of ${phase} (${evidence ?? "none yet"}), found ${decision.evidence ?? "none"}`,
      );
    }
    if (wanted.from.length > 0 && !wanted.from.includes(context.by)) {
      throw invalid(`expected an approval by ${wanted.from.join(" or ")}, found ${context.by}`);
    }
    if (wanted.given.includes(context.by))
      throw invalid(`expected another person, found that ${context.by} approved already`);
    await store.runs.commit(id, [
      { type: "approval.given", data: { phase, by: context.by, reason: decision.reason, evidence } },
    ]);
    return buildRunView(store, id, { at: context.clock.now() });
  });
}

function chooseWanted(view: RunView, phase: string | undefined): WantedApproval {
  const waiting = phase === undefined ? view.wanted : view.wanted.filter((each) => each.phase === phase);
  const [only] = waiting;
  if (only !== undefined && waiting.length === 1) return only;
  throw new CutoverError("CUTOVER_RUN_STATE", {
    message:
      only === undefined
        ? `expected ${phase ?? "a phase"} to wait for approval, found run ${view.run.id} in ${view.run.state}`
        : `expected one phase that waits, found ${waiting.map((each) => each.phase).join(", ")}`,
    ...(only === undefined ? {} : { remedy: "name it with --phase" }),
  });
}

const invalid = (message: string): CutoverError => new CutoverError("CUTOVER_APPROVAL_INVALID", { message });
