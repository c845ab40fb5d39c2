import { describe, expect, test } from "vitest";
import { ManualClock } from "../../testing/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import type { Change, Range, Source, Target } from "../connector.ts";
import { mapValues, noImage } from "../map.ts";
import { endMove } from "./begin.ts";
import { moveData, startMove } from "./move-data.ts";
import type { MoveOptions } from "./move-options.ts";
import { MoveState } from "./move-state.ts";
import type { MoveEvent } from "./progress.ts";

const put = (key: string, value: string): Change => ({
  collection: "",
  key: Buffer.from(key),
  value: Buffer.from(value),
});
const gone = (key: string): Change => ({ collection: "", key: Buffer.from(key), value: null });

async function rowsOf(
  store: CapturedStore,
  range: Range = { collection: "" },
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const rows of store.scan(range)) {
    for (const { key, value } of rows) found[Buffer.from(key).toString()] = Buffer.from(value).toString();
  }
  return found;
}

/** An old side with `count` rows, `k000` and so on, and an empty new one. */
async function sides(count = 0): Promise<{ readonly source: CapturedStore; readonly target: CapturedStore }> {
  const source = openMemoryStore({ name: "old" });
  const keys = Array.from({ length: count }, (_, at) => `k${String(at).padStart(3, "0")}`);
  if (count > 0) await source.write(keys.map((key) => put(key, `of ${key}`)));
  return { source, target: openMemoryStore({ name: "new" }) };
}

/** The store with some calls replaced. */
function changed<T extends Source | Target>(store: T, calls: Partial<T>): T {
  return new Proxy(store, {
    get(of, name) {
      const member: unknown = Reflect.get(Object.hasOwn(calls, name) ? calls : of, name);
      return typeof member === "function" ? (member.bind(of) as unknown) : member;
    },
  });
}

