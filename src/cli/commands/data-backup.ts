import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { CutoverError, formatDuration } from "../../core/index.ts";
import {
  backupData,
  type Backup,
  type BackupProof,
  digestText,
  keepProof,
  previewBackup,
  restoreData,
} from "../../data/index.ts";
import { plural } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import {
  collectionOption,
  collectionsOf,
  folderOf,
  openNamed,
  openTarget,
  requireSublevels,
  shownAddress,
  wordsOf,
} from "../data/open-address.ts";
import { Progress } from "../progress.ts";
import { shellWord } from "../store-place.ts";
import { bytesText } from "../draw/data-lines.ts";
import { span } from "../draw/line.ts";

const usage = "data backup ADDRESS DIR [--scratch ADDRESS] [--dry-run]";

export const command: Command = {
  usage,
  help: [
    "Writes all rows into a new folder, with digests of about 1000 rows each, and restores them to a scratch place to see that they come back: only then the backup counts (proof.json). Key-value stores and folders get a scratch store beside the backup, which is removed again; for tables name an empty store with the same tables by --scratch.",
    "Exit code 0 when the backup counts, 3 when it was written but not restored yet.",
  ],
  options: {
    ...collectionOption,
    scratch: { type: "string", value: "ADDRESS", help: "an empty store to restore to; its rows stay there" },
    "dry-run": { type: "boolean", help: "say what would be written, or refused, and touch nothing" },
  },
  words: 2,
  async run(context) {
    const [address = "", folder = ""] = wordsOf(context, usage, [
      "the address of a store",
      "a folder for the backup",
    ]);
    const dir = folderOf(folder);
    await using source = await openNamed(address, collectionsOf(context).collections);
    const scratch = context.args.text("scratch");
    // A long backup is not written for a scratch store that could not take it.
    const named = scratch === undefined ? {} : { scratch };
    const seen = await previewBackup({ source, dir, ...collectionsOf(context), ...named });
    await requireSublevels(address, source, seen.collections);
    if (context.args.flag("dry-run")) {
      const { collections, rows: total, bytes } = seen;
      const plan = { from: source.name, dir, collections: collections.length, rows: total ?? null };
      if (context.json) context.terminal.json({ ...plan, bytes: bytes ?? null });
      else
        context.terminal.line(
          `${source.name} → ${dir} · ${total === undefined ? "" : `about ${plural(total, "row")} · `}${bytes === undefined ? "" : `${bytesText(bytes)} `}(nothing was touched)`,
        );
      return 0;
    }
    using progress = new Progress(context);
    progress.part("write", seen.rows);
    const made = await backupData({
      source,
      dir,
      ...collectionsOf(context),
      clock: context.clock,
      random: randomBytes,
      signal: context.interrupted,
      onRead: (rows, bytes) => progress.add(rows, bytes),
    });
    const proof = await prove(context, progress, address, made);
    progress[Symbol.dispose]();
    show(context, made, proof, progress.elapsedMs);
    return proof === undefined ? 3 : 0;
  },
};

/** Restores to the scratch store that was named, or to one made for this; undefined when there is neither. */
async function prove(
  context: CommandContext,
  progress: Progress,
  address: string,
  made: Backup,
): Promise<BackupProof | undefined> {
  const given = context.args.text("scratch");
  const kind = /^(leveldb|lmdb|files):/.exec(address)?.[1];
  if (given !== undefined) return bring(context, progress, given, made, given);
  if (kind === undefined) return undefined;
  const dir = await mkdtemp(join(dirname(resolve(made.dir)), ".cutover-scratch-"));
  try {
    return await bring(context, progress, `${kind}:${join(dir, "store")}`, made, `a scratch ${kind} store`);
  } catch (error) {
    if (error instanceof CutoverError && error.code !== "CUTOVER_INTERRUPTED")
      context.terminal.aside(
        `the backup in ${made.dir} was written, but did not come back: it does not count`,
      );
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function bring(
  context: CommandContext,
  progress: Progress,
  address: string,
  made: Backup,
  told: string,
): Promise<BackupProof> {
  const names = made.manifest.collections.map(({ name }) => name);
  await using target = await openTarget(address, names);
  const total = made.manifest.collections.reduce((sum, { digest }) => sum + digest.count, 0);
  let last = "";
  const restored = await restoreData({
    dir: made.dir,
    target,
    clock: context.clock,
    random: randomBytes,
    signal: context.interrupted,
    onRead: (rows, bytes, doing) => {
      if (doing !== last) progress.part(doing, doing === "compare" ? 2 * total : total);
      last = doing;
      progress.add(rows, bytes);
    },
  });
  return keepProof(made.dir, shownAddress(told), restored, context.clock);
}

function show(context: CommandContext, made: Backup, proof: BackupProof | undefined, ms: number): void {
  const { collections, seed, oneSnapshot } = made.manifest;
  const rows = collections.reduce((sum, { digest }) => sum + digest.count, 0);
  const bytes = collections.reduce((sum, each) => sum + each.bytes, 0);
  if (context.json) {
    context.terminal.json({
      dir: made.dir,
      rows,
      bytes,
      seed,
      oneSnapshot,
      collections: collections.map(({ name, digest }) => ({
        name,
        rows: digest.count,
        digest: digestText(digest),
      })),
      proven: proof !== undefined,
      proof: proof ?? null,
      leftovers: made.leftovers,
    });
    return;
  }
  context.terminal.line([
    span(proof === undefined ? "○ written  " : "✔ proven  ", proof === undefined ? "wait" : "good"),
    span(`${plural(rows, "row")} · ${bytesText(bytes)} · ${formatDuration(ms)} · ${made.dir}`),
  ]);
  if (proof !== undefined) context.terminal.line(`  restored to ${proof.target} and equal, row by row`);
  if (!oneSnapshot)
    context.terminal.line([
      span("  each table is of a moment of its own: this store has no snapshot over all of them", "wait"),
    ]);
  for (const left of made.leftovers)
    context.terminal.line([
      span(`  ${left} is left over from an attempt that was killed: it can be removed`, "dim"),
    ]);
  if (proof === undefined)
    context.terminal.line([
      span("  it counts when it came back once: ", "dim"),
      span(`npx cutover data restore ${shellWord(made.dir)} ADDRESS`, "bold"),
    ]);
}
