import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { openDataStore } from "../open-data-store.ts";
import { backupData } from "./backup.ts";
import { previewBackup } from "./backup-preview.ts";
import { checkBackup } from "./check-backup.ts";
import { manifestName, manifestText, readManifest } from "./format.ts";
import { restoreData } from "./restore.ts";
import { previewRestore, type RestorePreviewOptions } from "./restore-preview.ts";

const random = (length: number): Uint8Array => new Uint8Array(length).fill(9);
const clock = new ManualClock();

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-restore-preview-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const kept = (): string => join(dir, "backup");
const at = (name: string): string => join(dir, name);

async function fill(address: string, count: number, key = ""): Promise<void> {
  await using store = await openDataStore(address, { create: true });
  const rows = Array.from({ length: count }, (_, index) => ({
    collection: "",
    key: Buffer.from(`${key}${String(index).padStart(5, "0")}`),
    value: Buffer.from(`{"n":${index}}`),
  }));
  await store.applyTxn({ job: "fill", fence: 1, origin: "fill", changes: [], rows });
  await store.forget("fill");
}

async function backup(count = 1_500, key = ""): Promise<void> {
  await fill(`leveldb:${at("source")}`, count, key);
  await using source = await openDataStore(`leveldb:${at("source")}`);
  await backupData({ source, dir: kept(), clock, random });
}

const look = (to: string, options: Partial<RestorePreviewOptions> = {}): ReturnType<typeof previewRestore> =>
  previewRestore({ dir: kept(), to, ...options });

/** Every file and folder below, with what is in it. */
const treeOf = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return `${file} ${entry.isFile() ? readFileSync(file, "base64") : ""}`;
    })
    .toSorted();

const kinds = ["leveldb", "lmdb", "files"] as const;

