import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { CutoverError, type ErrorCode, systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import type { DataStore, Reader, Row, TargetWrite } from "../connector.ts";
import { type MemoryContents, openMemoryStore } from "../connectors/memory.ts";
import { openDataStore } from "../open-data-store.ts";
import { connectData, type ConnectDataOptions } from "./connect-data.ts";
import { decodeError, encodeHello, operations } from "./calls.ts";
import { FrameReader, framesOf } from "./frames.ts";
import { type DataDoor, type DataDoorOptions, serveData } from "./serve-data.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function place(): string {
  const dir = mkdtempSync(join(tmpdir(), "cutover-door-"));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "app.sock");
}

async function serve(
  stores: DataStore | Readonly<Record<string, DataStore>>,
  options: Partial<DataDoorOptions> = {},
): Promise<DataDoor> {
  const door = await serveData(stores, { socket: place(), ...options });
  ends.push(() => door[Symbol.asyncDispose]());
  return door;
}

async function open(address: string, options: ConnectDataOptions = {}): Promise<DataStore> {
  const store = await connectData(address, options);
  ends.push(() => store[Symbol.asyncDispose]());
  return store;
}

const key = (index: number): Buffer => Buffer.from(String(index).padStart(6, "0"));

async function filled(rows: number, size = 100, contents?: MemoryContents): Promise<CapturedStore> {
  const store = openMemoryStore(contents === undefined ? {} : { contents });
  const all = Array.from({ length: rows }, (_, index) => ({
    collection: "",
    key: key(index),
    value: Buffer.alloc(size, index),
  }));
  await store.write(all);
  return store;
}

async function code(work: Promise<unknown>): Promise<ErrorCode | undefined> {
  const [outcome] = await Promise.allSettled([work]);
  if (outcome?.status !== "rejected") return undefined;
  expect(outcome.reason).toBeInstanceOf(CutoverError);
  return (outcome.reason as CutoverError).code;
}

