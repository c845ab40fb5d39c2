import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasCode, setFaultHandler } from "../../core/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import type { DataStore } from "../connector.ts";
import { openLevelDb } from "../connectors/leveldb.ts";
import { openLmdb } from "../connectors/lmdb.ts";
import { type DataMap, type MapFunction } from "../map.ts";
import { backfilled, crossingOf } from "../../../test/crossing/followed.ts";
import type { CrossingState } from "./arrows.ts";
import { crossOver, goBack } from "./crossing.ts";
import type { CrossingOptions } from "./crossing-options.ts";
import { memorySwitch } from "./memory-switch.ts";
import type { Switch } from "./switch.ts";

let dir = "";
let old: CapturedStore;
let young: CapturedStore;
let sw: Switch;
let states: CrossingState[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-crossing-"));
  old = await openLevelDb(join(dir, "old"), { create: true });
  young = await openLmdb(join(dir, "new"), { create: true });
  sw = memorySwitch();
  states = [];
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((app) => app.stop()));
  setFaultHandler(undefined);
  await old[Symbol.asyncDispose]();
  await young[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const bytes = (text: string): Buffer => Buffer.from(text);
const text = (value: Uint8Array): string => Buffer.from(value).toString();
const keyOf = (index: number): Buffer => bytes(`row:${String(index).padStart(5, "0")}`);

async function fill(store: DataStore, rows: number, value = (i: number): string => `v${i}`): Promise<void> {
  const all = Array.from({ length: rows }, (_, i) => ({
    collection: "",
    key: keyOf(i),
    value: bytes(value(i)),
  }));
  await store.applyTxn({ job: "fill", fence: 1, origin: "fill", changes: [], rows: all });
}

async function rowsOf(store: DataStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection: "" }))
    for (const { key, value } of rows) found[text(key)] = text(value);
  return found;
}

const crossing = (options: Partial<CrossingOptions> = {}): CrossingOptions =>
  crossingOf(
    { old, new: young, switch: sw },
    {
      save: (state) => {
        states.push(state);
        return Promise.resolve();
      },
      ...options,
    },
  );

const running: Application[] = [];

/** Writes to the side in charge as often as it can, and keeps what was acknowledged. */
class Application {
  readonly acknowledged = new Map<string, string>();
  longestMs = 0;
  writes = 0;
  #over = false;
  readonly #done: Promise<void>;
  readonly #codec: (side: "old" | "new", value: string) => string;