describe("a move", () => {
  test("copies everything and takes what is written meanwhile", async () => {
    const { source, target } = await sides(250);
    let writes = 0;
    const busy = changed<Source>(source, {
      snapshotChunk: async (range, limit) => {
        const chunk = await source.snapshotChunk(range, limit);
        await source.write([put("k000", `new ${++writes}`), gone("k249"), put("k250", "late")]);
        return chunk;
      },
    });
    const { finished, progress } = await moveData({
      source: busy,
      target,
      job: "move",
      fence: 1,
      chunk: { rows: 40 },
    });
    expect(finished).toBe(true);
    expect(progress).toMatchObject({ copied: true, aside: 0 });
    expect(writes).toBeGreaterThan(5);
    expect(await rowsOf(target)).toEqual(await rowsOf(source));
  });

  test("follows the log after the copy, up to the place where it is told to stop and no further", async () => {
    const { source, target } = await sides(3);
    const move = startMove({ source, target, job: "move", fence: 1 });
    expect(await move.copied).toBe(true);
    await source.write([put("k001", "changed")]);
    const position = await source.head();
    await source.write([put("k002", "after the stop")]);
    move.stopAt(position);
    const { progress } = await move.done;
    expect(progress.position).toBe(position);
    expect(await rowsOf(target)).toMatchObject({ k001: "changed", k002: "of k002" });
  });

  test("that was paused goes on where it stood, and copies nothing twice", async () => {
    const { source, target } = await sides(200);
    const pause = new AbortController();
    const first = await moveData({
      source,
      target: changed<Target>(target, {
        applyTxn: async (write) => {
          await target.applyTxn(write);
          if (write.rows.length > 0) pause.abort();
        },
      }),
      job: "move",
      fence: 1,
      chunk: { rows: 50 },
      signal: pause.signal,
    });
    expect(first).toMatchObject({ finished: false, progress: { copied: false, rows: 50 } });
    await source.write([put("k000", "while it was paused")]);
    const second = await moveData({ source, target, job: "move", fence: 2, chunk: { rows: 50 } });
    expect(second).toMatchObject({ finished: true, progress: { rows: 200, changes: 1 } });
    expect(await rowsOf(target)).toEqual(await rowsOf(source));
  });

  test("tells the source what it need not keep only after the target has it", async () => {
    const { source, target } = await sides(10);
    let saved = "";
    const acknowledged: string[] = [];
    const move = startMove({
      source: changed<Source>(source, {
        acknowledge: (slot, position) => {
          expect(position <= saved).toBe(true);
          acknowledged.push(position);
          return source.acknowledge(slot, position);
        },
      }),
      target: changed<Target>(target, {
        applyTxn: async (write) => {
          await target.applyTxn(write);
          saved = move.progress()?.position ?? "";
        },
      }),
      job: "move",
      fence: 1,
    });
    await move.copied;
    await source.write([put("x", "1")]);
    move.stopAt(await source.head());
    await move.done;
    expect(acknowledged.at(-1)).toBe(await source.head());
  });

  test("by two workers, each with its part of the keys, gives the whole", async () => {
    const { source, target } = await sides(100);
    const middle = Buffer.from("k050");
    const move = { source, target, fence: 1, chunk: { rows: 10 } };
    await Promise.all([
      moveData({ ...move, job: "lower", ranges: [{ collection: "", upTo: middle }] }),
      moveData({ ...move, job: "upper", ranges: [{ collection: "", after: middle }] }),
    ]);
    expect(Object.keys(await rowsOf(target))).toHaveLength(100);
  });

  test("reads a huge row alone, with nothing ahead of it", async () => {
    const { source, target } = await sides();
    const huge = "x".repeat(1_000);
    await source.write(["a", "b", "c", "d"].map((key) => put(key, huge)));
    let held = 0;
    let most = 0;
    await moveData({
      source: changed<Source>(source, {
        snapshotChunk: async (range, limit) => {
          const chunk = await source.snapshotChunk(range, limit);
          held += chunk.rows.length;
          most = Math.max(most, held);
          return chunk;
        },
      }),
      target: changed<Target>(target, {
        applyTxn: async (write) => {
          await target.applyTxn(write);
          held -= write.rows.length;
        },
      }),
      job: "move",
      fence: 1,
      chunk: { bytes: 100 },
    });
    expect(most).toBe(1);
    expect(Object.keys(await rowsOf(target))).toHaveLength(4);
  });

  test("leaves nothing behind once it is ended", async () => {
    const { source, target } = await sides(5);
    await moveData({ source, target, job: "move", fence: 1, slot: "its log" });
    await endMove({ source, target, job: "move", slot: "its log" });
    expect(await target.checkpoint("move")).toBeUndefined();
    // A slot of that name begins anew.
    await source.write([put("x", "1")]);
    expect(await source.capture("its log")).toBe(await source.head());
  });
});