/** Resolves when it holds; the test's own limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const socketOf = (door: DataDoor): string => door.address.slice("door:".length);

describe("the place of a door", () => {
  test("only the same user can reach the socket, and it is gone when the door is closed", async () => {
    const door = await serve(openMemoryStore());
    expect(statSync(socketOf(door)).mode & 0o777).toBe(0o600);
    expect(statSync(socketOf(door)).isSocket()).toBe(true);
    await door[Symbol.asyncDispose]();
    expect(statSync(socketOf(door), { throwIfNoEntry: false })).toBe(undefined);
    expect(await code(connectData(door.address))).toBe("CUTOVER_DATA_UNAVAILABLE");
  });

  test("a living server is not pushed aside", async () => {
    const door = await serve(await filled(3));
    expect(await code(serveData(openMemoryStore(), { socket: socketOf(door) }))).toBe("CUTOVER_DATA_LOCKED");
    expect(await (await open(door.address)).count({ collection: "" })).toBe(3);
  });

  test("what lies at the path and is no socket is not touched", async () => {
    const socket = place();
    writeFileSync(socket, "notes");
    expect(await code(serveData(openMemoryStore(), { socket }))).toBe("CUTOVER_DATA_ADDRESS");
    expect(statSync(socket).size).toBe(5);
  });

  test("a path the system would cut, an unknown option, no store: refused before anything is made", async () => {
    const store = openMemoryStore();
    const socket = place();
    const refused: [Promise<unknown>, ErrorCode][] = [
      [serveData(store, { socket: `/tmp/${"x".repeat(120)}` }), "CUTOVER_DATA_ADDRESS"],
      [serveData(store, { socket: "" }), "CUTOVER_DATA_ADDRESS"],
      [serveData(store, { socket: `${socket}#a` }), "CUTOVER_DATA_OPTIONS"],
      [serveData(store, { socket, sockets: 1 } as DataDoorOptions), "CUTOVER_DATA_OPTIONS"],
      [serveData(store, { socket, connections: 0 }), "CUTOVER_DATA_OPTIONS"],
      [serveData(store, { socket, chunk: { rows: 1.5 } }), "CUTOVER_DATA_OPTIONS"],
      [serveData({}, { socket }), "CUTOVER_DATA_OPTIONS"],
      [serveData({ a: {} as DataStore }, { socket }), "CUTOVER_DATA_OPTIONS"],
      [connectData(`door:${socket}`, { retry: 5 } as ConnectDataOptions), "CUTOVER_DATA_OPTIONS"],
      [connectData(`door:${socket}#`), "CUTOVER_DATA_ADDRESS"],
      [connectData("leveldb:x"), "CUTOVER_DATA_ADDRESS"],
      [openDataStore("door:"), "CUTOVER_DATA_ADDRESS"],
    ];
    for (const [work, expected] of refused) expect(await code(work)).toBe(expected);
    expect(statSync(socket, { throwIfNoEntry: false })).toBe(undefined);
  });

  test("several stores are told apart by their names, and a name that is wrong is told with the right ones", async () => {
    const door = await serve({ old: await filled(2), new: await filled(5) });
    expect(await (await open(`${door.address}#old`)).count({ collection: "" })).toBe(2);
    expect(await (await openDataStore(`${door.address}#new`)).count({ collection: "" })).toBe(5);
    expect(await code(connectData(door.address))).toBe("CUTOVER_DATA_ADDRESS");
    await expect(connectData(`${door.address}#odl`)).rejects.toMatchObject({
      code: "CUTOVER_DATA_ADDRESS",
      remedy: 'did you mean "old"?',
    });
    expect(await code(connectData(`${door.address}#old`, { collections: ["users"] }))).toBe(
      "CUTOVER_DATA_COLLECTION",
    );
  });

  test("somebody else's server and a socket without rights are told apart from one that is not there", async () => {
    const socket = place();
    const other = createServer((one) => one.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(socket);
    await once(other, "listening");
    ends.push(() => void other.close());
    expect(await code(connectData(`door:${socket}`))).toBe("CUTOVER_DATA_FORMAT");
    if (process.getuid?.() === 0) return;
    chmodSync(socket, 0);
    expect(await code(connectData(`door:${socket}`))).toBe("CUTOVER_DATA_DENIED");
  });
});

describe("what a server refuses", () => {
  /** What a raw connection hears until it is ended: the code of the error. */
  async function refusal(door: DataDoor, say: (socket: Socket) => void): Promise<ErrorCode | undefined> {
    const socket = connect(socketOf(door));
    ends.push(() => void socket.destroy());
    const frames = new FrameReader("test", 1 << 20);
    let heard: ErrorCode | undefined;
    socket.on("data", (chunk: Buffer) => {
      for (const { type, payload } of frames.read(chunk))
        if (type === "error") heard = decodeError(payload, "test").code;
    });
    socket.on("error", () => {});
    await once(socket, "connect");
    say(socket);
    await once(socket, "close");
    return heard;
  }

  test("garbage, another greeting, a frame without end: an error with a code, and the door stays open", async () => {
    const door = await serve(await filled(1));
    const greeting = (text: string): Buffer => Buffer.concat([...framesOf("hello", 0, Buffer.from(text))]);
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      greeting("\u0000\u0000\u0000\u0005hello"),
      Buffer.concat([...framesOf("call", 1, Buffer.from([1]))]),
      Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xff]), Buffer.alloc(100)]),
      Buffer.alloc(64),
    ])
      expect(await refusal(door, (socket) => socket.write(bytes))).toBe("CUTOVER_DATA_FORMAT");
    await until(() => door.connections === 0);
    expect(await (await open(door.address)).count({ collection: "" })).toBe(1);
  });

  test("a connection that never greets is ended after five seconds", async () => {
    const clock = new ManualClock();
    const door = await serve(openMemoryStore(), { clock });
    const heard = refusal(door, (socket) => socket.write(Buffer.from([0, 0])));
    await until(() => clock.pending > 0);
    await clock.advance(5_000);
    expect(await heard).toBe("CUTOVER_DATA_FORMAT");
    expect(clock.pending).toBe(0);
  });

  test("one connection more than it takes, while the others go on", async () => {
    const door = await serve(openMemoryStore(), { connections: 2 });
    const first = await open(door.address);
    await open(door.address);
    expect(await code(connectData(door.address))).toBe("CUTOVER_DATA_UNAVAILABLE");
    expect(await first.head()).toBe("0000000000000000");
  });

  test("a write larger than it takes is refused before it is sent", async () => {
    const door = await serve(openMemoryStore(), { largestCall: 65_536 });
    const store = await open(door.address);
    const row = { collection: "", key: key(1), value: Buffer.alloc(65_536) };
    const write = { job: "j", fence: 1, origin: "o", changes: [], rows: [row] };
    expect(await code(store.applyTxn(write))).toBe("CUTOVER_DATA_REFUSED");
    expect(await store.count({ collection: "" })).toBe(0);
  });

  test("an error of the store comes with code, message, place and details", async () => {
    const door = await serve({ app: openMemoryStore({ name: "memory:app" }) });
    const store = await open(`${door.address}#app`);
    await expect(store.count({ collection: "users" })).rejects.toMatchObject({
      code: "CUTOVER_DATA_COLLECTION",
      message: 'expected a collection of memory:app, found "users", which it does not have',
      place: "memory:app",
      details: { collection: "users" },
    });
    const write = { job: "j", origin: "o", changes: [], rows: [] };
    await store.applyTxn({ ...write, fence: 3 });
    await expect(store.applyTxn({ ...write, fence: 2 })).rejects.toMatchObject({
      code: "CUTOVER_LEASE_LOST",
      details: { job: "j", fence: 2, seen: 3 },
    });
  });

  test("a store that throws what is no error of Cutover is told as one that cannot be read", async () => {
    const broken: DataStore = {
      ...watched(openMemoryStore()),
      head: () => Promise.reject(new TypeError("no disk")),
    };
    const door = await serve(broken);
    await expect((await open(door.address)).head()).rejects.toMatchObject({
      code: "CUTOVER_DATA_IO",
      message: expect.stringContaining("no disk") as string,
    });
  });
});

