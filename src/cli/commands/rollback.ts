import { carryOptions, carryRun, followOwner } from "../carry-run.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command, CommandContext } from "../command.ts";
import { reasonOf, reasonOption } from "../decide.ts";
import { exitOf } from "../exit-code.ts";
import { lookOn } from "../look-on.ts";
import { awaitOwner, carriedBy, needRecord, ownStore } from "../reach-store.ts";
import { sharedRun } from "../run-source.ts";
import { migrationToUndo } from "../withdraw.ts";

export const command: Command = {
  usage: "rollback [RUN] --reason TEXT",
  help: [
    "Tells the process that carries the run and looks on until it is back. When nobody carries it, this process becomes the owner, loads the definition the run has it from, and takes it back itself: the new side is not needed for it.",
    "When the definition cannot be loaded, traffic goes back by the record alone, as far as no step must be undone before; the rest waits for the definition (exit code 5).",
    "Also for a finished run and for one whose rollback is stuck. Exit code 4 when it is back, 5 when it is stuck.",
  ],
  options: {
    ...reasonOption,
    "accept-changes": { type: "boolean", help: "go back with a definition that has changed" },
    file: { type: "string", value: "FILE", help: "the definition, when it has moved" },
    ...carryOptions,
  },
  words: 1,
  async run(context) {
    const reason = reasonOf(context, "rollback");
    const typed = context.args.positionals[0];
    const owner = await awaitOwner(context);
    if (owner !== undefined) return followOwner(context, owner, typed, reason);
    await needRecord(context);
    const elsewhere = await followShared(context, typed, reason);
    if (elsewhere !== undefined) return elsewhere;
    return carryRun(context, async ({ engine, store }) => {
      const run = chooseRun(await store.runs.list(), { typed, otherwise: "newest" });
      const migration = await migrationToUndo(context, store, run, reason);
      const acceptChanges = context.args.flag("accept-changes");
      return engine.resume(run.id, migration, { by: context.by, acceptChanges, rollback: reason });
    });
  },
};

/** In a shared store: asks the process that carries the run and looks on; undefined when nobody carries it. */
async function followShared(
  context: CommandContext,
  typed: string | undefined,
  reason: string,
): Promise<number | undefined> {
  if (context.shared === undefined) return undefined;
  return ownStore(context, async (store) => {
    const { id } = chooseRun(await store.runs.list(), { typed, otherwise: "newest" });
    if ((await carriedBy(context, store, id)) === undefined) return undefined;
    const run = sharedRun(context, store, id);
    await run.act("rollback", reason);
    // Its carrier fell silent: the wish stands in the record, and nobody but this process acts on it.
    const { state } = (await store.runs.get(id)) ?? {};
    if (state === "ROLLING_BACK" && (await carriedBy(context, store, id)) === undefined) return undefined;
    const last = await lookOn(context, run, id);
    return last === undefined ? 4 : exitOf(last.run.state);
  });
}
