import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const guide = readFileSync(join(root, "docs/guide.md"), "utf8");

interface Block {
  readonly kind: "sh" | "ts";
  readonly file: string;
  readonly text: string;
}

const blocks: readonly Block[] = [...guide.matchAll(/```(sh|ts)(?: file=(\S+))?\n([^]*?)```/g)].map(
  ([, kind, file = "", text = ""]) => ({ kind: kind as Block["kind"], file, text }),
);

test("every command and every file of the guide works, in the order of the page", () => {
  const dir = mkdtempSync(join(tmpdir(), "cutover-guide-"));
  try {
    mkdirSync(join(dir, "node_modules/.bin"), { recursive: true });
    symlinkSync(root, join(dir, "node_modules/cutover"));
    // What `npm install` would have put there; `npx` itself is slow and would ask the registry.
    symlinkSync(process.execPath, join(dir, "node_modules/.bin/node"));
    const npx = join(dir, "node_modules/.bin/npx");
    writeFileSync(npx, `#!/bin/sh\nshift\nexec node "${join(root, "dist/cli/main.js")}" "$@"\n`, {
      mode: 0o755,
    });
    const path = `${join(dir, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
    let ran = 0;
    for (const { kind, file, text } of blocks) {
      if (kind === "ts") writeFileSync(join(dir, file), text);
      else {
        execFileSync("bash", ["-e", "-c", text], {
          cwd: dir,
          env: { ...process.env, PATH: path },
          stdio: "pipe",
          timeout: 60_000,
        });
        ran++;
      }
    }
    expect(ran).toBeGreaterThan(5);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 120_000);