/** A store that tells what is read of it and what is held open. */
function watched(store: CapturedStore): DataStore & { readonly seen: { given: number; open: number } } {
  const seen = { given: 0, open: 0 };
  const scan = async function* (
    range: Parameters<DataStore["scan"]>[0],
    options?: Parameters<DataStore["scan"]>[1],
  ): AsyncGenerator<readonly Row[]> {
    seen.open++;
    try {
      for await (const rows of store.scan(range, options)) {
        seen.given += rows.length;
        yield rows;
      }
    } finally {
      seen.open--;
    }
  };
  const log = async function* (...given: Parameters<DataStore["log"]>): ReturnType<CapturedStore["log"]> {
    seen.open++;
    try {
      for await (const batch of store.log(...given)) {
        seen.given += batch.transactions.length;
        yield batch;
      }
    } finally {
      seen.open--;
    }
  };
  const snapshot = async (): Promise<Reader> => {
    const reader = await store.snapshot();
    seen.open++;
    return Object.assign(Object.create(reader) as Reader, {
      scan: reader.scan.bind(reader),
      count: reader.count.bind(reader),
      [Symbol.asyncDispose]: async () => {
        seen.open--;
        await reader[Symbol.asyncDispose]();
      },
    });
  };
  const bound = Object.fromEntries(
    ["collections", "get", "count", "capture", "snapshotChunk", "acknowledge", "release", "head"]
      .concat(["fence", "lift", "applyTxn", "checkpoint", "forget"])
      .map((name) => [name, (store[name as keyof CapturedStore] as () => unknown).bind(store)]),
  ) as unknown as DataStore;
  return Object.assign(bound, { name: store.name, seen, scan, log, snapshot });
}

