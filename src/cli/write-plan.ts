import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CutoverError } from "../core/index.ts";
import { readDocument, writeBack, type WrittenBack } from "../document/index.ts";
import { readPlanRecord, runFaces, type RunView } from "../report/index.ts";
import type { Store } from "../store/index.ts";
import type { CommandContext } from "./command.ts";
import { projectOf } from "./find-definition.ts";
import { readPlanBytes } from "./plan-bytes.ts";
import { replaceFile } from "./replace-file.ts";

export interface WrittenPlan extends WrittenBack {
  /** The document whose text was written anew. */
  readonly document: string;
}

/**
 * The written plan behind a run with the true state of every item. The document is the one the definition names; `--plan`
 * names it where it has moved, or where the definition names none.
 * @throws CUTOVER_CLI_USAGE when nothing names a document, CUTOVER_DOCUMENT_DRIFT when its text was changed
 */
export async function writePlan(context: CommandContext, store: Store, view: RunView): Promise<WrittenPlan> {
  const record = await readPlanRecord(store, view.run.id, view);
  const named = context.args.text("plan");
  const home = dirname(resolve(projectOf(context.store), view.run.source));
  if (named === undefined && record.document === null)
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: `expected a definition that names its written plan, found none in that of run ${view.run.id}`,
      remedy: "name the document with --plan FILE, or write one definition from it with `cutover import`",
    });
  const document =
    named === undefined ? resolve(home, record.document?.file ?? "") : resolve(context.cwd, named);
  const bytes = await readPlanBytes(document, named ?? record.document?.file ?? "");
  const inventory = readDocument(bytes, { file: document });
  const { run, overrides } = view;
  const written = writeBack(
    new TextDecoder().decode(bytes),
    inventory,
    {
      id: run.id,
      migration: run.migration,
      state: runFaces[run.state].word,
      hash: run.hash,
      at: run.at,
      items: record.items,
      proofs: record.proofs,
      overrides,
    },
    record.document === null ? {} : { imported: record.document.hash },
  );
  return { ...written, document };
}

/**
 * Writes the text beside its target and moves it there: who reads it sees the old or the new text, never a part.
 * @throws CUTOVER_CLI_USAGE when `out` is the document itself: its next report would find another text than was imported
 */
export async function savePlan(out: string, plan: WrittenPlan, pid: number): Promise<void> {
  const same = await Promise.all([out, plan.document].map((path) => realpath(path).catch(() => path)));
  if (same[0] === same[1])
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message:
        "expected another file than the plan itself: the text that was imported is needed for the next report",
      place: out,
      remedy: "name another file with --out",
    });
  await replaceFile(out, plan.text, { fresh: !existsSync(out), pid });
}
