import { randomBytes } from "node:crypto";
import { formatDuration } from "../../core/index.ts";
import { chooseCollections, digestText, keepProof, previewRestore, restoreData } from "../../data/index.ts";
import { count, plural } from "../../report/index.ts";
import type { Command } from "../command.ts";
import {
  collectionOption,
  collectionsOf,
  folderOf,
  openBackupFolder,
  openTarget,
  shownAddress,
  wordsOf,
} from "../data/open-address.ts";
import { Progress } from "../progress.ts";
import { span } from "../draw/line.ts";

const usage = "data restore DIR ADDRESS [--replace] [--dry-run]";

export const command: Command = {
  usage,
  help: [
    "Brings a backup back and compares it afterwards. The whole backup is checked before the target is opened, or made: damage is named by the rows it lies in, and leaves the target as it was. Interrupted, the same command goes on where it stood.",
    "A target that holds rows is refused. With --replace it becomes the backup: rows it does not have are removed.",
  ],
  options: {
    ...collectionOption,
    replace: { type: "boolean", help: "replace what the target holds" },
    "dry-run": {
      type: "boolean",
      help: "check the backup and whether the target could take it, and touch nothing",
    },
  },
  words: 2,
  async run(context) {
    const [folder = "", address = ""] = wordsOf(context, usage, [
      "the folder of a backup",
      "the address of a store",
    ]);
    const dir = folderOf(folder);
    using progress = new Progress(context);
    await using kept = await openBackupFolder(dir);
    const chosen = await chooseCollections(kept, collectionsOf(context).collections);
    const names = chosen.map(({ name }) => name);
    const total = chosen.reduce((sum, { rows = 0 }) => sum + rows, 0);
    const replace = context.args.flag("replace");
    progress.part("check", total);
    // Before the target is opened, which would make it: a damaged backup leaves nothing behind.
    const { target: there } = await previewRestore({
      dir,
      to: address,
      collections: names,
      replace,
      signal: context.interrupted,
      onRead: (rows, bytes) => progress.add(rows, bytes),
    });
    if (context.args.flag("dry-run")) {
      progress[Symbol.dispose]();
      const to = shownAddress(address);
      if (context.json) context.terminal.json({ dir, whole: true, rows: total, to, target: there });
      else
        context.terminal.line(
          `the backup is whole: ${plural(total, "row")} → ${to} (${there === "holds rows" ? "its rows are replaced" : there}; nothing was touched)`,
        );
      return 0;
    }
    await using target = await openTarget(address, names);
    let last = "";
    const restored = await restoreData({
      dir,
      target,
      collections: names,
      replace,
      checked: true,
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
