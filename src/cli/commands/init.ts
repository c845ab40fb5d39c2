import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";
import type { Command } from "../command.ts";
import { span } from "../draw/line.ts";
import { initFiles } from "../init-files.ts";
import { commonJsManifest } from "../module-type.ts";

export const command: Command = {
  usage: "init [DIR]",
  help: [
    "Writes three small files: a pair of stores and the migration between them, to read, run and change. Nothing that is there already is overwritten.",
    'In a project whose package.json says "type": "commonjs" they end in .mts, so that Node reads them as modules.',
  ],
  options: {},
  words: 1,
  async run(context) {
    const dir = resolve(context.cwd, context.args.positionals[0] ?? ".");
    const files = initFiles(commonJsManifest(dir) === undefined ? "ts" : "mts");
    const names = files.map(({ name }) => name);
    const there = names.filter((name) => existsSync(join(dir, name)));
    if (there.length > 0) {
      throw new CutoverError("CUTOVER_FILE_EXISTS", {
        message: `expected a folder without ${there.join(", ")}, found ${there.length === 1 ? "it" : "them"} there`,
        place: dir,
        details: { found: there },
      });
    }
    await mkdir(dir, { recursive: true });
    // `wx`: a file that appeared since the look above is refused as well.
    for (const { name, content } of files) await writeFile(join(dir, name), content, { flag: "wx" });
    const near = relative(context.cwd, dir);
    if (context.json) {
      context.terminal.json({ dir, files: names });
      return 0;
    }
    for (const { name, what } of files) {
      context.terminal.line([span("✔ ", "good"), span(join(near, name).padEnd(24)), span(what, "dim")]);
    }
    context.terminal.line("");
    const cd = near === "" ? "" : `cd ${near} && `;
    for (const [command, says] of [
      ["plan", "see what would happen; nothing is touched"],
      ["run", "carry it out"],
      ["status", "see how it stands"],
    ] as const) {
      context.terminal.line([span(`  ${cd}npx cutover ${command}`.padEnd(28), "bold"), span(says, "dim")]);
    }
    return 0;
  },
};
