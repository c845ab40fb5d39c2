import type { RunRecord, Store } from "../../store/index.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command, CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import { runTree } from "../draw/run-tree.ts";
import { exitOf } from "../exit-code.ts";
import { lookOn } from "../look-on.ts";
import { carriedBy, findOwner, noRuns, readStore, viewRecorded } from "../reach-store.ts";
import { ownedRun, sharedRun } from "../run-source.ts";
import { inStore } from "../store-place.ts";

export const command: Command = {
  usage: "watch [RUN]",
  help: [
    "Shows the run live until it ends or its process goes away; q or Ctrl-C stop looking and leave the run as it is.",
    "With --json: one line of NDJSON for each view. The exit code tells how the run stands: 0 finished or going on, 3 held, 4 rolled back, 5 rollback stuck.",
  ],
  options: {},
  words: 1,
  async run(context) {
    const typed = context.args.positionals[0];
    if (context.shared !== undefined) {
      const code = await readStore(context, (store) => watchShared(context, store, typed));
      if (code === undefined) throw noRuns(context);
      return code;
    }
    const owner = findOwner(context);
    if (owner === undefined) return notCarried(context, typed);
    const run = chooseRun(await owner.get<readonly RunRecord[]>("/v1/runs"), { typed, otherwise: "newest" });
    const last = await lookOn(context, ownedRun(context, owner, run.id), run.id);
    return last === undefined ? 0 : exitOf(last.run.state);
  },
};

async function watchShared(
  context: CommandContext,
  store: Store,
  typed: string | undefined,
): Promise<number> {
  const run = chooseRun(await store.runs.list(), { typed, otherwise: "newest" });
  if ((await carriedBy(context, store, run.id)) === undefined) return notCarried(context, typed);
  const last = await lookOn(context, sharedRun(context, store, run.id), run.id);
  return last === undefined ? 0 : exitOf(last.run.state);
}

/** Nobody carries it: shows how it stands, once. */
async function notCarried(context: CommandContext, typed: string | undefined): Promise<number> {
  const view = await readStore(context, async (store) => {
    const run = chooseRun(await store.runs.list(), { typed, otherwise: "newest" });
    return viewRecorded(context, store, run.id);
  });
  if (view === undefined) throw noRuns(context);
  if (context.json) context.terminal.json({ type: "view", view }, true);
  else {
    for (const line of runTree(view, { columns: context.terminal.columns(), rows: 10_000, keys: "" }))
      context.terminal.line(line);
    context.terminal.aside([
      span(`no process carries it · ${view.next.text}  npx ${inStore(view.next.command, context)}`, "dim"),
    ]);
  }
  return exitOf(view.run.state);
}
