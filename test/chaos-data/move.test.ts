import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CapturedStore, openLevelDb, openLmdb } from "../../src/data/index.ts";
import { moveFaults } from "../model/data-history.ts";

const writes = 700;

async function rowsOf(store: CapturedStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection: "" })) {
    for (const { key, value } of rows) found[Buffer.from(key).toString()] = Buffer.from(value).toString();
  }
  return found;
}

const run = (folder: string, fence: number, fault: readonly string[]): ReturnType<typeof spawnSync> =>
  spawnSync(
    process.execPath,
    [join(import.meta.dirname, "mover.ts"), folder, String(fence), String(writes), ...fault],
    { timeout: 60_000, encoding: "utf8" },
  );

test.each(moveFaults)(
  "killed at %s, a move from LevelDB to LMDB goes on, and both sides are equal in the end",
  async (point) => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-chaos-data-"));
    try {
      let fence = 1;
      for (const hit of ["1", "2"]) {
        const { signal, status, stderr } = run(folder, fence++, [point, hit]);
        // The second hit may not come any more: then the move has ended.
        expect([signal ?? status, stderr]).toEqual([hit === "1" || signal !== null ? "SIGKILL" : 0, ""]);
      }
      const last = run(folder, fence, []);
      expect([last.status, last.stderr]).toEqual([0, ""]);
      await using source = await openLevelDb(join(folder, "old"));
      await using target = await openLmdb(join(folder, "new"));
      const old = await rowsOf(source);
      expect(old["done"]).toBe(String(writes));
      expect(await rowsOf(target)).toEqual(old);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  120_000,
);
