#!/usr/bin/env node
import { oldestNode, tooOld } from "./node-version.ts";

// Nothing else is imported before the version is known: an older Node would stop at `node:sqlite` or at a type.
if (tooOld(process.versions.node)) {
  process.stderr.write(
    `error CUTOVER_NODE_TOO_OLD  expected Node.js ${oldestNode} or newer, found ${process.versions.node}\n` +
      `  install Node.js ${oldestNode} or newer and run it again\n`,
  );
  process.exit(6);
}

// Compiled modules and definitions stripped of their types are kept where Node keeps such things (NODE_COMPILE_CACHE,
// else the temp folder, per user and version): a resume starts 70 ms sooner. Written early, for those who are killed.
const modules = process.getBuiltinModule("node:module");
modules.enableCompileCache();

const { systemClock } = await import("../core/index.ts");
systemClock.after(2_000, () => modules.flushCompileCache());
const { noticeForeignEnd } = await import("./foreign-end.ts");
const { runCommandLine } = await import("./command-line.ts");
const ended = noticeForeignEnd();
const exitCode = await runCommandLine(process.argv.slice(2));
ended();
// Work that a step left behind must not hold the process; what was said is written out first.
process.stdout.write("", (lost: NodeJS.ErrnoException | null | undefined) => {
  // A reader that went away (`| head`) has what it wanted; with a full disk nobody has.
  if (!lost || lost.code === "EPIPE") process.exit(exitCode);
  process.stderr.write(
    `error CUTOVER_OUTPUT_LOST  expected to write all of the answer, found ${lost.code ?? lost.message}\n` +
      "  what was asked was done; free space where the output goes, or send it elsewhere, and ask again\n",
  );
  process.exit(exitCode === 0 ? 1 : exitCode);
});
