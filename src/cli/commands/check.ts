import { plural } from "../../report/index.ts";
import type { Command } from "../command.ts";
import { span } from "../draw/line.ts";
import { problemLines } from "../draw/plan-page.ts";
import { dryRunOf } from "./plan.ts";

export const command: Command = {
  usage: "check [FILE]",
  help: [
    "Reads the definition, resolves every name, computes the graph and lets each step look at its own input. Touches nothing. Exit code 0 when nothing is wrong, 2 otherwise: made for a pipeline.",
    "Warnings do not change the exit code: phases whose way back is not proven before they begin, steps with nothing to undo, no triggers.",
  ],
  options: {},
  words: 1,
  async run(context) {
    const { plan } = await dryRunOf(context);
    const warnings = [
      ...plan.wayBack.notProvenBefore.map(
        (phase) => `the way back is not proven before ${phase}: add \`wayBack\` checks`,
      ),
      ...plan.wayBack.nothingToUndo.map((step) => `${step} has nothing to undo: make sure that is so`),
      ...(plan.triggers.length === 0 ? ["no triggers: nothing acts by itself when things go wrong"] : []),
    ];
    const whole = plan.problems.length === 0;
    if (context.json) {
      context.terminal.json({
        whole,
        migration: plan.migration,
        hash: plan.hash,
        phases: plan.phases.length,
        steps: plan.stepCount,
        problems: plan.problems,
        warnings,
      });
      return whole ? 0 : 2;
    }
    for (const line of problemLines(plan)) context.terminal.aside(line);
    for (const warning of warnings) context.terminal.aside([span("warning", "wait"), span(` ${warning}`)]);
    if (!whole) return 2;
    context.terminal.line([
      span("✔", "good"),
      span(
        ` ${plan.migration} is whole: ${plural(plan.phases.length, "phase")}, ${plural(plan.stepCount, "step")}`,
      ),
      span(` · definition ${plan.hash.slice(0, 8)}…`, "dim"),
    ]);
    return 0;
  },
};
