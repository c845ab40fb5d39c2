import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openDataStore, openMemoryStore, type Row } from "cutover/data";
import { unit } from "./checks/unit.ts";
import { fromOld, inNew, inOld, toNew, toOld } from "./engine/layout.ts";
import { layers, type Memory } from "./engine/memory.ts";
import { damaged, plantSeeds, seedAt } from "./engine/seeds.ts";
import { places, turnList } from "./engine/places.ts";
import { holdingsOf, type Witness } from "./engine/witness.ts";
import { endState } from "./start/end-state.ts";
import { readLedger } from "./start/ledger.ts";

const memory = fc.record({
  layer: fc.constantFrom(...layers),
  id: fc.string({ minLength: 1 }).map((text) => text.replaceAll("\uFFFD", "")),
  write: fc.nat(),
  at: fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n }),
  text: fc.string({ unit: "grapheme" }),
  weight: fc.double({ min: 0, max: 1, noNaN: true }),
  from: fc.option(fc.string()),
});

test("every memory goes to the new layout and back to the letter, whatever stands in its id and text", () => {
  fc.assert(
    fc.property(memory, fc.boolean(), (made, special) => {
      const kind = !special ? "plain" : made.layer === "episodic" ? "dream" : "pattern";
      if (kind !== "plain" && made.layer !== "episodic" && made.layer !== "semantic") return;
      const whole: Memory = { ...made, weight: made.weight + 0, kind };
      const old = { collection: "", ...inOld(whole) };
      const image = toNew.map(old) as { key: Buffer; value: Buffer };
      expect(image).toEqual(inNew(whole));
      const places = toNew.places?.("", old.key) ?? [];
      expect(places.some(({ key }) => image.key.equals(key))).toBe(true);
      const back = toOld.map({ collection: "", ...image });
      expect([back.key, back.value]).toEqual([old.key, old.value]);
      expect(toOld.places("", image.key)).toEqual([{ collection: "", key: old.key }]);
    }),
  );
});

test("the unit tests of the validation phase hold", async () => {
  expect(await unit()).toHaveLength(1);
});

