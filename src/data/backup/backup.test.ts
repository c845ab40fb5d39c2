import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { Change } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { overlay } from "../verify/touched.ts";
import { verifyData } from "../verify/verify.ts";
import { backupData } from "./backup.ts";
import { openBackup } from "./backup-reader.ts";
import { keepProof, proofOf } from "./proof.ts";
import { restoreData, type RestoreOptions } from "./restore.ts";

const random = (length: number): Uint8Array => new Uint8Array(length).fill(9);
const clock = new ManualClock();
type Store = ReturnType<typeof openMemoryStore>;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-backup-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const place = (): string => join(dir, "b");

const names = ["orders", "users"];
const row = (collection: string, index: number): Change => ({
  collection,
  key: Buffer.from(String(index).padStart(6, "0")),
  value: Buffer.from(`value ${index} of ${collection}`),
});
async function filled(count = 2_500): Promise<Store> {
  const store = openMemoryStore({ collections: names });
  for (const name of names) await store.write(Array.from({ length: count }, (_, index) => row(name, index)));
  await store.write([
    { collection: "users", key: Buffer.from([0]), value: Buffer.alloc(0) },
    { collection: "users", key: Buffer.from([255, 0, 255]), value: Buffer.from([0, 255]) },
    { collection: "users", key: Buffer.from("huge"), value: Buffer.alloc(9_000_000, 7) },
  ]);
  return store;
}
const empty = (): Store => openMemoryStore({ collections: names });
const make = (source: Store) => backupData({ source, dir: place(), clock, random });
const bring = (target: Store, options: Partial<RestoreOptions> = {}) =>
  restoreData({ dir: place(), target, clock, random, ...options });

describe("a backup", () => {
  test("comes back as it was, and counts once that was seen", async () => {
    const [source, target] = [await filled(), empty()];
    const { manifest } = await make(source);
    expect(manifest.collections.map(({ name, digest }) => [name, digest.count])).toEqual([
      ["orders", 2_500],
      ["users", 2_503],
    ]);
    expect(manifest.oneSnapshot).toBe(true);
    expect(await proofOf(place())).toBeUndefined();
    const restored = await bring(target);
    expect(restored).toMatchObject({ rows: 5_003, removed: 0, resumedLeaves: 0 });
    await keepProof(place(), target.name, restored, clock);
    expect(await proofOf(place())).toMatchObject({ backup: manifest.checksum, target: "memory" });
    expect((await verifyData({ source, target, random })).equal).toBe(true);
  });

  test("can be read and compared like any store", async () => {
    const source = await filled();
    await make(source);
    await using kept = await openBackup(place());
    expect((await verifyData({ source, target: kept, random })).equal).toBe(true);
    await source.write([{ ...row("orders", 2_000), value: Buffer.from("later") }]);
    const { counts, differences } = await verifyData({ source, target: kept, random });
    expect(counts).toMatchObject({ different: 1 });
    expect(differences[0]).toMatchObject({ collection: "orders" });
    expect(
      await kept.count({ collection: "users", after: Buffer.from("000009"), upTo: Buffer.from("000019") }),
    ).toBe(10);
    expect(await kept.get("orders", [Buffer.from("nothing")])).toEqual([undefined]);
  });

  test("is of one moment, whatever is written while it is made", async () => {
    const source = await filled();
    const before = (await verifyData({ source, target: source, random })).source;
    let wrote = false;
    const { manifest } = await backupData({
      source,
      dir: place(),
      clock,
      random,
      onRead: () => {
        if (!wrote) void source.write([row("users", 90_000), row("orders", 90_000)]);
        wrote = true;
      },
    });
    expect(manifest.collections.map(({ digest }) => digest.count)).toEqual([2_500, 2_503]);
    expect(before.count).toBe(5_003);
  });

  test("that was begun and stopped leaves nothing behind", async () => {
    const stop = new AbortController();
    const making = backupData({
      source: await filled(),
      dir: place(),
      clock,
      random,
      signal: stop.signal,
      onRead: () => stop.abort(new Error("stopped")),
    });
    await expect(making).rejects.toThrow("stopped");
    expect(readdirSync(dir)).toEqual([]);
  });

  test("never overwrites something, and says what an earlier attempt left", async () => {
    const source = await filled(10);
    await make(source);
    await expect(make(source)).rejects.toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    rmSync(place(), { recursive: true });
    writeFileSync(place(), "a file");
    await expect(make(source)).rejects.toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    expect(readFileSync(place(), "utf8")).toBe("a file");
  });

  test("asks for the room it will need before it writes", async () => {
    const source = await filled(10);
    const collections = () => Promise.resolve([{ name: "orders", rows: 1e15, bytes: 1e17 }]);
    const large = overlay(source, {
      collections,
      snapshot: async () => overlay(await source.snapshot(), { collections }),
    });
    await expect(make(large)).rejects.toMatchObject({ code: "CUTOVER_DATA_FULL" });
    expect(existsSync(place())).toBe(false);
  });
});