describe("a move with a map", () => {
  const whole = { collection: "" };
  const status = mapValues(({ value }) => {
    const text = Buffer.from(value).toString();
    if (text === "secret") return null;
    if (text === "PAUSED") throw noImage("status PAUSED has no image");
    return Buffer.from(text.toLowerCase());
  });

  test("leaves out, sets aside and takes back from quarantine as the rows change", async () => {
    const { source, target } = await sides();
    await source.write([put("a", "OPEN"), put("b", "PAUSED"), put("c", "secret"), put("d", "PAUSED")]);
    const events: MoveEvent[] = [];
    const onEvent = (event: MoveEvent): void => void events.push(event);
    const move = startMove({ source, target, job: "move", fence: 1, map: status, onEvent });
    await move.copied;
    expect(await rowsOf(target)).toEqual({ a: "open" });
    expect(Object.keys(await rowsOf(target, { collection: "cutover_aside" }))).toEqual(["\0\0b", "\0\0d"]);
    expect(events).toContainEqual({ type: "aside", rows: 2, reason: "status PAUSED has no image" });
    await source.write([put("a", "PAUSED"), put("b", "DONE"), put("c", "OPEN"), gone("d")]);
    move.stopAt(await source.head());
    await move.done;
    expect(await rowsOf(target)).toEqual({ b: "done", c: "open" });
    expect(Object.keys(await rowsOf(target, { collection: "cutover_aside" }))).toEqual(["\0\0a"]);
  });

  test("counts a row in quarantine once, however often it is written, and no more when it found an image", async () => {
    const { source, target } = await sides();
    await source.write([put("a", "PAUSED"), put("b", "OPEN")]);
    const events: MoveEvent[] = [];
    const onEvent = (event: MoveEvent): void => void events.push(event);
    let fence = 0;
    const follow = async (...changes: Parameters<typeof source.write>[0]): Promise<number> => {
      if (changes.length > 0) await source.write(changes);
      fence++;
      const move = startMove({ source, target, job: "move", fence, map: status, asideLimit: 2, onEvent });
      move.stopAt(await source.head());
      return (await move.done).progress.aside;
    };
    expect(await follow()).toBe(1);
    for (let i = 0; i < 5; i++) expect(await follow(put("a", "PAUSED"))).toBe(1);
    expect(await follow(put("a", "PAUSED"), put("b", "PAUSED"), put("a", "PAUSED"))).toBe(2);
    expect(await follow(put("a", "OPEN"), gone("b"))).toBe(0);
    expect(events.filter(({ type }) => type === "aside")).toEqual([
      { type: "aside", rows: 1, reason: "status PAUSED has no image" },
      { type: "aside", rows: 1, reason: "status PAUSED has no image" },
    ]);
  });

  test("removes the images that a changed or deleted row has no more", async () => {
    const { source, target } = await sides();
    await source.write([put("a", "x y"), put("b", "z")]);
    const words = (text: Uint8Array): readonly string[] => Buffer.from(text).toString().split(" ");
    const map = ({
      key,
      value,
    }: {
      key: Uint8Array;
      value: Uint8Array;
    }): { key: Uint8Array; value: Uint8Array }[] =>
      words(value).map((word) => ({
        key: Buffer.from(`${Buffer.from(key).toString()}/${word}`),
        value: key,
      }));
    const move = startMove({ source, target, job: "move", fence: 1, map });
    await move.copied;
    expect(Object.keys(await rowsOf(target))).toEqual(["a/x", "a/y", "b/z"]);
    await source.write([put("a", "y w"), gone("b")]);
    move.stopAt(await source.head());
    await move.done;
    expect(Object.keys(await rowsOf(target, whole))).toEqual(["a/w", "a/y"]);
  });

  test("gives up when more rows have no image than was allowed, and goes on with a better map", async () => {
    const { source, target } = await sides(5);
    const bad = moveData({
      source,
      target,
      job: "move",
      fence: 1,
      asideLimit: 2,
      map: () => {
        throw noImage("nobody thought of it");
      },
    });
    await expect(bad).rejects.toMatchObject({
      code: "CUTOVER_DATA_UNMAPPED",
      details: { aside: 5, limit: 2 },
    });
    expect(await rowsOf(target)).toEqual({});
    await moveData({ source, target, job: "move", fence: 2, map: mapValues(({ value }) => value) });
    expect(Object.keys(await rowsOf(target))).toHaveLength(5);
  });

  test("refuses an image where nobody would look for it when its row is gone", async () => {
    const { source, target } = await sides(1);
    const map = { map: () => ({ key: Buffer.from("elsewhere"), value: Buffer.from("") }), places: () => [] };
    const move = moveData({ source, target, job: "move", fence: 1, map });
    await expect(move).rejects.toMatchObject({ code: "CUTOVER_DATA_OPTIONS" });
  });
});

