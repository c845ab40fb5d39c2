import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { asError, CutoverError } from "../../core/index.ts";
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
    try {
      await mkdir(dir, { recursive: true });
    } catch (error) {
      throw noFolder(dir, error);
    }
    // `wx`: a file that appeared since the look above is refused as well.
    for (const { name, content } of files) await writeFile(join(dir, name), content, { flag: "wx" });
    const near = relative(context.cwd, dir);
    if (context.json) {
      context.terminal.json({ dir, files: names });
      return 0;
    }
    const width = Math.max(22, ...names.map((name) => join(near, name).length));
    for (const { name, what } of files) {
      context.terminal.line([
        span("✔ ", "good"),
        span(`${join(near, name).padEnd(width)}  `),
        span(what, "dim"),
      ]);
    }
    context.terminal.line("");
    const cd = near === "" ? "" : `cd ${near} && `;
    for (const [command, says] of [
      ["plan", "see what would happen; nothing is touched"],
      ["run", "carry it out"],
      ["status", "see how it stands"],
    ] as const) {
      context.terminal.line([
        span(`  ${cd}npx cutover ${command}`.padEnd(26 + cd.length), "bold"),
        span("  "),
        span(says, "dim"),
      ]);
    }
    return 0;
  },
};

const noFolder = (dir: string, error: unknown): CutoverError =>
  new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected a folder that can be written, found: ${asError(error).message}`,
    remedy: "choose a folder that can be written: cutover init DIR",
    place: dir,
    cause: error,
  });
