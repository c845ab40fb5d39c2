import { createHash, randomBytes } from "node:crypto";
import { CutoverError, formatDuration } from "../../core/index.ts";
import {
  chooseCollections,
  type Collection,
  type DataStore,
  endMove,
  moveData,
  requireColumnOrder,
  verifyData,
} from "../../data/index.ts";
import { perSecond, plural } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { copyPreview, showPreview } from "../data/copy-preview.ts";
import {
  collectionOption,
  collectionsOf,
  openNamed,
  openTarget,
  requireSublevels,
  shownWord,
  wordsOf,
} from "../data/open-address.ts";
import { intoOption, namesFlags, orTellInto, pairsOf, renamingOf } from "../data/renaming.ts";
import { Progress } from "../progress.ts";
import { bytesText, verificationJson, verificationLines } from "../draw/data-lines.ts";
import { span } from "../draw/line.ts";

const usage = "data copy OLD NEW [--collection NAME,… [--into NAME,…]] [--dry-run]";

export const command: Command = {
  usage,
  help: [
    "Copies all rows from one store into another that is empty, and compares both afterwards. Interrupted, the same command goes on where it stood. What an application writes meanwhile through the connector's writer is carried over too.",
    "Exit code 0 when both are equal afterwards, 4 when they are not. With --dry-run all rows are read: 0 when the copy can begin, 4 when a store of keys and values could not hold some of them. What a table refuses is known only when it is written.",
  ],
  options: {
    ...collectionOption,
    ...intoOption,
    "dry-run": { type: "boolean", help: "say what would be copied and what cannot go, and touch nothing" },
  },
  words: 2,
  async run(context) {
    const [old = "", young = ""] = wordsOf(context, usage, [
      "the address of the old store",
      "the address of the new store",
    ]);
    const { map, targets } = renamingOf(context);
    await using source = await openNamed(old, collectionsOf(context).collections);
    const chosen = await chosenOf(context, source);
    const collections = chosen.map(({ name }) => name);
    await requireSublevels(old, source, collections);
    const names = targets ?? collections;
    // The same two stores and tables are the same job: that is how a second start finds the first one's checkpoint.
    const job = (to: Pick<DataStore, "name">): string =>
      `copy:${createHash("sha256")
        .update([source.name, to.name, ...collections, ...(targets ?? [])].join("\0"))
        .digest("hex")
        .slice(0, 16)}`;
    using progress = new Progress(context);
    if (context.args.flag("dry-run")) {
      const seen = await copyPreview(context, { source, chosen }, { address: young, names, job }, progress);
      progress[Symbol.dispose]();
      return showPreview(context, source.name, young, seen);
    }
    await using target = await orTellInto(context, collections, () => openTarget(young, names));
    // A move without a map looks at it itself.
    if (map !== undefined) await requireColumnOrder(source, target, pairsOf(chosen, names));
    progress.part("copy", totalOf(chosen));
    let seen = { rows: 0, bytes: 0 };
    const { finished, progress: at } = await moveData({
      source,
      target,
      job: job(target),
      fence: context.clock.now(),
      ranges: collections.map((collection) => ({ collection })),
      ...(map === undefined ? {} : { map, into: names }),
      signal: context.interrupted,
      clock: context.clock,
      progressEveryMs: 200,
      onEvent: (event) => {
        if (event.type === "progress") {
          const { held, leftMs } = event.progress;
          seen = event.progress;
          progress.set(seen.rows, seen.bytes, {
            ...(held === undefined ? {} : { note: held }),
            ...(leftMs === undefined ? {} : { leftMs }),
          });
        }
        if (event.type === "stalled")
          progress.set(seen.rows, seen.bytes, { note: `stands still: ${event.reason}` });
      },
    });
    if (!finished)
      throw new CutoverError("CUTOVER_INTERRUPTED", {
        message: `stopped after ${plural(at.rows, "row")}; what was copied is kept`,
        remedy: `go on with the same command: cutover data copy ${shownWord(old)} ${shownWord(young)}${namesFlags(context)}`,
      });
    const copyMs = progress.elapsedMs;
    // Both sides are read, and hold what was copied and written meanwhile.
    progress.part("compare", 2 * at.rows);
    const found = await verifyData({
      source,
      target,
      collections,
      ...(map === undefined ? {} : { map, targets: names }),
      random: randomBytes,
      signal: context.interrupted,
      onRead: (rows, bytes) => progress.add(rows, bytes),
    });
    if (found.equal) await endMove({ source, target, job: job(target) });
    progress[Symbol.dispose]();
    if (context.json) {
      context.terminal.json({
        copied: { rows: at.rows, bytes: at.bytes, changes: at.changes, ms: Math.round(copyMs) },
        ...verificationJson(found),
      });
    } else {
      context.terminal.line([
        span("✔ copied  ", "good"),
        span(
          `${plural(at.rows, "row")} · ${bytesText(at.bytes)} · ${formatDuration(copyMs)} · ${perSecond(at.rows / Math.max(0.001, copyMs / 1_000))}`,
        ),
      ]);
      for (const line of verificationLines(found, 20)) context.terminal.line(line);
      if (!found.equal)
        context.terminal.line([
          span("  next: ", "dim"),
          span(`npx cutover data diff ${shownWord(old)} ${shownWord(young)}${namesFlags(context)}`, "bold"),
        ]);
    }
    return found.equal ? 0 : 4;
  },
};

function chosenOf(context: CommandContext, source: DataStore): Promise<readonly Collection[]> {
  return chooseCollections(source, collectionsOf(context).collections);
}

const totalOf = (collections: readonly Collection[]): number | undefined =>
  collections.every(({ rows }) => rows !== undefined)
    ? collections.reduce((sum, { rows = 0 }) => sum + rows, 0)
    : undefined;
