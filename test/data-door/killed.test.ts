import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, test } from "vitest";
import {
  connectData,
  type DataStore,
  openLevelDb,
  openLmdb,
  openMemoryStore,
  type Reader,
  serveData,
  startMove,
} from "../../src/data/index.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "cutover-door-"));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
};

/** Starts a program of this folder and resolves when it says `word`. */
async function start(program: string, words: readonly string[], word: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  ends.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  for await (const line of createInterface({ input: child.stdout })) if (line === word) return child;
  throw new TypeError(`${program} ended before it said "${word}"`);
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function rowsOf(store: Reader): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection: "" }))
    for (const { key, value } of rows) found[Buffer.from(key).toString()] = Buffer.from(value).toString();
  return found;
}

test("an application that is killed and started again in the middle of a move loses nothing, and the move goes on", async () => {
  const dir = folder();
  let application = await start("application.ts", [dir, "writes"], "ready");
  const source = await connectData(`door:${dir}/app.sock#app`, { retryMs: 30_000 });
  const target = await openLmdb(join(dir, "new"), { create: true });
  ends.push(
    () => target[Symbol.asyncDispose](),
    () => source[Symbol.asyncDispose](),
  );
  let kills = 0;
  let written = 0;
  const slow = Object.assign(Object.create(source) as DataStore, {
    name: source.name,
    // Every few chunks the application dies while the move goes on.
    snapshotChunk: async (...given: Parameters<DataStore["snapshotChunk"]>) => {
      if (kills < 3 && ++written % 4 === 0) {
        kills++;
        await kill(application);
        const coming = start("application.ts", [dir, "writes"], "ready");
        const chunk = source.snapshotChunk(...given);
        application = await coming;
        return chunk;
      }
      return source.snapshotChunk(...given);
    },
  });
  for (const name of ["capture", "log", "head", "acknowledge", "collections", "release"] as const)
    Object.assign(slow, { [name]: (source[name] as (...all: unknown[]) => unknown).bind(source) });
  const move = startMove({ source: slow, target, job: "move", fence: 1, chunk: { rows: 500 } });
  await move.copied;
  await kill(application);
  application = await start("application.ts", [dir, "writes"], "ready");
  move.stopAt(await source.fence(1, { signal: AbortSignal.timeout(30_000) }));
  expect((await move.done).finished).toBe(true);
  expect(kills).toBe(3);
  const old = await rowsOf(source);
  expect(Number(old["done"])).toBeGreaterThan(20_000);
  expect(await rowsOf(target)).toEqual(old);
}, 120_000);

test("a move that waits for nobody ends with its application, and goes on from its checkpoint later", async () => {
  const dir = folder();
  const address = `door:${dir}/app.sock`;
  const first = await start("application.ts", [dir, "writes"], "ready");
  const target = await openLmdb(join(dir, "new"), { create: true });
  ends.push(() => target[Symbol.asyncDispose]());
  const options = { target, job: "move", chunk: { rows: 500 }, progressEveryMs: 20 };
  const impatient = await connectData(address, { retryMs: 0 });
  let copied = 0;
  const ended = startMove({
    ...options,
    source: impatient,
    fence: 1,
    onEvent: (event) => {
      if (event.type === "progress" && event.progress.rows > 2_000 && copied === 0) {
        copied = event.progress.rows;
        first.kill("SIGKILL");
      }
    },
  }).done;
  await expect(ended).rejects.toMatchObject({ code: "CUTOVER_DATA_UNAVAILABLE" });
  await impatient[Symbol.asyncDispose]();
  await start("application.ts", [dir, "writes"], "ready");
  await using source = await connectData(address);
  const again = startMove({ ...options, source, fence: 2 });
  await again.copied;
  again.stopAt(await source.fence(1, { signal: AbortSignal.timeout(30_000) }));
  expect((await again.done).progress.rows).toBeGreaterThan(copied);
  expect(await rowsOf(target)).toEqual(await rowsOf(source));
}, 120_000);

