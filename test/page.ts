import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

interface Block {
  readonly kind: "sh" | "ts";
  readonly file: string;
  readonly text: string;
}

/** Blocks of the page that are to be run; those that need something say so behind their language, and are run where it is. */
const blocksOf = (page: string, needs: string): readonly Block[] =>
  [...readFileSync(join(root, page), "utf8").matchAll(/```(sh|ts)(?: file=(\S+)| (\w+))?\n([^]*?)```/g)]
    .filter(([, , , needed = ""]) => needed === needs)
    .map(([, kind, file = "", , text = ""]) => ({ kind: kind as Block["kind"], file, text }));

export interface PageOptions {
  /** What the page's project has installed besides `cutover`. */
  readonly packages?: readonly string[];
  /** Variables of its commands. */
  readonly env?: Readonly<Record<string, string>>;
  /** Only blocks that need this, e.g. `postgres`; by default those that need nothing. */
  readonly needs?: string;
}

/** Writes every file and runs every command of a page, in its order, in an empty project. How many blocks of commands ran. */
export function runPage(page: string, options: PageOptions = {}): number {
  let ran = 0;
  for (const _ of pageBlocks(page, options)) ran++;
  return ran;
}

/** The same one block of commands after the other: yields when one has run. The project is removed at the end. */
export function* pageBlocks(
  page: string,
  { packages = [], env = {}, needs = "" }: PageOptions = {},
): Generator<undefined, void> {
  const dir = mkdtempSync(join(tmpdir(), "cutover-page-"));
  try {
    mkdirSync(join(dir, "node_modules/.bin"), { recursive: true });
    symlinkSync(root, join(dir, "node_modules/cutover"));
    for (const name of packages)
      symlinkSync(join(root, "node_modules", name), join(dir, "node_modules", name));
    // What `npm install` would have put there; `npx` itself is slow and would ask the registry.
    symlinkSync(process.execPath, join(dir, "node_modules/.bin/node"));
    const npx = join(dir, "node_modules/.bin/npx");
    writeFileSync(npx, `#!/bin/sh\nshift\nexec node "${join(root, "dist/cli/main.js")}" "$@"\n`, {
      mode: 0o755,
    });
    const path = `${join(dir, "node_modules/.bin")}:${env["PATH"] ?? process.env["PATH"] ?? ""}`;
    for (const { kind, file, text } of blocksOf(page, needs)) {
      if (kind === "ts") writeFileSync(join(dir, file), text);
      else {
        execFileSync("bash", ["-e", "-c", text], {
          cwd: dir,
          env: { ...process.env, ...env, PATH: path },
          stdio: "pipe",
          timeout: 60_000,
        });
        yield;
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