describe("a look before a restore", () => {
  test.each(kinds)("tells that a %s store will be made, and makes none", async (kind) => {
    await backup();
    const before = treeOf(dir);
    expect(await look(`${kind}:${at("a/b/new")}`)).toEqual({ target: "will be made", rows: 1_500 });
    expect(treeOf(dir)).toEqual(before);
    mkdirSync(at("empty"));
    expect(await look(`${kind}:${at("empty")}`)).toMatchObject({
      target: kind === "files" ? "empty" : "will be made",
    });
    expect(readdirSync(at("empty"))).toEqual([]);
  });

  test.each(kinds)(
    "refuses a %s store that holds rows as the restore would, with the same words",
    async (kind) => {
      await backup(20);
      const address = `${kind}:${at("full")}`;
      await fill(address, 3);
      const told = await look(address).catch((error: unknown) => error as Error);
      await using target = await openDataStore(address);
      const refused = restoreData({ dir: kept(), target, clock, random });
      await expect(refused).rejects.toMatchObject({
        code: "CUTOVER_DATA_NOT_EMPTY",
        message: (told as Error).message,
      });
      await target[Symbol.asyncDispose]();
      expect(told).toMatchObject({
        code: "CUTOVER_DATA_NOT_EMPTY",
        remedy: expect.stringContaining("--replace") as string,
      });
      expect(await look(address, { replace: true })).toMatchObject({ target: "holds rows" });
    },
  );

  test("leaves a folder of somebody's files as it is, whether it holds rows or others", async () => {
    await backup(20);
    mkdirSync(at("theirs"));
    writeFileSync(at("theirs/notes.txt"), "no row");
    const before = treeOf(at("theirs"));
    expect(await look(`files:${at("theirs")}`)).toMatchObject({ target: "empty" });
    expect(treeOf(at("theirs"))).toEqual(before);
    writeFileSync(at("theirs/order.json"), "{}");
    await expect(look(`files:${at("theirs")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    expect(readdirSync(at("theirs")).toSorted()).toEqual(["notes.txt", "order.json"]);
  });

  test("says that a restore which was cut off goes on", async () => {
    await backup();
    const address = `lmdb:${at("new")}`;
    const stop = new AbortController();
    {
      await using target = await openDataStore(address, { create: true });
      const onRead = (_rows: number, _bytes: number, doing: string): void => {
        if (doing === "restore") stop.abort(new Error("stopped"));
      };
      await expect(
        restoreData({ dir: kept(), target, clock, random, onRead, signal: stop.signal }),
      ).rejects.toThrow("stopped");
    }
    expect(await look(address)).toMatchObject({ target: "goes on with an earlier restore" });
  });

  test.each([
    ["lmdb:FILE", "CUTOVER_DATA_FORMAT"],
    ["leveldb:FILE", "CUTOVER_DATA_FORMAT"],
    ["leveldb:FOLDER", "CUTOVER_DATA_FORMAT"],
    ["files:FILE", "CUTOVER_DATA_FORMAT"],
    ["sqlite:FILE", "CUTOVER_DATA_FORMAT"],
    ["sqlite:NEW", "CUTOVER_DATA_COLLECTION"],
    ["leveldb:FILE/below", "CUTOVER_DATA_IO"],
    ["lmdb:/proc/none", "CUTOVER_DATA_DENIED"],
    ["levelbd:NEW", "CUTOVER_DATA_ADDRESS"],
  ])("refuses %s by %s", async (address, code) => {
    await backup(5);
    writeFileSync(at("FILE"), "a text that is no database, and long enough to be looked at ".repeat(99));
    mkdirSync(at("FOLDER"));
    writeFileSync(at("FOLDER/photo.jpg"), "x");
    const before = treeOf(dir).filter((line) => !line.includes("/source/"));
    await expect(look(address.replace(/:(?!\/)/, `:${dir}/`))).rejects.toMatchObject({ code });
    expect(treeOf(dir).filter((line) => !line.includes("/source/"))).toEqual(before);
  });

  test("refuses tables for a store of keys, and keys for tables", async () => {
    const db = new DatabaseSync(at("tables"));
    db.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)");
    db.exec("INSERT INTO orders VALUES (1, 2)");
    db.close();
    {
      await using source = await openDataStore(`sqlite:${at("tables")}`);
      await backupData({ source, dir: kept(), clock, random });
    }
    for (const kind of kinds)
      await expect(look(`${kind}:${at("new")}`)).rejects.toMatchObject({
        code: "CUTOVER_DATA_COLLECTION",
        message: expect.stringContaining("columns") as string,
      });
    expect(existsSync(at("new"))).toBe(false);
    await expect(look(`sqlite:${at("tables")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
  });

  test("refuses a row that the target could not hold, before there is a target", async () => {
    await backup(5, "k".repeat(2_000));
    await expect(look(`lmdb:${at("new")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_REFUSED" });
    await expect(look(`files:${at("new")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_REFUSED" });
    expect(await look(`leveldb:${at("new")}`)).toMatchObject({ rows: 5 });
    expect(existsSync(at("new"))).toBe(false);
  });

  test("refuses a target on a disk that has no room for it", async () => {
    await backup(5);
    // Ten terabytes that are a hole: more than the disk has.
    const { checksum: _, ...manifest } = await readManifest(kept());
    const [only] = manifest.collections;
    const bytes = 10_000_000_000_000;
    truncateSync(join(kept(), "0000.rows"), bytes);
    const large = { ...manifest, collections: [{ ...only, bytes }] } as typeof manifest;
    writeFileSync(join(kept(), manifestName), manifestText(large).text);
    await expect(look(`lmdb:${at("new")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_FULL" });
    expect(existsSync(at("new"))).toBe(false);
  });

  test.each([
    ["one bit is wrong", () => flip(700)],
    ["it is cut off", () => truncateSync(join(kept(), "0000.rows"), 5_000)],
    ["a file is missing", () => rmSync(join(kept(), "0000.leaves"))],
  ])("finds the damage when %s, and opens nothing", async (_, damage) => {
    await backup();
    damage();
    for (const kind of kinds) {
      await expect(look(`${kind}:${at("new")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_BACKUP" });
      expect(existsSync(at("new"))).toBe(false);
    }
    await expect(checkBackup({ dir: kept() })).rejects.toMatchObject({ code: "CUTOVER_DATA_BACKUP" });
  });

  const flip = (byte: number): void => {
    const path = join(kept(), "0000.rows");
    const bytes = readFileSync(path);
    bytes[byte] = (bytes[byte] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };
});

describe("a look before a backup", () => {
  test("tells rows and room, and makes neither the folder nor those above it", async () => {
    await fill(`leveldb:${at("source")}`, 20);
    await using source = await openDataStore(`leveldb:${at("source")}`);
    expect(await previewBackup({ source, dir: at("a/b/c") })).toMatchObject({ collections: [""] });
    expect(existsSync(at("a"))).toBe(false);
  });

  test("refuses what the backup would refuse: a file, a folder that holds something, one that takes no files", async () => {
    await fill(`leveldb:${at("source")}`, 20);
    await using source = await openDataStore(`leveldb:${at("source")}`);
    writeFileSync(at("file"), "x");
    for (const place of [at("file"), at("source"), at("file/below")]) {
      const told = await previewBackup({ source, dir: place }).catch((error: unknown) => error as Error);
      expect(told).toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
      await expect(backupData({ source, dir: place, clock, random })).rejects.toMatchObject({
        message: (told as Error).message,
      });
    }
    await expect(previewBackup({ source, dir: "/proc/none/b" })).rejects.toMatchObject({
      code: "CUTOVER_DATA_DENIED",
    });
  });

  test("refuses a scratch store that could not take it back", async () => {
    await fill(`leveldb:${at("source")}`, 20);
    await fill(`lmdb:${at("full")}`, 1);
    await using source = await openDataStore(`leveldb:${at("source")}`);
    const scratch = (address: string): Promise<object> =>
      previewBackup({ source, dir: at("b"), scratch: address });
    await expect(scratch(`lmdb:${at("full")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    await expect(scratch(`sqlite:${at("new")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_COLLECTION" });
    await expect(scratch(`leveldb:${at("source")}`)).rejects.toMatchObject({ code: "CUTOVER_DATA_LOCKED" });
    await scratch(`lmdb:${at("new")}`);
    expect(existsSync(at("new"))).toBe(false);
  });
});
