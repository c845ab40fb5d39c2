import fc from "fast-check";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connectorContract, type ConnectorSubject } from "../../testing/index.ts";
import { encodeRecordOf } from "../capture-journal.ts";
import { chooseCollections } from "../verify/collections.ts";
import { fileOf, keyOfFile } from "./files-names.ts";
import { type FilesStore, openFiles } from "./files.ts";

const folders: string[] = [];
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "cutover-files-"));
  folders.push(path);
  return path;
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

async function subject(
  path = join(folder(), "rows"),
  collection = "orders",
): Promise<ConnectorSubject<FilesStore>> {
  const store = await openFiles(path, { create: true, collections: [collection] });
  return {
    store,
    collection,
    longestKey: 250,
    scansMove: "a file system has no snapshots",
    write: (changes, epoch) => store.write(changes, { epoch }),
    reopen: () => subject(path, collection),
  };
}

connectorContract("files", () => subject(), { describe, expect, test });

describe("a folder of JSON files", () => {
  test("every key has a file name of its own that is safe everywhere, and comes back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (key) => {
        const name = fileOf(key);
        expect(name).toMatch(/^[A-Za-z0-9_=+@,%-][A-Za-z0-9_=+@,%.-]*\.json$/);
        expect(keyOfFile(name)).toEqual(Buffer.from(key));
      }),
    );
    expect(fileOf(Buffer.from("../etc/passwd"))).toBe("%2E.%2Fetc%2Fpasswd.json");
  });

  test("the application's files are rows as they are; what is no sound row is listed, not skipped", async () => {
    const path = folder();
    mkdirSync(join(path, "users"));
    writeFileSync(join(path, "users", "ana.json"), '{ "age":  3 }\n');
    writeFileSync(join(path, "users", "ä b.json"), "[9007199254740993]");
    writeFileSync(join(path, "users", "empty.json"), "");
    writeFileSync(join(path, "users", "cut.json"), '{"age":');
    writeFileSync(join(path, "users", "notes.txt"), "text");
    await using store = await openFiles(path);
    expect((await store.collections()).map(({ name, rows }) => [name, rows])).toEqual([
      ["", 0],
      ["users", 4],
    ]);
    const { rows } = await store.snapshotChunk({ collection: "users" }, { rows: 9, bytes: 999 });
    expect(
      rows.map(({ key, value }) => `${Buffer.from(key).toString()}=${Buffer.from(value).toString()}`),
    ).toEqual(['ana={ "age":  3 }\n', 'cut={"age":', "empty=", "ä b=[9007199254740993]"]);
    expect(
      (await store.strange()).map(({ path: file, reason }) => [file.slice(path.length), reason.slice(0, 14)]),
    ).toEqual([
      ["/users/notes.txt", "its name does "],
      ["/users/cut.json", "it is no JSON:"],
      ["/users/empty.json", "the file is em"],
    ]);
    await store.write([{ collection: "users", key: Buffer.from("ä b"), value: Buffer.from("[1]") }]);
    expect(readFileSync(join(path, "users", "ä b.json"), "utf8")).toBe("[1]");
    writeFileSync(join(path, "users", "new.json"), "{}");
    expect(await store.count({ collection: "users" })).toBe(5);
  });

  test("rows that would be left out are told before a move, not lost: two files of one key, what cannot be read, folders", async () => {
    const path = folder();
    for (const name of [
      "twice",
      "link",
      "bytes",
      "deep",
      "deep/er",
      "empty",
      "empty/.git",
      "my folder",
      ".cache",
    ])
      mkdirSync(join(path, name));
    writeFileSync(join(path, "twice", "A.json"), "1");
    writeFileSync(join(path, "twice", "%41.json"), "2");
    writeFileSync(join(path, "whole.json"), "{}");
    symlinkSync(join(path, "whole.json"), join(path, "link", "other.json"));
    writeFileSync(join(path, "bytes", "sound \u{fffd}.json"), "1");
    writeFileSync(
      Buffer.from([...Buffer.from(join(path, "bytes")), 0x2f, 0xff, ...Buffer.from(".json")]),
      "2",
    );
    writeFileSync(join(path, "deep", "er", "row.json"), "{}");
    await using store = await openFiles(path);
    const told = (await store.collections()).map(({ name, rows, problem }) => [name, rows, problem]);
    expect(new Map(told.map(([name, ...rest]) => [name, rest]))).toEqual(
      new Map([
        ["", [1, undefined]],
        ["twice", [1, "%41.json and A.json stand for the same key"]],
        ["link", [0, "other.json: it is no plain file"]],
        ["bytes", [1, "\u{fffd}.json: its name is no UTF-8"]],
        ["deep", [0, "rows in a folder of it: er"]],
        ["empty", [0, undefined]],
        ["my folder", [undefined, 'the name of the folder has other than letters, digits, "_", "-", "."']],
      ]),
    );
    await expect(chooseCollections(store, undefined)).rejects.toMatchObject({
      code: "CUTOVER_DATA_COLLECTION",
    });
    expect((await chooseCollections(store, ["", "empty"])).length).toBe(2);
  });

  test("gives no snapshot, as what it reads later is of a later moment", async () => {
    await using store = await openFiles(folder());
    expect("snapshot" in store && store.snapshot !== undefined).toBe(false);
  });

  test("a transaction that was on disk before a crash is carried out, one that was not leaves nothing", async () => {
    const path = folder();
    const first = await openFiles(path, { collections: ["t"] });
    await first.write([{ collection: "t", key: Buffer.from("a"), value: Buffer.from("1") }]);
    await first[Symbol.asyncDispose]();
    const changes = [
      { collection: "t", key: Buffer.from("a"), value: null },
      { collection: "t", key: Buffer.from("b"), value: Buffer.from("2") },
    ];
    const whole = encodeRecordOf({ at: 0, origin: "durable", changes });
    writeFileSync(join(path, ".cutover-data", "transaction.next"), whole.subarray(0, 20));
    const second = await openFiles(path);
    expect(await second.count({ collection: "t" })).toBe(1);
    await second[Symbol.asyncDispose]();
    writeFileSync(join(path, ".cutover-data", "transaction"), whole);
    await using third = await openFiles(path);
    expect(
      (await third.get("t", [Buffer.from("a"), Buffer.from("b")])).map((value) => value?.toString()),
    ).toEqual([undefined, "2"]);
    expect(existsSync(join(path, ".cutover-data", "transaction"))).toBe(false);
  });

  test("what was written beside for a transaction that never happened is gone, and no row of it is there", async () => {
    const path = folder();
    mkdirSync(join(path, ".cutover-data", "staging"), { recursive: true });
    writeFileSync(join(path, ".cutover-data", "staging", "0"), "{}");
    await using store = await openFiles(path);
    expect(existsSync(join(path, ".cutover-data", "staging"))).toBe(false);
    expect(await store.count({ collection: "" })).toBe(0);
  });

  test("durable writes that are asked for at once are made in their order, each whole, and closing waits for them", async () => {
    const path = folder();
    const store = await openFiles(path);
    const keys = Array.from({ length: 40 }, (_, index) => Buffer.from(`k${index}`));
    const writes = Array.from({ length: 5 }, (_, turn) =>
      store.write(
        keys.map((key, index) => ({
          collection: "",
          key,
          value: (index + turn) % 7 === 0 ? null : Buffer.from(`${turn}`),
        })),
        { durable: true },
      ),
    );
    await writes[2];
    const seen = new Set((await store.get("", keys)).map((value) => value?.toString()));
    seen.delete(undefined);
    // All of one transaction, whichever of the later ones was made by then.
    expect(seen.size).toBe(1);
    await store[Symbol.asyncDispose]();
    await Promise.all(writes);
    await using again = await openFiles(path);
    const last = (await again.get("", keys)).map((value) => value?.toString());
    expect(last).toEqual(keys.map((_, index) => ((index + 4) % 7 === 0 ? undefined : "4")));
    expect(existsSync(join(path, ".cutover-data", "staging"))).toBe(false);
  });

  test("a write that cannot be put on disk changes nothing, and the next one is made", async () => {
    const path = folder();
    await using store = await openFiles(path);
    const put = (key: string): Promise<void> =>
      store.write([{ collection: "", key: Buffer.from(key), value: Buffer.from("{}") }], { durable: true });
    await put("a");
    rmSync(join(path, ".cutover-data", "staging"), { recursive: true });
    writeFileSync(join(path, ".cutover-data", "staging"), "in the way");
    await expect(put("b")).rejects.toMatchObject({ code: "CUTOVER_DATA_IO" });
    expect(await store.count({ collection: "" })).toBe(1);
    rmSync(join(path, ".cutover-data", "staging"));
    await put("b");
    expect(await store.count({ collection: "" })).toBe(2);
  });

  test("says why it cannot be opened, or a row not be kept", async () => {
    const path = folder();
    const refused = (where: string, options = {}): Promise<unknown> =>
      openFiles(where, options).then(
        () => "opened",
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await refused(join(path, "none"))).toBe("CUTOVER_DATA_MISSING");
    writeFileSync(join(path, "file"), "x");
    expect(await refused(join(path, "file"))).toBe("CUTOVER_DATA_FORMAT");
    expect(await refused(path, { collections: ["../up"] })).toBe("CUTOVER_DATA_COLLECTION");
    await using store = await openFiles(path);
    expect(await refused(path)).toBe("CUTOVER_DATA_LOCKED");
    const long = store.write([{ collection: "", key: Buffer.alloc(251, 0x61), value: Buffer.from("{}") }]);
    await expect(long).rejects.toThrow(/would have 256 bytes/);
  });
});
