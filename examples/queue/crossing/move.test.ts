import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hasCode } from "cutover";
import { statuses } from "../old/work-order.ts";
import { statusMap } from "../crossing.ts";
import { readOldFolder, refuseUnmapped } from "./old-folder.ts";
import { proveBackup } from "./backup.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-old-"));
  cpSync(join(import.meta.dirname, "../data"), dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("the mapping covers all seven statuses and nothing else", () => {
  expect(Object.keys(statusMap).sort()).toEqual([...statuses].sort());
});

test("what is wrong in the folder is set aside with its reason, and nothing else", async () => {
  const { waiting, aside, counts } = await readOldFolder(dir);
  expect(Object.fromEntries(aside.map(({ id, reason }) => [id, reason]))).toEqual({
    HllrM57pdG4B: "the file is cut off or damaged (192 bytes)",
    bh8Ztue3prjV: "the file is empty",
    sPZjyccYneXF: "stands in the queue, but has no file",
    q0AgtSnT0MRc: "queued, but missing from queue-state.json",
  });
  expect(waiting).toHaveLength(21);
  expect(counts).toMatchObject({
    queued: 22,
    succeeded: 18,
    failed: 9,
    canceled: 5,
    running: 2,
    integrating: 1,
  });
});

test("a status nobody mapped is refused by name, with the file it stands in", async () => {
  const file = join(dir, "work-orders/2MFsmV4MkaVI.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"queued"', '"paused"'));
  const folder = await readOldFolder(dir);
  let thrown: unknown;
  try {
    refuseUnmapped(folder, statusMap);
  } catch (error) {
    thrown = error;
  }
  expect(hasCode(thrown, "CUTOVER_DATA_UNMAPPED")).toBe(true);
  expect(String(thrown)).toContain('"paused" in work-orders/2MFsmV4MkaVI.json');
});

test("a folder without orders is named as missing", async () => {
  rmSync(join(dir, "work-orders"), { recursive: true });
  await expect(readOldFolder(dir)).rejects.toMatchObject({ code: "CUTOVER_DATA_MISSING", place: dir });
});

test("a backup counts because it was restored and compared file by file", () => {
  const work = mkdtempSync(join(tmpdir(), "cutover-backup-"));
  const { ok, note, facts } = proveBackup(dir, work);
  expect({ ok, note }).toEqual({ ok: true, note: "backup restored and equal (63 files)" });
  expect(facts).toMatchObject({ files: 63, differ: 0, extra: 0 });
  rmSync(work, { recursive: true, force: true });
});
