import { dryRun, type PlanReport } from "../../plan/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { planPage, problemLines } from "../draw/plan-page.ts";
import { findDefinition } from "../find-definition.ts";
import { lastSource } from "../last-source.ts";
import { loadMigration } from "../load-migration.ts";
import { inStore } from "../store-place.ts";

export const command: Command = {
  usage: "plan [FILE]",
  help: [
    "Loads the definition and asks every step what it would do: phases in order with estimates, approvals, points of no return, triggers and how far the way back reaches.",
    "Without FILE: crossing.ts or .mts, else the only *.crossing.ts here, else the source of the newest run.",
  ],
  options: { steps: { type: "boolean", help: "every step: what it waits for, touches, how it is undone" } },
  words: 1,
  async run(context) {
    const { plan } = await dryRunOf(context);
    if (context.json) context.terminal.json(plan);
    else {
      const page = { columns: context.terminal.columns(), steps: context.args.flag("steps") };
      for (const line of planPage(plan, page)) context.terminal.line(line);
      for (const line of problemLines(plan)) context.terminal.aside(line);
      const file = context.args.positionals[0];
      if (plan.problems.length === 0) {
        context.terminal.line("");
        const run = `cutover run${file === undefined ? "" : ` ${file}`}`;
        context.terminal.line(`  next: npx ${inStore(run, context)}`);
      }
    }
    return plan.problems.length === 0 ? 0 : 2;
  },
};

/** The definition a command means, dry-run. */
export async function dryRunOf(
  context: CommandContext,
): Promise<{ readonly file: string; readonly plan: PlanReport }> {
  const file = await findDefinition(context.args.positionals[0], context, () => lastSource(context));
  return { file, plan: await dryRun(await loadMigration(file)) };
}