describe("a damaged backup", () => {
  const flip = (file: string, at: number): void => {
    const bytes = readFileSync(join(place(), file));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(place(), file), bytes);
  };

  test.each([0, 5, 9, 30_000, 60_000])(
    "is found by one wrong bit at byte %i, with the leaf named, and nothing is written",
    async (at) => {
      await make(await filled());
      flip("0000.rows", at);
      const target = empty();
      await expect(bring(target)).rejects.toMatchObject({
        code: "CUTOVER_DATA_BACKUP",
        message: expect.stringMatching(
          /leaf [123] of 3 of collection "orders" is damaged \(keys .*up to "\d{6}"/,
        ) as string,
      });
      expect(await target.count({ collection: "orders" })).toBe(0);
    },
  );

  test("is found when it is cut off, and where", async () => {
    await make(await filled());
    truncateSync(join(place(), "0000.rows"), 50_000);
    await expect(bring(empty())).rejects.toMatchObject({
      code: "CUTOVER_DATA_BACKUP",
      message: expect.stringContaining("cut off in leaf 2 of 3") as string,
    });
  });

  test("is found when something was added, a file is gone, or digests were changed", async () => {
    await make(await filled(10));
    appendFileSync(join(place(), "0000.rows"), "x");
    await expect(bring(empty())).rejects.toMatchObject({ code: "CUTOVER_DATA_BACKUP" });
    rmSync(join(place(), "0000.rows"));
    await expect(bring(empty())).rejects.toMatchObject({ code: "CUTOVER_DATA_BACKUP" });
    flip("0001.leaves", 40);
    await expect(bring(empty(), { collections: ["users"] })).rejects.toMatchObject({
      code: "CUTOVER_DATA_BACKUP",
    });
  });

  test("is found when somebody edited its manifest", async () => {
    await make(await filled(10));
    const path = join(place(), "manifest.json");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace('"count": 10', '"count": 11'));
    await expect(bring(empty())).rejects.toMatchObject({
      code: "CUTOVER_DATA_BACKUP",
      message: expect.stringContaining("checksum") as string,
    });
    writeFileSync(path, text.slice(0, 100));
    await expect(bring(empty())).rejects.toMatchObject({ code: "CUTOVER_DATA_BACKUP" });
    writeFileSync(path, text.replace('"format": 1', '"format": 2'));
    await expect(bring(empty())).rejects.toMatchObject({ code: "CUTOVER_DATA_FORMAT" });
    rmSync(path);
    await expect(bring(empty())).rejects.toMatchObject({ code: "CUTOVER_DATA_MISSING" });
  });
});

describe("a restore", () => {
  test("refuses a target that holds rows, unless they are to be replaced: then it is the backup, no row more", async () => {
    const [source, target] = [await filled(100), await filled(120)];
    await target.write([{ ...row("orders", 5), value: Buffer.from("other") }]);
    await make(source);
    await expect(bring(target)).rejects.toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    expect(await target.count({ collection: "orders" })).toBe(120);
    expect(await bring(target, { replace: true })).toMatchObject({ removed: 40 });
    expect((await verifyData({ source, target, random })).equal).toBe(true);
  });

  test("goes on where it was stopped", async () => {
    const [source, target] = [await filled(), empty()];
    await make(source);
    const stop = new AbortController();
    let leaves = 0;
    const first = bring(target, {
      signal: stop.signal,
      onRead: (_rows, _bytes, doing) => {
        if (doing === "restore" && ++leaves === 4) stop.abort(new Error("stopped"));
      },
    });
    await expect(first).rejects.toThrow("stopped");
    const restored = await bring(target);
    expect(restored.resumedLeaves).toBe(4);
    expect((await verifyData({ source, target, random })).equal).toBe(true);
  });

  test("names a collection that the target does not have, before it writes", async () => {
    await make(await filled(10));
    const target = openMemoryStore({ collections: ["orders"] });
    await expect(bring(target)).rejects.toMatchObject({ code: "CUTOVER_DATA_COLLECTION" });
    expect(await target.count({ collection: "orders" })).toBe(0);
  });
});
