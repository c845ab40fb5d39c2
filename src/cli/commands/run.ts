import { carryOptions, carryRun } from "../carry-run.ts";
import type { Command } from "../command.ts";
import { findDefinition, sourceOf } from "../find-definition.ts";
import { lastSource } from "../last-source.ts";
import { loadMigration } from "../load-migration.ts";

export const command: Command = {
  usage: "run [FILE] [--from PHASE]",
  help: [
    "Owns the store, runs the phases in order and shows them: a live tree on a terminal, timed lines elsewhere, NDJSON with --json. It waits where it has to wait: for evidence, for an approval, for a person.",
    "Ctrl-C once stops cleanly, twice at once; both can be resumed. Exit codes: 0 finished, 3 held (with --until-held or --held-for), 4 rolled back, 5 rollback stuck, 130 interrupted.",
    "Without FILE: crossing.ts or .mts, else the only *.crossing.ts here, else the source of the newest run.",
  ],
  options: {
    from: {
      type: "string",
      value: "PHASE",
      help: "begin with this phase; those before must have been sealed by an earlier run",
    },
    ...carryOptions,
  },
  words: 1,
  async run(context) {
    const file = await findDefinition(context.args.positionals[0], context, () => lastSource(context));
    // Before the folder is owned: a definition that cannot be read changes nothing.
    const migration = await loadMigration(file);
    const from = context.args.text("from");
    const start = {
      by: context.by,
      source: sourceOf(context.store, file),
      ...(from === undefined ? {} : { from }),
    };
    return carryRun(context, ({ engine }) => engine.start(migration, start));
  },
};
