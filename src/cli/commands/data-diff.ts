import { randomBytes } from "node:crypto";
import { CutoverError } from "../../core/index.ts";
import { repairData, type Verification, verifyData } from "../../data/index.ts";
import { plural } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import {
  collectionOption,
  collectionsOf,
  openNamed,
  openReader,
  openSides,
  requireSublevels,
  shownWord,
  wordsOf,
} from "../data/open-address.ts";
import { intoOption, namesFlags, renamingOf } from "../data/renaming.ts";
import { Progress } from "../progress.ts";
import { countsText, verificationJson, verificationLines } from "../draw/data-lines.ts";
import { span } from "../draw/line.ts";
import { numberOf } from "../queue/use-orders.ts";

const usage = "data diff OLD NEW [--collection NAME,… [--into NAME,…]] [--repair [--dry-run]] [--limit N]";
/** Differences are listed on a terminal up to here when nobody asked for more; all are counted. */
const shownByDefault = 20;
/** Repaired in one go; a store with more is verified again and repaired on. */
const repairedAtOnce = 100_000;

export const command: Command = {
  usage,
  help: [
    "Compares two stores, or a store and a backup: digests of about 1000 rows each by one scan of both sides, then row by row where they differ. With --repair the new side is made as the old one and compared again; --dry-run says what would be written.",
    "Exit code 0 when they are equal, 4 when they are not. Nobody should write to either side meanwhile.",
  ],
  options: {
    ...collectionOption,
    ...intoOption,
    limit: {
      type: "string",
      value: "N",
      help: "how many differences are listed (default 20, with --json 1000)",
    },
    repair: { type: "boolean", help: "write the differences into NEW" },
    "dry-run": { type: "boolean", help: "with --repair: only say what would be written" },
  },
  words: 2,
  async run(context) {
    const [old = "", young = ""] = wordsOf(context, usage, [
      "the address of the old store",
      "the address of the new store",
    ]);
    const limit = numberOf(context, "limit", context.json ? 1_000 : shownByDefault);
    const repairs = context.args.flag("repair");
    if (context.args.flag("dry-run") && !repairs)
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: "expected --dry-run together with --repair: a diff alone writes nothing",
      });
    renamingOf(context);
    if (repairs) return repairing(context, old, young, limit);
    const asked = { ...collectionsOf(context), ...renamingOf(context) };
    await using sides = await openSides([old, young], asked, openReader);
    const { source, target } = sides;
    await requireSublevels(old, source, asked.collections ?? []);
    using progress = new Progress(context);
    const found = await comparing(context, progress, source, target, limit);
    progress[Symbol.dispose]();
    return show(context, found, limit, [old, young]);
  },
};

async function comparing(
  context: CommandContext,
  progress: Progress,
  source: Parameters<typeof verifyData>[0]["source"],
  target: Parameters<typeof verifyData>[0]["target"],
  limit: number,
): Promise<Verification> {
  progress.part("compare");
  return verifyData({
    source,
    target,
    limit,
    ...collectionsOf(context),
    ...renamingOf(context),
    random: randomBytes,
    signal: context.interrupted,
    onRead: (rows, bytes) => progress.add(rows, bytes),
  });
}

function show(
  context: CommandContext,
  found: Verification,
  limit: number,
  [old, young]: readonly [string, string],
): number {
  const { terminal } = context;
  if (context.json) terminal.json(verificationJson(found));
  else {
    for (const line of verificationLines(found, limit)) terminal.line(line);
    if (!found.equal && !young.startsWith("backup:"))
      terminal.line([
        span("  next: ", "dim"),
        span(
          `npx cutover data diff ${shownWord(old)} ${shownWord(young)}${namesFlags(context)} --repair --dry-run`,
          "bold",
        ),
      ]);
  }
  return found.equal ? 0 : 4;
}

async function repairing(
  context: CommandContext,
  old: string,
  young: string,
  limit: number,
): Promise<number> {
  const asked = { ...collectionsOf(context), ...renamingOf(context) };
  await using sides = await openSides([old, young], asked, openNamed);
  const { source, target } = sides;
  await requireSublevels(old, source, asked.collections ?? []);
  using progress = new Progress(context);
  const dryRun = context.args.flag("dry-run");
  let [written, removed] = [0, 0];
  for (;;) {
    const found = await comparing(context, progress, source, target, dryRun ? limit : repairedAtOnce);
    if (found.equal || dryRun || found.differences.length === 0) {
      progress[Symbol.dispose]();
      return summary(context, found, { written, removed, dryRun }, limit, [old, young]);
    }
    progress.part("repair", found.differences.length);
    const done = await repairData({
      source,
      target,
      places: found.differences,
      ...collectionsOf(context),
      ...renamingOf(context),
      job: "cutover data diff",
      fence: context.clock.now(),
      origin: "cutover data diff",
      clock: context.clock,
      signal: context.interrupted,
    });
    written += done.written;
    removed += done.removed;
    if (done.written + done.removed > 0) continue;
    progress[Symbol.dispose]();
    return summary(context, found, { written, removed, dryRun }, limit, [old, young]);
  }
}

function summary(
  context: CommandContext,
  found: Verification,
  done: { readonly written: number; readonly removed: number; readonly dryRun: boolean },
  limit: number,
  sides: readonly [string, string],
): number {
  if (context.json) {
    context.terminal.json({ ...verificationJson(found), repaired: done });
    return found.equal ? 0 : 4;
  }
  if (!done.dryRun) {
    if (done.written + done.removed > 0)
      context.terminal.line(
        `${plural(done.written, "row")} written · ${plural(done.removed, "row")} removed`,
      );
    return show(context, found, limit, sides);
  }
  for (const line of verificationLines(found, limit)) context.terminal.line(line);
  if (!found.equal)
    context.terminal.line(`a repair would put this right: ${countsText(found.counts)} (nothing was written)`);
  return found.equal ? 0 : 4;
}