describe("what is wrong is refused before anything is written", () => {
  const wrong: readonly (readonly [string, Partial<MoveOptions> & Record<string, unknown>, RegExp])[] = [
    ["an unknown option", { chunks: {} }, /chunks: expected one of source, target/],
    ["an unknown part of an option", { chunk: { row: 1 } as never }, /chunk\.row/],
    ["no name", { job: "" }, /job: expected a name/],
    ["a fence that is no number", { fence: Number.NaN }, /fence: expected a whole number/],
    ["chunks of no rows", { chunk: { rows: 0 } }, /chunk\.rows: expected a number above 0/],
    ["no ranges", { ranges: [] }, /at least one range/],
    [
      "ranges that overlap",
      {
        ranges: [
          { collection: "", upTo: Buffer.from("m") },
          { collection: "", after: Buffer.from("l") },
        ],
      },
      /two in "" that do/,
    ],
    ["a range twice", { ranges: [{ collection: "" }, { collection: "" }] }, /two in "" that do/],
    [
      "a range without keys",
      { ranges: [{ collection: "", after: Buffer.from("m"), upTo: Buffer.from("a") }] },
      /an end after the start "m", found "a"/,
    ],
    ["its own writes left out", { without: ["move"] }, /without: expected origins of other moves/],
    ["a map that is none", { map: {} as never }, /map\.map: expected a function/],
  ];
  test.each(wrong)("%s", async (_name, options, message) => {
    const { source, target } = await sides(1);
    expect(() => startMove({ source, target, job: "move", fence: 1, ...options })).toThrow(message);
  });

  test("a target that is not empty, unless rows may be mixed", async () => {
    const { source, target } = await sides(2);
    await target.write([put("theirs", "1")]);
    const move = { source, target, job: "move", fence: 1 };
    await expect(moveData(move)).rejects.toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    expect(await target.checkpoint("move")).toBeUndefined();
    await moveData({ ...move, mix: true });
    expect(Object.keys(await rowsOf(target))).toEqual(["k000", "k001", "theirs"]);
  });

  test("a collection that is not there or cannot be moved", async () => {
    const { source, target } = await sides(1);
    const move = { source, target, job: "move", fence: 1 };
    const code = "CUTOVER_DATA_COLLECTION";
    await expect(moveData({ ...move, ranges: [{ collection: "no" }] })).rejects.toMatchObject({ code });
    const keyless = changed<Source>(source, {
      collections: () => Promise.resolve([{ name: "", problem: "it has no primary key" }]),
    });
    const refused = moveData({ ...move, source: keyless });
    await expect(refused).rejects.toThrow(/it has no primary key/);
  });

  test("other ranges than the job began with", async () => {
    const { source, target } = await sides(2);
    await moveData({ source, target, job: "move", fence: 1 });
    const ranges = [{ collection: "", after: Buffer.from("k000") }];
    const again = moveData({ source, target, job: "move", fence: 2, ranges });
    await expect(again).rejects.toMatchObject({ code: "CUTOVER_DATA_JOB_CHANGED" });
  });

  test("a log that is no longer kept from where the move stands", async () => {
    const { source, target } = await sides(2);
    await moveData({ source, target, job: "move", fence: 1 });
    await source.release("move");
    await source.write([put("k000", "nobody keeps this")]);
    const again = moveData({ source, target, job: "move", fence: 2 });
    await expect(again).rejects.toMatchObject({ code: "CUTOVER_DATA_SLOT_LOST" });
  });

  test("a worker whose job another one has taken over, when it starts and while it runs", async () => {
    const { source, target } = await sides(2);
    const first = startMove({ source, target, job: "move", fence: 1 });
    await first.copied;
    const second = startMove({ source, target, job: "move", fence: 2 });
    await second.copied;
    await source.write([put("k000", "changed")]);
    await expect(first.done).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    second.stopAt(await source.head());
    await second.done;
    const late = moveData({ source, target, job: "move", fence: 1 });
    await expect(late).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    expect(await rowsOf(target)).toEqual(await rowsOf(source));
  });
});

