import { randomBytes } from "node:crypto";
import { formatDuration } from "../../core/index.ts";
import { chooseCollections, digestText, keepProof, restoreData } from "../../data/index.ts";
import { count, plural } from "../../report/index.ts";
import type { Command } from "../command.ts";
import {
  collectionOption,
  collectionsOf,
  openBackupFolder,
  openTarget,
  shownAddress,
  wordsOf,
} from "../data/open-address.ts";
import { DataProgress } from "../data/progress.ts";
import { span } from "../draw/line.ts";

const usage = "data restore DIR ADDRESS [--replace] [--dry-run]";

export const command: Command = {
  usage,
  help: [
    "Brings a backup back and compares it afterwards. The whole backup is checked before a row is written; damage is named by the rows it lies in. Interrupted, the same command goes on where it stood.",
    "A target that holds rows is refused. With --replace it becomes the backup: rows it does not have are removed.",
  ],
  options: {
    ...collectionOption,
    replace: { type: "boolean", help: "replace what the target holds" },
    "dry-run": { type: "boolean", help: "check the backup, and touch nothing" },
  },
  words: 2,
  async run(context) {
    const [folder = "", address = ""] = wordsOf(context, usage, [
      "the folder of a backup",
      "the address of a store",
    ]);
    const dir = folder.replace(/^backup:/, "");
    using progress = new DataProgress(context);
    await using kept = await openBackupFolder(dir);
    const chosen = await chooseCollections(kept, collectionsOf(context).collections);
    const names = chosen.map(({ name }) => name);
    const total = chosen.reduce((sum, { rows = 0 }) => sum + rows, 0);
    if (context.args.flag("dry-run")) {
      progress.part("check", total);
      for (const name of names)
        for await (const rows of kept.leaves(name)) {
          context.interrupted.throwIfAborted();
          progress.add(rows.length, 0);
        }
      progress[Symbol.dispose]();
      if (context.json) context.terminal.json({ dir, whole: true, rows: total, to: shownAddress(address) });
      else
        context.terminal.line(
          `the backup is whole: ${plural(total, "row")} → ${shownAddress(address)} (nothing was touched)`,
        );
      return 0;
    }
    await using target = await openTarget(address, names);
    let last = "";
    const restored = await restoreData({
      dir,
      target,
      collections: names,
      replace: context.args.flag("replace"),
      fence: context.clock.now(),
      clock: context.clock,
      random: randomBytes,
      signal: context.interrupted,
      onRead: (rows, bytes, doing) => {
        if (doing !== last) progress.part(doing, doing === "compare" ? 2 * total : total);
        last = doing;
        progress.add(rows, bytes);
      },
    });
    // A backup of which everything came back counts from now on.
    const proven = names.length === kept.manifest.collections.length;
    if (proven) await keepProof(dir, target.name, restored, context.clock);
    const { rows, removed, resumedLeaves, verification } = restored;
    progress[Symbol.dispose]();
    if (context.json) {
      context.terminal.json({
        rows,
        removed,
        resumedLeaves,
        proven,
        equal: true,
        digest: digestText(verification.target),
        seed: verification.seed,
      });
      return 0;
    }
    context.terminal.line([
      span("✔ restored  ", "good"),
      span(
        `${plural(verification.target.count, "row")} · equal to the backup · ${formatDuration(progress.elapsedMs)}${removed === 0 ? "" : ` · ${count(removed)} removed that it does not have`}${resumedLeaves === 0 ? "" : " · went on with an earlier attempt"}`,
      ),
    ]);
    return 0;
  },
};
