import { ClassicLevel } from "classic-level";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isCutoverError } from "../../core/index.ts";
import type { Row } from "../connector.ts";
import { hugeFrom } from "../huge-rows.ts";
import { moveData, startMove } from "../move/move-data.ts";
import { rowsOfBlock } from "../row-block.ts";
import { type LevelStore, openLevelDb } from "./leveldb.ts";
import { openLmdb } from "./lmdb.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-thread-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** More than are read without a thread. */
const many = 21_000;
const keyOf = (at: number): Buffer => Buffer.from(`key ${String(at).padStart(6, "0")}`);
const valueOf = (at: number): Buffer => Buffer.from(`value ${at} `.repeat(1 + (at % 20)));

async function fill(store: LevelStore, collection = "", rows = many): Promise<void> {
  for (let from = 0; from < rows; from += 3_000)
    await store.write(
      Array.from({ length: 3_000 }, (_, at) => ({
        collection,
        key: keyOf(from + at),
        value: valueOf(from + at),
      })),
    );
}

/** Reads everything once, after which a thread reads. */
async function readOnce(store: LevelStore, collection = ""): Promise<void> {
  for await (const _ of store.scan({ collection }));
}

async function all(rows: AsyncIterable<readonly Row[]>): Promise<readonly Row[]> {
  const found: Row[] = [];
  for await (const part of rows) found.push(...part);
  return found;
}

/** One text of all rows: comparing tens of thousands of buffers by themselves takes seconds. */
const told = (rows: readonly Row[]): string =>
  createHash("sha256")
    .update(
      rows
        .map(({ key, value }) => `${Buffer.from(key).toString("hex")}=${Buffer.from(value).toString("hex")}`)
        .join(),
    )
    .digest("hex");

async function refused(open: Promise<AsyncDisposable>): Promise<string> {
  try {
    await (await open)[Symbol.asyncDispose]();
    return "nothing thrown";
  } catch (error) {
    return isCutoverError(error) ? error.code : String(error);
  }
}