describe("a move that cannot go on", () => {
  test("ends with what the source threw, and goes on later", async () => {
    const { source, target } = await sides(30);
    let reads = 0;
    const failing = changed<Source>(source, {
      snapshotChunk: (range, limit) =>
        ++reads === 3 ? Promise.reject(new TypeError("cable cut")) : source.snapshotChunk(range, limit),
    });
    const move = { target, job: "move", chunk: { rows: 10 } };
    await expect(moveData({ ...move, source: failing, fence: 1 })).rejects.toThrow("cable cut");
    await moveData({ ...move, source, fence: 2 });
    expect(await rowsOf(target)).toEqual(await rowsOf(source));
  });

  test("says what it waits for, again and again, and that it moves when it does", async () => {
    const clock = new ManualClock();
    const { source, target } = await sides(3);
    let latency = 900;
    const events: MoveEvent[] = [];
    const move = startMove({
      source,
      target,
      job: "move",
      fence: 1,
      clock,
      stalledAfterMs: 5_000,
      hold: { latency: { measure: () => latency, limitMs: 100 } },
      onEvent: (event) => void (event.type !== "progress" && events.push(event)),
    });
    await clock.advance(11_000);
    expect(move.progress()?.held).toBe("the old system takes 900 ms, more than 100 ms");
    const reason = "the old system takes 900 ms, more than 100 ms";
    expect(events).toEqual([
      { type: "stalled", forMs: 5_000, reason },
      { type: "stalled", forMs: 10_000, reason },
    ]);
    latency = 10;
    await clock.advance(1_000);
    expect(events.slice(2).map(({ type }) => type)).toEqual(["moving", "copied"]);
    move.pause();
    expect(await move.done).toMatchObject({ finished: false, progress: { copied: true } });
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });

  test("is not stalled while it follows a source that nobody writes to", async () => {
    const clock = new ManualClock();
    const { target } = await sides();
    const events: MoveEvent[] = [];
    const quiet = openMemoryStore({ name: "old", clock });
    const move = startMove({
      source: quiet,
      target,
      job: "move",
      fence: 1,
      clock,
      stalledAfterMs: 5_000,
      onEvent: (event) => void events.push(event),
    });
    await clock.advance(60_000);
    expect(events.filter(({ type }) => type === "stalled")).toEqual([]);
    expect(events.filter(({ type }) => type === "progress").length).toBeGreaterThan(50);
    move.pause();
    await clock.advance(2_000);
    await move.done;
  });

  test("ends with what a listener threw instead of ending the process", async () => {
    const { source, target } = await sides(3);
    const move = startMove({
      source,
      target,
      job: "move",
      fence: 1,
      onEvent: () => {
        throw new TypeError("the screen is gone");
      },
    });
    await expect(move.done).rejects.toThrow("the screen is gone");
  });
});

test("only what the target has on disk is acknowledged, and chunks before that need not wait for the disk", async () => {
  const { source, target } = await sides(3_000);
  const clock = new ManualClock();
  const asked: boolean[] = [];
  let kept = "";
  const acknowledged: string[] = [];
  const watched = changed(target, {
    applyTxn: async (write) => {
      await target.applyTxn(write);
      await clock.advance(400);
      if (write.checkpoint === undefined) return;
      asked.push(write.durable !== false);
      if (write.durable !== false) kept = MoveState.restored(write.checkpoint).position;
    },
  });
  let written = 0;
  const writing = changed(source, {
    snapshotChunk: async (range, limit) => {
      await source.write([put(`zz${written++}`, "beside")]);
      return source.snapshotChunk(range, limit);
    },
    acknowledge: async (slot, position) => {
      expect(position <= kept).toBe(true);
      acknowledged.push(position);
      await source.acknowledge(slot, position);
    },
  });
  const chunk = { rows: 100 };
  await moveData({ source: writing, target: watched, job: "job", fence: 1, chunk, clock });
  expect(await rowsOf(target)).toEqual(await rowsOf(source));
  expect(acknowledged.length).toBeGreaterThan(2);
  expect(asked.filter((durable) => !durable).length).toBeGreaterThan(5);
  expect(asked.at(-1)).toBe(true);
});
