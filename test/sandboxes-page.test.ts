import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/queue-sandboxes.md"), "utf8");

test("the example on the page of sandboxes prints what the page says, and ends by itself", () => {
  const dir = mkdtempSync(join(tmpdir(), "cutover-sandboxes-page-"));
  try {
    mkdirSync(join(dir, "node_modules"));
    symlinkSync(root, join(dir, "node_modules/cutover"));
    writeFileSync(join(dir, "package.json"), '{ "type": "module" }');
    for (const [, file = "", text = ""] of page.matchAll(/```ts file=(\S+)\n([^]*?)```/g)) {
      writeFileSync(join(dir, file), text);
    }
    const printed = execFileSync(process.execPath, ["--conditions=cutover-source", "work.ts"], {
      cwd: dir,
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(printed.trim().split("\n")).toEqual(["primes: COMPLETED 1229", "count-words: COMPLETED 5"]);
    for (const line of printed.trim().split("\n")) expect(page).toContain(`\`${line}\``);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
