import { resolve } from "node:path";
import type { Migration } from "../plan/index.ts";
import type { RunRecord } from "../store/index.ts";
import type { CommandContext } from "./command.ts";
import { projectOf } from "./find-definition.ts";
import { loadMigration } from "./load-migration.ts";

/** The definition of a run: from where it was loaded first, or from `--file` when it has moved. */
export function recordedMigration(context: CommandContext, run: RunRecord): Promise<Migration> {
  const named = context.args.text("file");
  if (named !== undefined) return loadMigration(resolve(context.cwd, named));
  return loadMigration(resolve(projectOf(context.store), run.source));
}