describe("what a server holds", () => {
  test("a slow reader makes it read no more than a window ahead", async () => {
    const store = watched(await filled(100_000, 200));
    const door = await serve(store);
    const client = await open(door.address);
    const scan = client.scan({ collection: "" })[Symbol.asyncIterator]();
    await scan.next();
    // Whatever it would still read, it reads while other calls are answered many times over.
    for (let turn = 0; turn < 50; turn++) await client.head();
    expect(store.seen.given).toBeLessThan(12_000);
    await scan.return?.();
    await until(() => store.seen.open === 0);
    expect(store.seen.given).toBeLessThan(12_000);
  });

  test("a slow follower of a log makes it read no more than a window ahead, and gets all of it", async () => {
    const plain = openMemoryStore();
    const store = watched(plain);
    const client = await open((await serve(store)).address);
    const from = await client.capture("s");
    for (let index = 0; index < 200; index++)
      await plain.write([{ collection: "", key: key(index), value: Buffer.alloc(262_144, index) }]);
    const stop = new AbortController();
    const log = client.log("s", from, { signal: stop.signal })[Symbol.asyncIterator]();
    const next = async (): Promise<number> => {
      const { value } = (await log.next()) as { value: { transactions: readonly unknown[] } };
      return value.transactions.length;
    };
    let found = await next();
    for (let turn = 0; turn < 50; turn++) await client.head();
    expect(store.seen.given).toBeLessThan(70);
    while (found < 200) found += await next();
    expect(found).toBe(200);
    stop.abort();
    expect((await log.next()).done).toBe(true);
    await until(() => store.seen.open === 0);
  });

  test("a store that reads in the application's own turn gives as many rows as take 5 ms, however many are wanted", async () => {
    const plain = await filled(20_000);
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    let rowsInMs = 100;
    const slow: DataStore = Object.assign(watched(plain), {
      snapshotChunk: (...[range, limit]: Parameters<DataStore["snapshotChunk"]>) => {
        now += limit.rows / rowsInMs;
        return plain.snapshotChunk(range, limit);
      },
    });
    const client = await open((await serve(slow, { clock })).address);
    const rows = async (wanted: number): Promise<number> =>
      (await client.snapshotChunk({ collection: "" }, { rows: wanted, bytes: 1 << 24 })).rows.length;
    expect([await rows(9_999), await rows(9_999), await rows(300)]).toEqual([1_000, 500, 300]);
    rowsInMs = 10_000;
    const found = [];
    for (let turn = 0; turn < 6; turn++) found.push(await rows(9_999));
    expect(found).toEqual([500, 1_000, 2_000, 4_000, 8_000, 9_999]);
    rowsInMs = 1;
    expect([await rows(9_999), await rows(9_999)]).toEqual([9_999, 100]);
  });

  test("a scan that its reader leaves, and one that its signal ends, are ended at the store", async () => {
    const store = watched(await filled(50_000));
    const client = await open((await serve(store)).address);
    for await (const rows of client.scan({ collection: "" })) {
      expect(rows.length).toBeGreaterThan(0);
      break;
    }
    await until(() => store.seen.open === 0);
    const stop = new AbortController();
    const read = async (): Promise<void> => {
      for await (const _ of client.scan({ collection: "" }, { signal: stop.signal }))
        stop.abort(new Error("enough"));
    };
    await expect(read()).rejects.toThrow("enough");
    await until(() => store.seen.open === 0);
  });

  test("snapshots, scans and logs end with the client that held them", async () => {
    const store = watched(await filled(50_000));
    const door = await serve(store);
    const client = await open(door.address);
    const from = await client.capture("s");
    const snapshot = await client.snapshot?.();
    const scan = snapshot?.scan({ collection: "" })[Symbol.asyncIterator]();
    await scan?.next();
    const log = client.log("s", from, { signal: new AbortController().signal })[Symbol.asyncIterator]();
    const waiting = log.next().catch(() => {});
    await until(() => store.seen.open === 2);
    await client[Symbol.asyncDispose]();
    await until(() => store.seen.open === 0 && door.connections === 0);
    await waiting;
    expect(await code(client.head())).toBe("CUTOVER_DATA_CLOSED");
    expect(await code((snapshot as Reader).count({ collection: "" }))).toBe("CUTOVER_DATA_UNAVAILABLE");
  });

  test("a write whose client is gone is not overtaken by the next one", async () => {
    const plain = openMemoryStore();
    const gate = Promise.withResolvers<void>();
    const begun: string[] = [];
    const slow: DataStore = Object.assign(watched(plain), {
      applyTxn: async (write: TargetWrite) => {
        begun.push(write.job);
        if (write.job === "first") await gate.promise;
        await plain.applyTxn(write);
      },
    });
    const door = await serve(slow);
    const write = (job: string): TargetWrite => ({
      job,
      fence: 1,
      origin: "o",
      changes: [],
      rows: [{ collection: "", key: key(1), value: Buffer.from(job) }],
    });
    const first = await open(door.address, { retryMs: 0 });
    const lost = code(first.applyTxn(write("first")));
    await until(() => begun.length === 1);
    await first[Symbol.asyncDispose]();
    expect(await lost).toBe("CUTOVER_DATA_CLOSED");
    const second = await open(door.address);
    const next = second.applyTxn(write("second"));
    for (let turn = 0; turn < 20; turn++) await second.head();
    expect(begun).toEqual(["first"]);
    gate.resolve();
    await next;
    expect(begun).toEqual(["first", "second"]);
    expect((await plain.get("", [key(1)])).map(String)).toEqual(["second"]);
  });

  test("a snapshot shows its moment, whatever is written meanwhile, until it is disposed of", async () => {
    const store = await filled(3_000);
    const client = await open((await serve(store)).address);
    const snapshot = (await client.snapshot?.()) as Reader;
    await store.write([{ collection: "", key: key(0), value: null }]);
    expect([await snapshot.count({ collection: "" }), await client.count({ collection: "" })]).toEqual([
      3_000, 2_999,
    ]);
    const values = await snapshot.get(
      "",
      Array.from({ length: 2_500 }, (_, index) => key(index)),
    );
    expect(values.filter((value) => value?.length === 100).length).toBe(2_500);
    await snapshot[Symbol.asyncDispose]();
    expect(await code(snapshot.count({ collection: "" }))).toBe("CUTOVER_DATA_CLOSED");
  });

  test("a client that hangs is asked, and after a minute let go with all it holds", async () => {
    const clock = new ManualClock();
    const store = watched(await filled(10));
    const door = await serve(store, { clock });
    const lives = await open(door.address);
    const hangs = connect(socketOf(door));
    ends.push(() => hangs.destroy());
    for (const part of framesOf("hello", 0, encodeHello(undefined))) hangs.write(part);
    for (const part of framesOf("call", 1, Buffer.from([operations.snapshot]))) hangs.write(part);
    await until(() => store.seen.open === 1);
    for (let second = 0; second < 59; second++) await clock.advance(1_000);
    expect([store.seen.open, door.connections]).toEqual([1, 2]);
    await until(() => hangs.readableLength > 0);
    for (let second = 0; second < 20; second++) {
      await clock.advance(1_000);
      await lives.head();
    }
    await until(() => store.seen.open === 0);
    expect(door.connections).toBe(1);
  });
});

