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

const blocksOf = (page: string): readonly Block[] =>
  [...readFileSync(join(root, page), "utf8").matchAll(/```(sh|ts)(?: file=(\S+))?\n([^]*?)```/g)].map(
    ([, kind, file = "", text = ""]) => ({ kind: kind as Block["kind"], file, text }),
  );

export interface PageOptions {
  /** What the page's project has installed besides `cutover`. */
  readonly packages?: readonly string[];
  /** Variables of its commands. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Writes every file and runs every command of a page, in its order, in an empty project. How many blocks of commands ran. */
export function runPage(page: string, { packages = [], env = {} }: PageOptions = {}): number {
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
    const path = `${join(dir, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
    let ran = 0;
    for (const { kind, file, text } of blocksOf(page)) {
      if (kind === "ts") writeFileSync(join(dir, file), text);
      else {
        execFileSync("bash", ["-e", "-c", text], {
          cwd: dir,
          env: { ...process.env, ...env, PATH: path },
          stdio: "pipe",
          timeout: 60_000,
        });
        ran++;
      }
    }
    return ran;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