test("an application that dies between a write and its answer has it once, and the move to it goes on", async () => {
  const dir = folder();
  const point = "data.door.before-answer";
  const first = await start("application.ts", [dir, "rests", point, "6"], "ready");
  const source = await openLevelDb(join(dir, "old"), { create: true });
  const rows = Array.from({ length: 5_000 }, (_, index) => ({
    collection: "",
    key: Buffer.from(`k${index}`),
    value: Buffer.from(`v${index}`),
  }));
  await source.write(rows);
  const target = await connectData(`door:${dir}/app.sock`, { retryMs: 30_000 });
  ends.push(
    () => target[Symbol.asyncDispose](),
    () => source[Symbol.asyncDispose](),
  );
  const move = startMove({ source, target, job: "move", fence: 1, chunk: { rows: 500 } });
  await once(first, "exit");
  await start("application.ts", [dir, "rests"], "ready");
  await move.copied;
  await source.write([{ collection: "", key: Buffer.from("k1"), value: null }]);
  move.stopAt(await source.head());
  expect((await move.done).progress.rows).toBe(5_000);
  expect(await rowsOf(target)).toEqual(await rowsOf(source));
}, 120_000);

test("of a migration that is killed an application keeps nothing: no snapshot, no scan, no log, no connection", async () => {
  const dir = folder();
  const store = openMemoryStore();
  await store.write(
    Array.from({ length: 30_000 }, (_, index) => ({
      collection: "",
      key: Buffer.from(String(index)),
      value: Buffer.alloc(200),
    })),
  );
  let held = 0;
  const counted = async function* <T>(all: AsyncIterable<T>): AsyncGenerator<T> {
    held++;
    try {
      yield* all;
    } finally {
      held--;
    }
  };
  const served: DataStore = Object.assign(Object.create(null) as DataStore, {
    name: "memory",
    capture: store.capture.bind(store),
    snapshotChunk: store.snapshotChunk.bind(store),
    applyTxn: store.applyTxn.bind(store),
    scan: (...given: Parameters<DataStore["scan"]>) => counted(store.scan(...given)),
    log: (...given: Parameters<DataStore["log"]>) => counted(store.log(...given)),
    snapshot: async (): Promise<Reader> => {
      const reader = await store.snapshot();
      held++;
      return {
        name: reader.name,
        collections: () => reader.collections(),
        get: (...given) => reader.get(...given),
        count: (...given) => reader.count(...given),
        scan: (...given) => counted(reader.scan(...given)),
        [Symbol.asyncDispose]: () => {
          held--;
          return reader[Symbol.asyncDispose]();
        },
      };
    },
  });
  const door = await serveData(served, { socket: join(dir, "app.sock") });
  ends.push(() => door[Symbol.asyncDispose]());
  const migration = await start("migration.ts", [door.address], "holding");
  expect([held, door.connections]).toEqual([4, 1]);
  await kill(migration);
  const limit = performance.now() + 10_000;
  while ((held > 0 || door.connections > 0) && performance.now() < limit)
    await new Promise((resolve) => setImmediate(resolve));
  expect([held, door.connections]).toEqual([0, 0]);
}, 60_000);

test("the socket that a killed application left is replaced by the next one", async () => {
  const dir = folder();
  await kill(await start("application.ts", [dir, "rests"], "ready"));
  expect(statSync(join(dir, "app.sock")).isSocket()).toBe(true);
  await expect(connectData(`door:${dir}/app.sock`)).rejects.toMatchObject({
    code: "CUTOVER_DATA_UNAVAILABLE",
    message: expect.stringContaining("nobody who listens") as string,
  });
  const door = await serveData(openMemoryStore(), { socket: join(dir, "app.sock") });
  ends.push(() => door[Symbol.asyncDispose]());
  await using store = await connectData(door.address);
  expect(await store.count({ collection: "" })).toBe(0);
}, 60_000);
