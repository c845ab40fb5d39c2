import { createHash, randomBytes } from "node:crypto";
import { CutoverError, formatDuration } from "../../core/index.ts";
import {
  chooseCollections,
  type Collection,
  type DataStore,
  endMove,
  moveData,
  verifyData,
} from "../../data/index.ts";
import { count, perSecond, plural } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { collectionOption, collectionsOf, openStore, shownAddress, wordsOf } from "../data/open-address.ts";
import { DataProgress } from "../data/progress.ts";
import { bytesText, verificationJson, verificationLines } from "../draw/data-lines.ts";
import { span } from "../draw/line.ts";

const usage = "data copy OLD NEW [--collection NAME,…] [--dry-run]";

export const command: Command = {
  usage,
  help: [
    "Copies all rows from one store into another that is empty, and compares both afterwards. Interrupted, the same command goes on where it stood. What an application writes meanwhile through the connector's writer is carried over too.",
    "Exit code 0 when both are equal afterwards, 4 when they are not.",
  ],
  options: {
    ...collectionOption,
    "dry-run": { type: "boolean", help: "say what would be copied, and touch nothing" },
  },
  words: 2,
  async run(context) {
    const [old = "", young = ""] = wordsOf(context, usage, [
      "the address of the old store",
      "the address of the new store",
    ]);
    await using source = await openStore(old);
    const chosen = await chosenOf(context, source);
    if (context.args.flag("dry-run")) return await dryRun(context, source, chosen, young);
    const collections = chosen.map(({ name }) => name);
    await using target = await openStore(young, {
      create: true,
      ...(collections.join("") === "" ? {} : { collections }),
    });
    using progress = new DataProgress(context);
    // The same two stores and tables are the same job: that is how a second start finds the first one's checkpoint.
    const job = `copy:${createHash("sha256")
      .update([source.name, target.name, ...collections].join("\0"))
      .digest("hex")
      .slice(0, 16)}`;
    progress.part("copy", totalOf(chosen));
    let seen = { rows: 0, bytes: 0 };
    const { finished, progress: at } = await moveData({
      source,
      target,
      job,
      fence: context.clock.now(),
      ranges: collections.map((collection) => ({ collection })),
      signal: context.interrupted,
      clock: context.clock,
      progressEveryMs: 200,
      onEvent: (event) => {
        if (event.type === "progress") seen = event.progress;
        if (event.type === "progress") progress.set(seen.rows, seen.bytes, event.progress.held);
        if (event.type === "stalled") progress.set(seen.rows, seen.bytes, `stands still: ${event.reason}`);
      },
    });
    if (!finished)
      throw new CutoverError("CUTOVER_INTERRUPTED", {
        message: `stopped after ${plural(at.rows, "row")}; what was copied is kept`,
        remedy: `go on with the same command: cutover data copy ${shownAddress(old)} ${shownAddress(young)}`,
      });
    const copyMs = progress.elapsedMs;
    progress.part("compare");
    const found = await verifyData({
      source,
      target,
      collections,
      random: randomBytes,
      signal: context.interrupted,
      onRead: (rows, bytes) => progress.add(rows, bytes),
    });
    if (found.equal) await endMove({ source, target, job });
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
          span(`npx cutover data diff ${shownAddress(old)} ${shownAddress(young)}`, "bold"),
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

async function dryRun(
  context: CommandContext,
  source: DataStore,
  chosen: readonly Collection[],
  young: string,
): Promise<number> {
  const plan: { readonly name: string; readonly rows: number; readonly bytes: number | null }[] = [];
  for (const { name, bytes } of chosen)
    plan.push({ name, rows: await source.count({ collection: name }), bytes: bytes ?? null });
  const rows = plan.reduce((sum, each) => sum + each.rows, 0);
  if (context.json) {
    context.terminal.json({ from: source.name, to: shownAddress(young), rows, collections: plan });
    return 0;
  }
  context.terminal.line(
    `${source.name} → ${shownAddress(young)} · ${plural(rows, "row")} (nothing was touched)`,
  );
  for (const { name, rows: own, bytes } of plan)
    if (name !== "")
      context.terminal.line(`  ${name}  ${count(own)} rows${bytes === null ? "" : ` · ${bytesText(bytes)}`}`);
  return 0;
}
