import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { setFaultHandler } from "../../core/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import type { Change } from "../connector.ts";
import { openLevelDb } from "../connectors/leveldb.ts";
import { openLmdb } from "../connectors/lmdb.ts";
import type { DataMap } from "../map.ts";
import { overlay } from "../verify/touched.ts";
import { backfilled, crossingOf } from "../../../test/crossing/followed.ts";
import type { CrossingState } from "./arrows.ts";
import { crossOver, goBack } from "./crossing.ts";
import type { CrossingOptions, GoBackOptions } from "./crossing-options.ts";
import { readGround } from "./ground.ts";
import { memorySwitch } from "./memory-switch.ts";
import { Stream } from "./stream.ts";
import type { Switch } from "./switch.ts";

let dir = "";
let old: CapturedStore;
let young: CapturedStore;
let sw: Switch;
let state: CrossingState | undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-since-"));
  old = await openLevelDb(join(dir, "old"), { create: true });
  young = await openLmdb(join(dir, "new"), { create: true });
  sw = memorySwitch();
  state = undefined;
});
afterEach(async () => {
  setFaultHandler(undefined);
  await old[Symbol.asyncDispose]();
  await young[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const bytes = (text: string): Buffer => Buffer.from(text);
const keyOf = (index: number): Buffer => bytes(`row:${String(index).padStart(5, "0")}`);
const put = (key: Uint8Array, text: string | null): Change => ({
  collection: "",
  key,
  value: text === null ? null : bytes(text),
});
const rowsOf = async (store: CapturedStore, collection = ""): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection }))
    for (const { key, value } of rows) found[String(Buffer.from(key))] = String(Buffer.from(value));
  return found;
};

const crossing = (options: Partial<GoBackOptions> = {}): GoBackOptions =>
  crossingOf(
    { old, new: young, switch: sw },
    {
      ...(state === undefined ? {} : { state }),
      save: (next) => {
        state = next;
        return Promise.resolve();
      },
      ...options,
    },
  );

/** Rows of the old side, copied to the new one, which takes charge. */
async function crossed(rows: number, options: Partial<CrossingOptions> = {}): Promise<void> {
  const all = Array.from({ length: rows }, (_, index) => put(keyOf(index), `v${index % 3}`));
  await old.write(all);
  await backfilled(old, young, typeof options.map === "object" ? options.map : undefined);
  await crossOver(crossing(options));
  state = undefined;
}

const onNew = async (changes: readonly Change[]): Promise<void> =>
  await young.write(changes, { epoch: (await sw.read()).epoch });

/** What `reverseSync` does: applies the log, which need not keep it any longer then. */
async function broughtBack(options: Partial<CrossingOptions> = {}): Promise<void> {
  await new Stream(await readGround(crossing(options), "old"), "old").catchUp();
}

/** Past everything that keeps a log. */
const damaged = async (changes: readonly Change[]): Promise<void> =>
  await old.applyTxn({ job: "damage", fence: 1, origin: "damage", changes, rows: [] });