describe("a LevelDB that is read in a thread", () => {
  test("gives every row of a collection and of a part of it, by rows, by blocks and by chunks", async () => {
    await using store = await openLevelDb(join(dir, "ways"), { create: true, collections: ["", "süb"] });
    for (const collection of ["", "süb"]) {
      await fill(store, collection);
      await readOnce(store, collection);
      const range = { collection, after: keyOf(99), upTo: keyOf(many - 100) };
      const rows = await all(store.scan(range));
      expect(rows.length).toBe(many - 199);
      expect(
        rows.every(({ key, value }, at) => keyOf(at + 100).equals(key) && valueOf(at + 100).equals(value)),
      ).toBe(true);
      const blocks: Row[] = [];
      for await (const block of store.blocks(range)) blocks.push(...rowsOfBlock(block));
      expect(told(blocks)).toBe(told(rows));
      for (const packed of [false, true]) {
        const chunks: Row[] = [];
        for (let end = false, after: Uint8Array = range.after; !end;) {
          const chunk = await store.snapshotChunk(
            { ...range, after },
            { rows: 7_001, bytes: 300_000, packed },
          );
          const found = chunk.packed?.rows() ?? chunk.rows;
          expect(chunk.rows.length > 0 && chunk.packed !== undefined).toBe(false);
          chunks.push(...found);
          after = found.at(-1)?.key ?? after;
          ({ end } = chunk);
        }
        expect(told(chunks)).toBe(told(rows));
      }
    }
  });

  test("tells with each chunk which transactions it has seen, while it is written to", async () => {
    await using store = await openLevelDb(join(dir, "fence"), { create: true });
    await fill(store);
    await readOnce(store);
    await store.capture("slot");
    for (let at = 0; at < 50; at++) {
      const value = Buffer.from(`written ${at}`);
      await store.write([{ collection: "", key: keyOf(7), value }]);
      const head = Number(await store.head());
      const later = store.write([{ collection: "", key: keyOf(8), value }]);
      const { rows, fence } = await store.snapshotChunk(
        { collection: "", after: keyOf(6), upTo: keyOf(8) },
        { rows: 10, bytes: 1_000 },
      );
      await later;
      expect(Buffer.from(rows[0]?.value ?? []).toString()).toBe(`written ${at}`);
      const seen = Buffer.from(rows[1]?.value ?? []).equals(value);
      expect(fence).toEqual({ kind: "sequence", upTo: String(head + (seen ? 1 : 0)) });
    }
  });

  test("shows a scan as it stood when it began, whatever is written meanwhile", async () => {
    await using store = await openLevelDb(join(dir, "moment"), { create: true });
    await fill(store);
    await readOnce(store);
    const found: Row[] = [];
    for await (const part of store.scan({ collection: "" })) {
      if (found.length === 0) {
        await store.write([
          { collection: "", key: keyOf(many - 1), value: null },
          { collection: "", key: keyOf(many + 1), value: Buffer.from("late") },
        ]);
      }
      found.push(...part);
    }
    expect(found.length).toBe(many);
    const late = await all(store.scan({ collection: "", after: keyOf(many - 2) }));
    expect(late.map(({ value }) => value.toString())).toEqual(["late"]);
  });

  test("gives keys that are no text as they are, wherever the first of them comes", async () => {
    await using store = await openLevelDb(join(dir, "binary"), { create: true });
    await fill(store);
    await readOnce(store);
    const strange = [12_345, 12_346, 20_999].map((at) =>
      Buffer.concat([keyOf(at), Buffer.from([0xff, 0xfe])]),
    );
    await store.write(strange.map((key) => ({ collection: "", key, value: Buffer.from("strange") })));
    const expected = [...Array.from({ length: many }, (_, at) => keyOf(at)), ...strange].toSorted((a, b) =>
      Buffer.compare(a, b),
    );
    for (let time = 0; time < 2; time++) {
      const found = await all(store.scan({ collection: "" }));
      expect(found.length).toBe(expected.length);
      expect(found.every(({ key }, at) => expected[at]?.equals(key))).toBe(true);
    }
  });

  test("reads a store of a few rows, when it is asked to", async () => {
    const path = join(dir, "few");
    for (const wrong of [{ rows: -1 }, { bytes: Number.NaN }, { megabytes: 1 }])
      expect(await refused(openLevelDb(path, { create: true, threadFrom: wrong as object }))).toBe(
        "CUTOVER_DATA_OPTIONS",
      );
    await using store = await openLevelDb(path, { create: true, threadFrom: { rows: 0 } });
    await fill(store, "", 3_000);
    const threads = (): number => readdirSync("/proc/self/task").length;
    const before = process.platform === "linux" ? threads() : -1;
    const { rows } = await store.snapshotChunk({ collection: "" }, { rows: 5, bytes: 1_000 });
    expect(rows.map(({ key }) => key.toString())).toEqual([0, 1, 2, 3, 4].map((at) => keyOf(at).toString()));
    if (before > 0) expect(threads()).toBeGreaterThan(before);
  });

  test.each(["", "süb"])(
    "gives huge rows among small ones, of collection '%s', each once",
    async (collection) => {
      await using store = await openLevelDb(join(dir, `huge ${collection}`), {
        create: true,
        collections: ["", "süb"],
        threadFrom: { rows: 0 },
      });
      const huge = new Set([1, 4, 5, 25, 26, 40]);
      const rows = Array.from({ length: 41 }, (_, at) => ({
        // Some of the keys are no text.
        key: Buffer.concat([keyOf(at), Buffer.from(at > 24 && at % 5 === 0 ? [0xff] : [])]),
        value: huge.has(at) ? Buffer.alloc(hugeFrom + at, at) : valueOf(at),
      }));
      // Partly on disk, partly in memory still.
      for (const part of [rows.slice(0, 26), rows.slice(26)]) {
        await store.write(part.map((row) => ({ collection, ...row })));
        if (part.length > 20) await (store.db as unknown as ClassicLevel).compactRange("\0", "\uffff");
      }
      expect(told(await all(store.scan({ collection })))).toBe(told(rows));
      const chunks: Row[] = [];
      for (let end = false; !end;) {
        const after = chunks.at(-1)?.key;
        const range = { collection, ...(after === undefined ? {} : { after }) };
        const chunk = await store.snapshotChunk(range, { rows: 7, bytes: hugeFrom, packed: true });
        chunks.push(...(chunk.packed?.rows() ?? []));
        ({ end } = chunk);
      }
      expect(told(chunks)).toBe(told(rows));
      const [from, to] = [rows[3], rows[25]];
      const part = await all(store.scan({ collection, after: from?.key as Buffer, upTo: to?.key as Buffer }));
      expect(told(part)).toBe(told(rows.slice(4, 26)));
    },
  );

  test("can be closed, by us or by the application, while it is read, and opened again", async () => {
    const path = join(dir, "closed");
    const store = await openLevelDb(path, { create: true });
    await fill(store);
    await readOnce(store);
    const reading = store.scan({ collection: "" })[Symbol.asyncIterator]();
    await reading.next();
    const chunk = store.snapshotChunk({ collection: "" }, { rows: 20_000, bytes: 1_000_000 });
    chunk.catch(() => undefined);
    await store[Symbol.asyncDispose]();
    const outcome = await chunk.then(
      ({ rows }) => rows.length > 0,
      (error: unknown) => isCutoverError(error),
    );
    expect(outcome).toBe(true);
    await reading.return?.(undefined);

    const again = await openLevelDb(path);
    await readOnce(again);
    await again.db.close();
    expect(await refused(Promise.resolve().then(() => again.head().then(() => again)))).toBe(
      "CUTOVER_DATA_CLOSED",
    );
    await again[Symbol.asyncDispose]();
    const plain = new ClassicLevel<string, string>(path);
    await plain.open();
    expect(await plain.get(keyOf(3).toString())).toBe(valueOf(3).toString());
    await plain.close();
  });

  test("is open once: by another spelling of its path, or for several threads, it is refused", async () => {
    const path = join(dir, "once");
    const store = await openLevelDb(path, { create: true });
    for (const other of [path, `${dir}/./once`])
      expect(await refused(openLevelDb(other))).toBe("CUTOVER_DATA_LOCKED");
    await store[Symbol.asyncDispose]();
    const shared = new ClassicLevel(path);
    await shared.open({ multithreading: true });
    expect(await refused(openLevelDb(path))).toBe("CUTOVER_DATA_LOCKED");
    await shared.close();
    expect(await refused(openLevelDb(path))).toBe("nothing thrown");
  });

  test("moves to another store while the application writes, and both hold the same in the end", async () => {
    await using source = await openLevelDb(join(dir, "old"), { create: true });
    await using target = await openLmdb(join(dir, "new"), { create: true });
    await fill(source);
    let going = true;
    const writing = (async () => {
      for (let at = 0; going; at = (at + 7_919) % many) {
        const value = at % 3 === 0 ? null : Buffer.from(`changed ${at}`);
        await source.db.batch([
          value === null
            ? { type: "del", key: keyOf(at).toString() }
            : { type: "put", key: keyOf(at).toString(), value: value.toString() },
        ]);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await moveData({ source, target, job: "move", fence: 1 });
    going = false;
    await writing;
    const { finished } = await moveData({ source, target, job: "move", fence: 2 });
    expect(finished).toBe(true);
    const move = startMove({ source, target, job: "move", fence: 3 });
    move.stopAt(await source.head());
    await move.done;
    expect(told(await all(target.scan({ collection: "" })))).toBe(
      told(await all(source.scan({ collection: "" }))),
    );
  });

  test("does not keep a process alive that has nothing else to do", async () => {
    const script = `
      import * as data from ${JSON.stringify(join(import.meta.dirname, "../index.ts"))};
      const store = await data.openLevelDb(process.argv[1], { create: true });
      const value = Buffer.alloc(100);
      await store.write(Array.from({ length: ${many} }, (_, at) => ({ collection: "", key: Buffer.from(String(at)), value })));
      for (let time = 0; time < 2; time++) {
        let rows = 0;
        for await (const part of store.scan({ collection: "" })) rows += part.length;
        console.log(rows);
      }
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "-e", script, join(dir, "alone")],
      { env: { ...process.env, NODE_OPTIONS: "" }, timeout: 60_000 },
    );
    expect(stdout).toBe(`${many}\n${many}\n`);
  });
});
