import { carryOptions, carryRun } from "../carry-run.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command } from "../command.ts";
import { needRecord } from "../reach-store.ts";
import { recordedMigration } from "../recorded-migration.ts";
import { migrationToUndo } from "../withdraw.ts";

export const command: Command = {
  usage: "resume [RUN]",
  help: [
    "Without RUN: the only unfinished one. Finished steps are not done again; a step that was under way is asked first whether it took effect. A run that was rolling back goes on rolling back.",
    "The definition is loaded from where the run has it from. When it has changed, the difference is shown and the run stays where it is, unless --accept-changes.",
  ],
  options: {
    "accept-changes": { type: "boolean", help: "go on although the definition has changed" },
    file: { type: "string", value: "FILE", help: "the definition, when it has moved" },
    ...carryOptions,
  },
  words: 1,
  async run(context) {
    await needRecord(context);
    return carryRun(context, async ({ engine, store }) => {
      const runs = await store.runs.list();
      const run = chooseRun(runs, { typed: context.args.positionals[0], otherwise: "unfinished" });
      const migration =
        run.state === "ROLLING_BACK"
          ? await migrationToUndo(context, store, run, undefined)
          : await recordedMigration(context, run);
      return engine.resume(run.id, migration, {
        by: context.by,
        acceptChanges: context.args.flag("accept-changes"),
      });
    });
  },
};