  constructor(codec: (side: "old" | "new", value: string) => string = (_, value) => value) {
    this.#codec = codec;
    running.push(this);
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#over; n++) {
      const key = keyOf((n * 7919) % 400);
      const began = performance.now();
      const value = n % 11 === 10 ? null : `w${n}`;
      for (;;) {
        const { side, epoch } = await sw.read();
        const store = side === "old" ? old : young;
        try {
          const stored = value === null ? null : bytes(this.#codec(side, value));
          await store.write([{ collection: "", key, value: stored }], { epoch });
          break;
        } catch (error) {
          if (!hasCode(error, "CUTOVER_DATA_FENCED")) throw error;
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
      this.writes++;
      if (value === null) this.acknowledged.delete(text(key));
      else this.acknowledged.set(text(key), value);
      this.longestMs = Math.max(this.longestMs, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Rows as they have to be, where the application alone writes keys below 400. */
  below(rows: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(rows).filter(([key]) => key < text(keyOf(400))));
  }

  expected(): Record<string, string> {
    return Object.fromEntries([...this.acknowledged].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}

const pauseFor = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a cutover of data", () => {
  test("goes there under writes, and back again with what was written in between, and nothing is lost", async () => {
    await fill(old, 2_000);
    const app = new Application();
    await pauseFor(50);
    await backfilled(old, young);
    const there = await crossOver(crossing());
    expect(await sw.read()).toEqual({ side: "new", epoch: 3 });
    expect(there).toMatchObject({
      standing: { side: "new", epoch: 3 },
      pauseMs: expect.any(Number) as number,
    });
    await pauseFor(100);
    states = [];
    const back = await goBack(crossing());
    expect(await sw.read()).toEqual({ side: "old", epoch: 6 });
    await pauseFor(50);
    await app.stop();
    expect(app.writes).toBeGreaterThan(50);
    const rows = await rowsOf(old);
    expect(app.below(rows)).toMatchObject(app.expected());
    expect(Object.keys(rows).length).toBeGreaterThan(1_600);
    console.log({ there: there.pauseMs, back: back.pauseMs, longest: app.longestMs, writes: app.writes });
    // And there once more: the job that led there is followed again.
    await crossOver(crossing());
    expect(await rowsOf(young)).toEqual(await rowsOf(old));
  }, 60_000);

  test("a failure before the turn gives the old side back, and the next attempt goes through", async () => {
    await fill(old, 500);
    const app = new Application();
    await backfilled(old, young);
    let broken = true;
    const failing = new Proxy(young, {
      get(target, name) {
        if (name === "get" && broken && states.at(-1)?.epoch !== undefined)
          return () => Promise.reject(new TypeError("the new side broke"));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    await expect(crossOver(crossing({ new: failing }))).rejects.toThrow("the new side broke");
    expect(await sw.read()).toEqual({ side: "old", epoch: 3 });
    expect(states.at(-1)?.epoch).toBeUndefined();
    broken = false;
    await pauseFor(20);
    await crossOver(crossing());
    expect(await sw.read()).toEqual({ side: "new", epoch: 6 });
    await app.stop();
    expect(app.below(await rowsOf(young))).toMatchObject(app.expected());
  }, 60_000);
});

describe("through a map", () => {
  // Two old states become one: only what was kept tells which it was.
  const states3 = ["queued", "waiting", "done"];
  const forward: MapFunction = ({ value }) => {
    const { state, note } = JSON.parse(text(value)) as { state: string; note: string };
    return { value: bytes(JSON.stringify({ status: state === "done" ? "closed" : "open", note, v: 2 })) };
  };
  const toOld = (value: string): string => JSON.stringify({ state: "done", note: value });
  const map: DataMap = { map: forward, originals: true };

  test("the way back restores what several old values had in common, and keeps what was written on the new side", async () => {
    await fill(old, 600, (i) => JSON.stringify({ state: states3[i % 3], note: `n${i}` }));
    const before = await rowsOf(old);
    const back: CrossingOptions["back"] = ({ value }, original) => {
      const { status, note } = JSON.parse(text(value)) as { status: string; note: string };
      const was =
        original === undefined ? undefined : (JSON.parse(text(original.value)) as { state: string }).state;
      const same = was !== undefined && (was === "done") === (status === "closed");
      const state = same ? was : status === "closed" ? "done" : "queued";
      return { value: bytes(JSON.stringify({ state, note })) };
    };
    const app = new Application((side, value) =>
      side === "old" ? toOld(value) : JSON.stringify({ status: "closed", note: value, v: 2 }),
    );
    await backfilled(old, young, map);
    await crossOver(crossing({ map, back }));
    await pauseFor(50);
    const edit = JSON.stringify({ status: "open", note: "edited", v: 2 });
    const { epoch } = await sw.read();
    await young.write([{ collection: "", key: keyOf(501), value: bytes(edit) }], { epoch });
    await young.write([{ collection: "", key: keyOf(502), value: null }], { epoch });
    await goBack(crossing({ map, back }));
    await app.stop();
    const rows = await rowsOf(old);
    expect(rows[text(keyOf(501))]).toBe(
      JSON.stringify({ state: JSON.parse(before[text(keyOf(501))] ?? "{}").state, note: "edited" }),
    );
    expect(rows[text(keyOf(502))]).toBeUndefined();
    for (let i = 503; i < 600; i++) expect(rows[text(keyOf(i))]).toBe(before[text(keyOf(i))]);
    const written = Object.fromEntries(
      Object.entries(app.expected()).map(([key, value]) => [key, toOld(value)]),
    );
    expect(rows).toMatchObject(written);
  }, 60_000);

  test("a way back that does not give the old rows again is found before anybody is stopped", async () => {
    await fill(old, 30, (i) => JSON.stringify({ state: states3[i % 3], note: `n${i}` }));
    await backfilled(old, young, map);
    const back: CrossingOptions["back"] = () => ({ value: bytes("{}") });
    await expect(crossOver(crossing({ map, back }))).rejects.toMatchObject({
      code: "CUTOVER_DATA_PREFLIGHT",
    });
    expect(await sw.read()).toEqual({ side: "old", epoch: 0 });
    await old.write([{ collection: "", key: keyOf(1), value: bytes("x") }], { epoch: 0 });
  }, 60_000);
});