describe("going back", () => {
  test("compares what was written since the crossing, also what was brought back long ago, and not everything", async () => {
    await crossed(3_000);
    await onNew([put(keyOf(1), "first"), put(keyOf(2), null), put(keyOf(9_000), "made")]);
    await broughtBack();
    await onNew([put(keyOf(3), "last"), put(keyOf(1), "again")]);
    // What the stream had brought, and a store has lost since.
    await damaged([put(keyOf(9_000), null), put(keyOf(2), "back from the dead")]);
    let scanned = 0;
    const counting = overlay(old, {
      async *scan(...args: Parameters<CapturedStore["scan"]>) {
        for await (const rows of old.scan(...args)) {
          if (args[0].collection === "") scanned += rows.length;
          yield rows;
        }
      },
    });
    const found = await goBack(crossing({ old: counting }));
    expect(found).toMatchObject({ standing: { side: "old", epoch: 6 }, checked: 4 });
    expect([found.seed, found.compared, scanned]).toEqual([undefined, undefined, expect.any(Number)]);
    expect(scanned).toBeLessThan(3_000);
    expect(await rowsOf(old)).toEqual(await rowsOf(young));
    expect((await rowsOf(old))[String(keyOf(1))]).toBe("again");
    // Nothing of it stays.
    expect(await rowsOf(old, "cutover_since")).toEqual({});
  }, 60_000);

  test("asked to compare everything, it mends rows that nobody has written since, and says how many", async () => {
    await crossed(3_000);
    await onNew([put(keyOf(1), "written")]);
    await damaged([put(keyOf(7), "flipped"), put(keyOf(8), null), put(bytes("row:x"), "of nobody")]);
    const found = await goBack(crossing({ check: "all" }));
    expect(found).toMatchObject({ standing: { side: "old", epoch: 6 }, mended: 3 });
    expect([found.checked, found.compared, found.seed]).toEqual([undefined, undefined, expect.any(String)]);
    expect(found.digests?.old.count).toBe(3_000);
    expect(await rowsOf(old)).toEqual(await rowsOf(young));
    expect((await rowsOf(old))[String(keyOf(1))]).toBe("written");
  }, 60_000);

  test("not asked to, it compares what was written, and leaves damage of other rows to a verification", async () => {
    await crossed(300);
    await onNew([put(keyOf(1), "written")]);
    await damaged([put(keyOf(7), "flipped")]);
    const found = await goBack(crossing());
    expect([found.checked, found.mended]).toEqual([1, undefined]);
    const rows = await rowsOf(old);
    expect([rows[String(keyOf(1))], rows[String(keyOf(7))]]).toEqual(["written", "flipped"]);
  }, 60_000);

  test.each([
    ["goBack", () => goBack(crossing({ check: "some" as never })), "check: expected one of written, all"],
    ["crossOver", () => crossOver(crossing({ check: "all" })), "check"],
  ])("%s refuses a check that means nothing to it", async (_, call, message) => {
    await crossed(10);
    await expect(call()).rejects.toMatchObject({
      code: "CUTOVER_DATA_OPTIONS",
      message: expect.stringContaining(message) as string,
    });
  });

  test("through a map, what was removed, made and changed is compared by the rows of both sides", async () => {
    const lies = (key: Uint8Array): Uint8Array => Buffer.concat([bytes("n/"), key]);
    const map: DataMap = {
      map: ({ key, value }) => ({ key: lies(key), value: Buffer.concat([value, bytes("!")]) }),
      places: (collection, key) => [{ collection, key: lies(key) }],
    };
    const back = {
      map: ({ key, value }: { key: Uint8Array; value: Uint8Array }) => ({
        key: key.subarray(2),
        value: value.subarray(0, value.length - 1),
      }),
      places: (collection: string, key: Uint8Array) => [{ collection, key: key.subarray(2) }],
    };
    await crossed(500, { map, back });
    await onNew([
      put(lies(keyOf(1)), "one!"),
      put(lies(keyOf(2)), null),
      put(lies(keyOf(900)), "made!"),
      put(lies(keyOf(3)), "three!"),
    ]);
    await broughtBack({ map, back });
    await damaged([put(keyOf(1), "damaged"), put(keyOf(2), "back from the dead"), put(keyOf(900), null)]);
    const found = await goBack(crossing({ map, back }));
    expect(found.seed).toBeUndefined();
    // Places of the new side, and rows of the old one.
    expect(found.checked).toBe(8);
    const rows = await rowsOf(old);
    expect(Object.keys(rows)).toHaveLength(500);
    expect([1, 2, 3, 900].map((index) => rows[String(keyOf(index))])).toEqual([
      "one",
      undefined,
      "three",
      "made",
    ]);
  }, 60_000);

  test("compares everything when somebody turned the switch since, as nobody knows who wrote where", async () => {
    await crossed(50);
    await sw.turn({ side: "old", epoch: 6 });
    await sw.turn({ side: "new", epoch: 9 });
    await young.lift(9);
    await damaged([put(keyOf(7), "written on the old side meanwhile")]);
    const found = await goBack(crossing());
    expect(found).toMatchObject({ seed: expect.any(String) as string });
    expect(found.checked).toBeUndefined();
    expect(await rowsOf(old)).toEqual(await rowsOf(young));
  }, 60_000);

  test("an attempt that was given up leaves what is known as it was", async () => {
    await crossed(50);
    await onNew([put(keyOf(1), "written")]);
    let broken = true;
    const failing = overlay(old, {
      fence: (...args: Parameters<CapturedStore["fence"]>) =>
        broken ? Promise.reject(new TypeError("the old side broke")) : old.fence(...args),
    });
    await expect(goBack(crossing({ old: failing }))).rejects.toThrow("the old side broke");
    expect(await sw.read()).toEqual({ side: "new", epoch: 6 });
    broken = false;
    await onNew([put(keyOf(2), "written later")]);
    const found = await goBack(crossing({ old: failing }));
    expect(found).toMatchObject({ standing: { side: "old", epoch: 9 }, checked: 2 });
    expect(await rowsOf(old)).toEqual(await rowsOf(young));
  }, 60_000);

  test.each(["data.cutover.turned", "data.cutover.lifted", "data.cutover.finished"])(
    "a crossing that was killed at %s and went on knows what was written since its turn",
    async (point) => {
      let armed = true;
      setFaultHandler((name) => {
        if (name !== point || !armed) return;
        armed = false;
        throw new Error("killed");
      });
      await expect(crossed(50)).rejects.toThrow("killed");
      await crossOver(crossing());
      state = undefined;
      await onNew([put(keyOf(1), "written")]);
      const found = await goBack(crossing());
      expect(found).toMatchObject({ checked: 1, standing: { side: "old" } });
      expect(await rowsOf(old)).toEqual(await rowsOf(young));
    },
    60_000,
  );
});