test("what was there before is five layers of memories and three rows that are none", async () => {
  const dir = await mkdtemp(join(tmpdir(), "cutover-seeds-"));
  try {
    await plantSeeds(join(dir, "old"), 1_000);
    await using store = await openDataStore(`leveldb:${join(dir, "old")}`);
    const counts = new Map<string, number>();
    for await (const batch of store.scan({ collection: "" }))
      for (const row of batch) {
        const name = fromOld(row)?.layer ?? "none";
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    expect([...layers.map((layer) => counts.get(layer)), counts.get("none")]).toEqual([
      600,
      200,
      120,
      60,
      20,
      damaged.length,
    ]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("the witness of a turn counts the same for both layouts, and sees whatever else is different", async () => {
  const memories = Array.from({ length: 500 }, (_, index) => seedAt(index));
  const of = async (rows: readonly Row[]): Promise<readonly [number, string, number]> => {
    await using store = openMemoryStore({ name: "side" });
    await store.applyTxn({
      job: "j",
      fence: 1,
      origin: "o",
      changes: [],
      rows: rows.map((row) => ({ collection: "", ...row })),
    });
    const { memories: count, digest, others } = await holdingsOf(store);
    return [count, digest, others];
  };
  const [old, young] = [memories.map(inOld), memories.map(inNew)];
  const [, digest] = await of(old);
  expect(await of([...old, ...damaged])).toEqual([500, digest, damaged.length]);
  expect(await of(young)).toEqual([500, digest, 0]);
  const first = memories[1] as Memory;
  const others: readonly Partial<Memory>[] = [
    { at: first.at + 1n },
    { text: `${first.text} ` },
    { weight: first.weight + 2 ** -52 },
    { from: "" },
    { write: 1 },
    { layer: "working" },
    { id: "seed-00000000" },
  ];
  for (const other of others)
    expect((await of(young.with(1, inNew({ ...first, ...other }))))[1], Object.keys(other).join()).not.toBe(
      digest,
    );
  expect((await of(young.slice(1)))[1]).not.toBe(digest);
  // Two values that changed places.
  const swapped = young.with(1, { ...(young[1] as Row), value: (young[2] as Row).value } as never);
  expect(
    (await of(swapped.with(2, { ...(young[2] as Row), value: (young[1] as Row).value } as never)))[1],
  ).not.toBe(digest);
});

test("the very end is held against the turn by what the databases themselves have: one that is changed or gone is seen", async () => {
  const dir = await mkdtemp(join(tmpdir(), "cutover-storage-end-"));
  try {
    const files = places(dir);
    await plantSeeds(files.old, 200);
    {
      await using store = await openDataStore(`lmdb:${files.new}`, { create: true });
      const rows = Array.from({ length: 200 }, (_, index) => ({ collection: "", ...inNew(seedAt(index)) }));
      await store.applyTxn({ job: "j", fence: 1, origin: "o", changes: [], rows });
    }
    const turn: Witness = await (async () => {
      await using store = await openDataStore(`leveldb:${files.old}`);
      const held = await holdingsOf(store, (batch) =>
        appendFile(turnList(files, 6), batch.map(({ name, number }) => `${number} ${name}\n`).join("")),
      );
      return { to: "new", epoch: 6, old: held, new: held };
    })();
    // The load has written one memory since.
    const written = seedAt(3);
    await writeFile(
      files.ledger,
      `${JSON.stringify({ a: 1, k: [`${written.layer}:${written.id}`], s: "new" })}\n`,
    );
    const change = async (index: number, memory: Memory | undefined): Promise<void> => {
      await using store = await openDataStore(`lmdb:${files.new}`);
      const [key, value] = [inNew(seedAt(index)).key, memory === undefined ? null : inNew(memory).value];
      await store.applyTxn({
        job: "j",
        fence: 1,
        origin: "o",
        changes: [{ collection: "", key, value }],
        rows: [],
      });
    };
    await change(3, { ...written, write: 1, text: "since" });
    let [last, against]: [Parameters<typeof endState>[2], string] = [
      { standing: { side: "new", epoch: 6 }, witness: turn, records: 200 },
      "turn",
    ];
    const look = async (): Promise<readonly (readonly [string, number, boolean])[]> => {
      const end = await endState(files, readLedger(files.ledger), last);
      expect(end.against).toBe(against);
      return end.sides.map(({ side, memories, digest }) => [side, memories, digest === end.digest] as const);
    };
    expect(await look()).toEqual([
      ["new", 199, true],
      ["old", 199, true],
    ]);
    await change(50, { ...seedAt(50), weight: 0.125 });
    expect(await look()).toEqual([
      ["new", 199, false],
      ["old", 199, true],
    ]);
    await change(50, undefined);
    expect((await look())[0]).toEqual(["new", 198, false]);
    // Nobody saw this turn: both sides are held against one another.
    [last, against] = [{ ...last, standing: { side: "new", epoch: 9 } }, "other side"];
    expect(await look()).toEqual([
      ["new", 198, false],
      ["old", 199, true],
    ]);
    // Everything went back, and nobody saw that: what was planted has to be there.
    [last, against] = [{ standing: { side: "old", epoch: 12 }, witness: undefined, records: 200 }, "planted"];
    expect(await look()).toEqual([["old", 199, true]]);
    await using store = await openDataStore(`leveldb:${files.old}`);
    const gone = { collection: "", key: inOld(seedAt(60)).key, value: null };
    await store.applyTxn({ job: "j", fence: 1, origin: "o", changes: [gone], rows: [] });
    await store[Symbol.asyncDispose]();
    expect(await look()).toEqual([["old", 198, false]]);
  } finally {
    await rm(dir, { recursive: true });
  }
});