describe("an application that goes away and comes back", () => {
  /** Ends the door without a word, as a killed process does, and serves the same data again. */
  async function restart(door: DataDoor, contents: MemoryContents): Promise<void> {
    await door[Symbol.asyncDispose]();
    await serve(openMemoryStore({ contents }), { socket: socketOf(door) });
  }

  test("calls wait for it and are asked again", async () => {
    const contents: MemoryContents = new Map();
    const door = await serve(await filled(10, 10, contents));
    const client = await open(door.address);
    expect(await client.count({ collection: "" })).toBe(10);
    const position = await client.capture("s");
    await door[Symbol.asyncDispose]();
    const calls = [
      client.count({ collection: "" }),
      client.capture("s"),
      client.snapshotChunk({ collection: "" }, { rows: 3, bytes: 1_000 }).then(({ rows }) => rows.length),
      client.fence(2, { signal: AbortSignal.timeout(10_000) }),
      client.applyTxn({
        job: "j",
        fence: 1,
        origin: "o",
        changes: [],
        rows: [{ collection: "", key: key(99), value: key(99) }],
        checkpoint: key(5),
      }),
    ];
    await serve(openMemoryStore({ contents }), { socket: socketOf(door) });
    const [count, again, rows, head] = await Promise.all(calls);
    expect([count === 10 || count === 11, again, rows, (head as string) >= position]).toEqual([
      true,
      position,
      3,
      true,
    ]);
    expect(await client.checkpoint("j")).toEqual(key(5));
    expect(await client.count({ collection: "" })).toBe(11);
  });

  test("when it does not come back the call fails after the time it was given", async () => {
    const clock = new ManualClock();
    const door = await serve(openMemoryStore());
    const client = await open(door.address, { clock, retryMs: 3_000 });
    await door[Symbol.asyncDispose]();
    let failed: unknown;
    const call = client.head().catch((error: unknown) => (failed = error));
    const begun = clock.monotonic();
    while (failed === undefined) {
      await clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await call;
    expect(failed).toMatchObject({ code: "CUTOVER_DATA_UNAVAILABLE" });
    const waited = clock.monotonic() - begun;
    expect([waited >= 3_000, waited < 6_000]).toEqual([true, true]);
  });

  test("one that dies before its greeting is told as away", async () => {
    const path = place();
    const dying = createServer((socket) => {
      socket.destroy();
      dying.close();
    }).listen(path);
    await once(dying, "listening");
    expect(await code(connectData(`door:${path}`))).toBe("CUTOVER_DATA_UNAVAILABLE");
  });

  test("times that are none are refused", async () => {
    for (const retryMs of [-1, Number.NaN, "10" as unknown as number])
      expect(await code(connectData("door:x", { retryMs }))).toBe("CUTOVER_DATA_OPTIONS");
  });

  test("a log goes on after what it gave last, and tells nothing twice", async () => {
    const contents: MemoryContents = new Map();
    const store = openMemoryStore({ contents });
    const door = await serve(store);
    const client = await open(door.address);
    const from = await client.capture("s");
    const stop = new AbortController();
    const told: string[] = [];
    const follow = (async () => {
      for await (const { transactions } of client.log("s", from, { signal: stop.signal }))
        for (const { changes } of transactions)
          told.push(...changes.map((one) => Buffer.from(one.key).toString()));
    })();
    await store.write([{ collection: "", key: key(1), value: key(1) }]);
    await until(() => told.length === 1);
    await restart(door, contents);
    await store.write([{ collection: "", key: key(2), value: key(2) }]);
    await until(() => told.length === 2);
    stop.abort();
    await follow;
    expect(told).toEqual(["000001", "000002"]);
  });

  test("a scan in the middle and a snapshot say that they cannot go on", async () => {
    const contents: MemoryContents = new Map();
    const door = await serve(await filled(50_000, 200, contents));
    const client = await open(door.address);
    const snapshot = (await client.snapshot?.()) as Reader;
    const scan = client.scan({ collection: "" })[Symbol.asyncIterator]();
    await scan.next();
    await restart(door, contents);
    const rest = (async () => {
      while ((await scan.next()).done !== true);
    })();
    expect(await code(rest)).toBe("CUTOVER_DATA_UNAVAILABLE");
    expect(await code(snapshot.count({ collection: "" }))).toBe("CUTOVER_DATA_UNAVAILABLE");
    expect(await client.count({ collection: "" })).toBe(50_000);
  });

  test("a client that closes while it waits does not wait on", async () => {
    const door = await serve(openMemoryStore());
    const client = await connectData(door.address, { retryMs: 60_000 });
    await door[Symbol.asyncDispose]();
    const call = client.head();
    await new Promise((resolve) => setImmediate(resolve));
    await client[Symbol.asyncDispose]();
    expect(await code(call)).toBe("CUTOVER_DATA_CLOSED");
  });

  test("a fence that is given up is not waited for when the application hangs", async () => {
    const clock = new ManualClock();
    const plain = openMemoryStore();
    const asked = Promise.withResolvers<void>();
    const hanging: DataStore = Object.assign(watched(plain), {
      fence: () => {
        asked.resolve();
        return new Promise<never>(() => {});
      },
    });
    const door = await serveData(hanging, { socket: place(), clock });
    const client = await open(door.address, { clock });
    const stop = new AbortController();
    const refused = expect(client.fence(5, { signal: stop.signal })).rejects.toThrow("not longer");
    await asked.promise;
    stop.abort(new Error("not longer"));
    await clock.advance(2_000);
    await refused;
    expect(await client.head()).toBe("0000000000000000");
    await client[Symbol.asyncDispose]();
    // A call that never ends does not keep a door from closing.
    const closed = door[Symbol.asyncDispose]();
    await clock.advance(5_000);
    await closed;
  });

  test("a fence that is given up is not set after the lift that follows", async () => {
    const store = openMemoryStore();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const slow: DataStore = Object.assign(watched(store), {
      fence: async (epoch: number, options: { readonly signal: AbortSignal }) => {
        await Promise.race([
          held,
          new Promise((resolve) => options.signal.addEventListener("abort", resolve)),
        ]);
        return store.fence(epoch, options);
      },
    });
    const client = await open((await serve(slow)).address);
    const stop = new AbortController();
    const fence = client.fence(5, { signal: stop.signal });
    await client.head();
    stop.abort(new Error("not longer"));
    await expect(fence).rejects.toThrow("not longer");
    await client.lift(0);
    release();
    await store.write([{ collection: "", key: key(1), value: key(1) }]);
  });
});
