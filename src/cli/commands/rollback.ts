import { carryOptions, carryRun, followOwner } from "../carry-run.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command } from "../command.ts";
import { reasonOf, reasonOption } from "../decide.ts";
import { recordedMigration } from "../recorded-migration.ts";
import { awaitOwner, hasStore, noRuns } from "../reach-store.ts";

export const command: Command = {
  usage: "rollback [RUN] --reason TEXT",
  help: [
    "Tells the process that carries the run and looks on until it is back. When nobody carries it, this process becomes the owner, loads the definition the run has it from, and takes it back itself: the new side is not needed for it.",
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
    if (!hasStore(context)) throw noRuns(context);
    return carryRun(context, async ({ engine, store }) => {
      const run = chooseRun(await store.runs.list(), { typed, otherwise: "newest" });
      const migration = await recordedMigration(context, run);
      const acceptChanges = context.args.flag("accept-changes");
      return engine.resume(run.id, migration, { by: context.by, acceptChanges, rollback: reason });
    });
  },
};
