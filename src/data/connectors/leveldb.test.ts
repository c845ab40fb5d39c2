import { ClassicLevel } from "classic-level";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connectorContract, type ConnectorSubject } from "../../testing/index.ts";
import { decodeRecordOf } from "../capture-journal.ts";
import { captureWriter } from "../capture-writer.ts";
import { type LevelStore, openLevelDb } from "./leveldb.ts";

const folders: string[] = [];
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "cutover-level-"));
  folders.push(path);
  return path;
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

async function subject(
  path = join(folder(), "db"),
  collection = "",
  collections: readonly string[] = [collection],
): Promise<ConnectorSubject<LevelStore>> {
  const store = await openLevelDb(path, { create: true, collections });
  return {
    store,
    collection,
    write: (changes, epoch) => store.write(changes, { epoch }),
    reopen: () => subject(path, collection, collections),
  };
}

connectorContract("LevelDB", () => subject(), { describe, expect, test });
connectorContract("LevelDB, a sublevel", () => subject(undefined, "users", ["", "users", "u"]), {
  describe,
  expect,
  test,
});
connectorContract("LevelDB, beside sublevels", () => subject(undefined, "", ["", "\u0020", "zz"]), {
  describe,
  expect,
  test,
});

describe("a LevelDB that an application writes while it moves", () => {
  test("the database keeps its calls: sublevels, encodings, chained batches, clear, hooks", async () => {
    await using store = await openLevelDb(join(folder(), "db"), {
      create: true,
      collections: ["", "users"],
      level: { valueEncoding: "json" },
    });
    const { db } = store;
    const from = await store.capture("s");
    await db.put("a", { total: 5 });
    await db.batch([
      { type: "put", key: "b", value: [1] },
      { type: "del", key: "a" },
    ]);
    await db.batch().put("c", "chained").del("b").write();
    const users = db.sublevel("users", { valueEncoding: "json" });
    await users.put("ana", { age: 3 });
    await users.batch().put("bea", { age: 4 }).write();
    expect(await users.get("ana")).toEqual({ age: 3 });
    const entries: unknown[] = [];
    for await (const entry of db.iterator()) entries.push(entry);
    expect(entries).toEqual([
      ["!users!ana", { age: 3 }],
      ["!users!bea", { age: 4 }],
      ["c", "chained"],
    ]);
    for await (const [key] of db.iterator({ reverse: true, limit: 1 })) expect(key).toBe("c");
    for await (const [key] of db.iterator({ gte: "b", lte: "\uffff", reverse: true })) expect(key).toBe("c");
    await users.clear();
    await db.clear();
    expect((await db.keys().nextv(9)).length).toBe(0);
    const stop = new AbortController();
    for await (const { transactions } of store.log("s", from, { signal: stop.signal })) {
      const told = transactions.map(({ changes }) =>
        changes.map(({ collection, key, value }) =>
          [
            collection,
            Buffer.from(key).toString(),
            value === null ? "gone" : Buffer.from(value).toString(),
          ].join("|"),
        ),
      );
      expect(told).toEqual([
        ['|a|{"total":5}'],
        ["|b|[1]", "|a|gone"],
        ['|c|"chained"', "|b|gone"],
        ['users|ana|{"age":3}'],
        ['users|bea|{"age":4}'],
        ["users|ana|gone", "users|bea|gone"],
        ["|c|gone"],
      ]);
      break;
    }
  });

  test("without an open slot nothing but the data is written", async () => {
    const path = join(folder(), "db");
    const store = await openLevelDb(path, { create: true });
    for (let i = 0; i < 100; i++) await store.db.put(`k${i}`, "v");
    await store[Symbol.asyncDispose]();
    const plain = new ClassicLevel(path);
    expect((await plain.keys().all()).length).toBe(100);
    await plain.close();
  });

  test("what was acknowledged is gone from the disk, and the data is plain LevelDB afterwards", async () => {
    const path = join(folder(), "db");
    const store = await openLevelDb(path, { create: true });
    const first = await store.capture("s");
    const writer = captureWriter(store);
    for (let i = 0; i < 2_500; i++) await writer.put(Buffer.from(`k${i % 10}`), Buffer.from(`v${i}`));
    await store.acknowledge("s", await store.head());
    expect(Number(await store.head()) - Number(first)).toBe(2_500);
    await store.release("s");
    await store[Symbol.asyncDispose]();
    const plain = new ClassicLevel<Buffer, Buffer>(path, { keyEncoding: "buffer", valueEncoding: "buffer" });
    const journal = await plain
      .keys({ gte: Buffer.concat([Buffer.alloc(24, 0xff), Buffer.from("cutover\0j")]) })
      .all();
    // The format, the number of the last transaction, how far the journal was removed.
    expect(journal.map((key) => key.subarray(32).toString()).filter((key) => key.startsWith("j"))).toEqual(
      [],
    );
    expect((await plain.keys({ lt: Buffer.alloc(24, 0xff) }).all()).length).toBe(10);
    await plain.close();
  });

  test("writes that wait for each other go to disk together, and one that is refused does not harm the others", async () => {
    await using store = await openLevelDb(join(folder(), "db"), { create: true });
    const from = await store.capture("s");
    const beyond = Buffer.alloc(40, 0xff);
    const outcomes = await Promise.allSettled([
      store.write([{ collection: "", key: Buffer.from("a"), value: Buffer.from("1") }]),
      store.write([{ collection: "", key: beyond, value: Buffer.from("1") }]),
      store.write([{ collection: "", key: Buffer.from("b"), value: Buffer.from("1") }], { durable: true }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(Number(await store.head())).toBe(Number(from) + 2);
    await expect(store.db.put(beyond, "v", { keyEncoding: "buffer" })).rejects.toMatchObject({
      code: expect.stringMatching(/^CUTOVER_DATA_(REFUSED|COLLECTION)$/) as string,
    });
  });

  test("the application's epoch is asked for before every write", async () => {
    let epoch = 1;
    await using store = await openLevelDb(join(folder(), "db"), { create: true, epoch: () => epoch });
    await store.db.put("a", "1");
    await store.fence(2, { signal: AbortSignal.timeout(5_000) });
    await expect(store.db.put("a", "2")).rejects.toMatchObject({ code: "CUTOVER_DATA_FENCED" });
    const late = store.db.batch().put("b", "1");
    await expect(late.write()).rejects.toMatchObject({ code: "CUTOVER_DATA_FENCED" });
    epoch = 2;
    await store.db.put("a", "3");
    expect(await store.db.get("a")).toBe("3");
  });
});

describe("a LevelDB that cannot be opened", () => {
  const refused = async (path: string, create = false): Promise<unknown> =>
    openLevelDb(path, { create }).then(
      () => "opened",
      (error: unknown) => (error as { code: string }).code,
    );

  test("says why: nothing there, a file, another folder, open elsewhere, damaged, newer", async () => {
    const root = folder();
    expect(await refused(join(root, "nothing"))).toBe("CUTOVER_DATA_MISSING");
    writeFileSync(join(root, "file"), "text");
    expect(await refused(join(root, "file"))).toBe("CUTOVER_DATA_FORMAT");
    mkdirSync(join(root, "other"));
    expect(await refused(join(root, "other"))).toBe("CUTOVER_DATA_FORMAT");
    writeFileSync(join(root, "other", "notes.txt"), "text");
    expect(await refused(join(root, "other"), true)).toBe("CUTOVER_DATA_FORMAT");

    const path = join(root, "db");
    const store = await openLevelDb(path, { create: true });
    expect(await refused(path)).toBe("CUTOVER_DATA_LOCKED");
    await store[Symbol.asyncDispose]();
    const plain = new ClassicLevel<Buffer, Buffer>(path, { keyEncoding: "buffer", valueEncoding: "buffer" });
    const format = Buffer.concat([Buffer.alloc(24, 0xff), Buffer.from("cutover\0v")]);
    await plain.put(format, Buffer.from([9]));
    await plain.close();
    expect(await refused(path)).toBe("CUTOVER_DATA_FORMAT");
    writeFileSync(join(path, "CURRENT"), "damaged");
    expect(await refused(path)).toBe("CUTOVER_DATA_FORMAT");
  });

  test("an unknown option is refused by name", async () => {
    const wrong = { crate: true } as object;
    await expect(openLevelDb(join(folder(), "db"), wrong)).rejects.toThrow(/"crate"/);
  });

  test("after it was closed every call says so", async () => {
    const store = await openLevelDb(join(folder(), "db"), { create: true });
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    for (const call of [store.head(), store.count({ collection: "" }), store.collections(), store.lift(1)])
      await expect(call).rejects.toMatchObject({ code: "CUTOVER_DATA_CLOSED" });
  });

  test("a record of the journal that is damaged is named", () => {
    expect(() => decodeRecordOf(Buffer.from([7, 0]), "journal 5")).toThrow(/cannot be read/);
  });
});
