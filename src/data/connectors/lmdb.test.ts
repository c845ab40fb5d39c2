import { open as openPlain } from "lmdb";
import { execFile, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { connectorContract, type ConnectorSubject } from "../../testing/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import { captureWriter } from "../capture-writer.ts";
import { openLmdb } from "./lmdb.ts";

const folders: string[] = [];
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "cutover-lmdb-"));
  folders.push(path);
  return path;
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

async function subject(
  path = join(folder(), "db"),
  collection = "",
): Promise<ConnectorSubject<CapturedStore>> {
  const store = await openLmdb(path, { create: true, collections: [collection] });
  return {
    store,
    collection,
    noEmptyKey: "LMDB has none",
    longestKey: 1_978,
    write: (changes, epoch) => store.write(changes, { epoch }),
    reopen: () => subject(path, collection),
  };
}

connectorContract("LMDB", () => subject(), { describe, expect, test });
connectorContract("LMDB, a named database", () => subject(undefined, "orders"), { describe, expect, test });

const binary = { encoding: "binary", keyEncoding: "binary" } as const;

describe("an LMDB", () => {
  test("named databases are collections, those with several values a key say why they cannot be moved", async () => {
    const path = join(folder(), "db");
    const plain = openPlain({ path, ...binary });
    await plain.put(Buffer.from("root"), Buffer.from("row"));
    await plain.put(Buffer.from("looks\0"), Buffer.alloc(48, 1));
    await plain.openDB({ name: "orders", ...binary }).put(Buffer.from("a"), Buffer.from("1"));
    plain.openDB({ name: "empty", ...binary });
    await plain.openDB({ name: "tags", dupSort: true, ...binary }).put(Buffer.from("a"), Buffer.from("1"));
    await plain.close();
    await using store = await openLmdb(path);
    const found = await store.collections();
    expect(found.map(({ name, problem }) => [name, problem])).toEqual([
      ["", undefined],
      ["empty", undefined],
      ["orders", undefined],
      ["tags", "keys may have several values (dupSort)"],
    ]);
    expect(await store.count({ collection: "" })).toBe(2);
    expect(await store.count({ collection: "orders" })).toBe(1);
    expect(await store.get("", [Buffer.from("orders\0")])).toEqual([undefined]);
    await expect(store.count({ collection: "tags" })).rejects.toMatchObject({
      code: "CUTOVER_DATA_COLLECTION",
    });
  });

  test("rows it cannot hold are refused with key and reason, and nothing of the transaction is kept", async () => {
    await using store = await openLmdb(join(folder(), "db"), { create: true });
    const write = (key: Buffer): Promise<void> =>
      store.write([
        { collection: "", key: Buffer.from("beside"), value: Buffer.from("1") },
        { collection: "", key, value: Buffer.from("1") },
      ]);
    await expect(write(Buffer.alloc(0))).rejects.toThrow(/no empty keys/);
    await expect(write(Buffer.alloc(1_979, 0x61))).rejects.toThrow(/at most 1978 bytes/);
    expect(await store.count({ collection: "" })).toBe(0);
    expect(
      await store.count({ collection: "", after: Buffer.alloc(5_000, 1), upTo: Buffer.alloc(5_000, 2) }),
    ).toBe(0);
    expect(await store.get("", [Buffer.alloc(0), Buffer.alloc(3_000)])).toEqual([undefined, undefined]);
  });

  test("a writer in another process is captured, fenced and followed", async () => {
    const path = join(folder(), "db");
    await using store = await openLmdb(path, { create: true });
    const from = await store.capture("s");
    const script = join(folder(), "writer.mjs");
    writeFileSync(
      script,
      `import { captureWriter, openLmdb } from ${JSON.stringify(join(import.meta.dirname, "../index.ts"))};
       const writer = captureWriter(await openLmdb(process.argv[2]), { epoch: 1 });
       let written = 0;
       try { for (;;) { await writer.put(Buffer.from("k" + written), Buffer.from("v")); if (++written === 20) process.send("20"); } }
       catch (error) { process.send({ code: error.code, written }); process.disconnect(); }`,
    );
    const child = fork(script, [path], { execArgv: ["--conditions=cutover-source"] });
    try {
      await once(child, "message", { signal: AbortSignal.timeout(20_000) });
      const ended = once(child, "message", { signal: AbortSignal.timeout(20_000) });
      const head = await store.fence(2, { signal: AbortSignal.timeout(20_000) });
      const [{ code, written }] = (await ended) as [{ code: string; written: number }];
      expect(code).toBe("CUTOVER_DATA_FENCED");
      expect(await store.head()).toBe(head);
      let told = 0;
      for await (const batch of store.log("s", from, { signal: AbortSignal.timeout(20_000) })) {
        told += batch.transactions.length;
        if (batch.head >= head) break;
      }
      expect(told).toBe(written);
      expect(await store.count({ collection: "" })).toBe(written);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("a move whose place was taken writes none of many rows, and those who write at the same time are not held up", async () => {
    await using store = await openLmdb(join(folder(), "db"), { create: true });
    const rows = (mark: string): { collection: string; key: Buffer; value: Buffer }[] =>
      Array.from({ length: 500 }, (_, at) => ({
        collection: "",
        key: Buffer.from(`${mark}${at}`),
        value: Buffer.from(mark),
      }));
    const apply = (job: string, fence: number, mark: string): Promise<string> =>
      store
        .applyTxn({ job, fence, origin: job, changes: [], rows: rows(mark), checkpoint: Buffer.from(mark) })
        .then(
          () => "written",
          (error: unknown) => (error as { code: string }).code,
        );
    expect(await apply("job", 2, "a")).toBe("written");
    const outcomes = [
      apply("job", 1, "b"),
      apply("other", 1, "c"),
      apply("job", 1, "d"),
      apply("job", 3, "e"),
    ];
    expect(await Promise.all(outcomes)).toEqual([
      "CUTOVER_LEASE_LOST",
      "written",
      "CUTOVER_LEASE_LOST",
      "written",
    ]);
    const found = [
      ...(await store.get(
        "",
        ["a", "b", "c", "d", "e"].map((mark) => Buffer.from(`${mark}499`)),
      )),
    ];
    expect(found.map((value) => value?.toString())).toEqual(["a", undefined, "c", undefined, "e"]);
    expect(await store.count({ collection: "" })).toBe(1_500);
    expect(Buffer.from((await store.checkpoint("job")) ?? []).toString()).toBe("e");
  });

  test("another process never sees a checkpoint without its rows, whatever is written in between", async () => {
    const path = join(folder(), "db");
    await using store = await openLmdb(path, { create: true });
    const script = join(folder(), "watcher.mjs");
    writeFileSync(
      script,
      `import { open } from ${JSON.stringify(import.meta.resolve("lmdb"))};
       const root = open({ path: process.argv[2], encoding: "binary", keyEncoding: "binary", maxDbs: 12 });
       const records = root.openDB({ name: "cutover.records", encoding: "binary", keyEncoding: "binary" });
       let [looks, torn, last] = [0, 0, 0];
       process.on("message", () => { process.send({ looks, torn, last }); process.disconnect(); });
       const look = () => {
         if (!process.connected) return;
         const transaction = root.useReadTransaction();
         const told = records.get(Buffer.from("cjob"), { transaction });
         const there = root.getKeysCount({ start: Buffer.from("row"), end: Buffer.from("rox"), transaction });
         transaction.done();
         last = told === undefined ? 0 : Number(told.toString());
         looks++;
         if (last !== there) torn++;
         setImmediate(look);
       };
       look();
       process.send("looking");`,
    );
    const child = fork(script, [path]);
    try {
      await once(child, "message", { signal: AbortSignal.timeout(20_000) });
      const writer = captureWriter(store);
      const small: Promise<void>[] = [];
      for (let round = 0; round < 60; round++) {
        const rows = Array.from({ length: 100 }, (_, at) => ({
          collection: "",
          key: Buffer.from(`row${String(round * 100 + at).padStart(6, "0")}`),
          value: Buffer.alloc(200, round),
        }));
        small.push(writer.put(Buffer.from(`beside${round}`), Buffer.from("1")));
        // Now in the same turn as the write beside it, now in the next one, while that waits.
        if (round % 2 === 1) await new Promise((resolve) => setImmediate(resolve));
        const checkpoint = Buffer.from(String((round + 1) * 100));
        const durable = round % 3 === 0;
        await store.applyTxn({ job: "job", fence: 1, origin: "job", changes: [], rows, checkpoint, durable });
      }
      await Promise.all(small);
      const told = once(child, "message", { signal: AbortSignal.timeout(20_000) });
      child.send("end");
      const [{ looks, torn }] = (await told) as [{ looks: number; torn: number }];
      expect(looks).toBeGreaterThan(2);
      expect(torn).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("a disk that takes only a part of a write is told, keeps nothing of it, and lets the store be closed", async () => {
    const path = join(folder(), "db");
    const text = `
      import { openLmdb } from "${join(import.meta.dirname, "../index.ts")}";
      const store = await openLmdb(process.argv[1], { create: true });
      const rows = (count, size) => Array.from({ length: count }, (_, at) => ({ collection: "", key: Buffer.from("k" + at), value: Buffer.alloc(size) }));
      for (const [count, size] of [[1, 3_000_000], [3_000, 1_000]])
        await store.applyTxn({ job: "j", fence: 1, origin: "o", changes: [], rows: rows(count, size), durable: false }).catch(({ code }) => console.log(code));
      console.log(await store.count({ collection: "" }));
      await store[Symbol.asyncDispose]();
      console.log("closed");`;
    // A file may not become larger than some 500 kB here, and the signal that says so does not end the process.
    const limited = `trap '' XFSZ; ulimit -f 1000; exec "$0" --input-type=module -e "$1" "$2"`;
    const { stdout } = await promisify(execFile)("sh", ["-c", limited, process.execPath, text, path], {
      timeout: 20_000,
    });
    expect(stdout).toBe("CUTOVER_DATA_IO\nCUTOVER_DATA_IO\n0\nclosed\n");
  }, 30_000);

  test("a map that may not grow further is told as full, and what was there stays", async () => {
    const path = join(folder(), "db");
    const store = await openLmdb(path, { create: true, mapSize: 1_048_576 });
    const writer = captureWriter(store);
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 200; i++) await writer.put(Buffer.from(`k${i}`), Buffer.alloc(20_000));
    };
    const outcome = await fill().then(
      () => "it grew",
      (error: unknown) => (error as { code: string }).code,
    );
    // The package enlarges the map by itself where the system lets it.
    expect(["it grew", "CUTOVER_DATA_FULL"]).toContain(outcome);
    expect(await writer.has(Buffer.from("k0"))).toBe(true);
    await store[Symbol.asyncDispose]();
  });

  test("says why it cannot be opened, and does not end the process over a file that is none", async () => {
    const root = folder();
    const refused = (path: string, create = false): Promise<unknown> =>
      openLmdb(path, { create }).then(
        () => "opened",
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await refused(join(root, "nothing"))).toBe("CUTOVER_DATA_MISSING");
    mkdirSync(join(root, "empty"));
    expect(await refused(join(root, "empty"))).toBe("CUTOVER_DATA_FORMAT");
    writeFileSync(join(root, "file"), Buffer.alloc(9_000, 7));
    expect(await refused(join(root, "file"))).toBe("CUTOVER_DATA_FORMAT");
    mkdirSync(join(root, "damaged"));
    writeFileSync(join(root, "damaged", "data.mdb"), "short");
    expect(await refused(join(root, "damaged"), true)).toBe("CUTOVER_DATA_FORMAT");
    await expect(openLmdb(root, { wrong: 1 } as object)).rejects.toThrow(/"wrong"/);
  });

  test("after it was closed every call says so", async () => {
    const store = await openLmdb(join(folder(), "db"), { create: true });
    await store[Symbol.asyncDispose]();
    for (const call of [store.head(), store.count({ collection: "" }), store.collections(), store.lift(1)])
      await expect(call).rejects.toMatchObject({ code: "CUTOVER_DATA_CLOSED" });
  });
});
