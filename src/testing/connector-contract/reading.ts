import { type ConnectorCase, type ConnectorTools, hex, pairs, plenty } from "./subject.ts";
import { refusal } from "../store-contract/tools.ts";

const ordered: readonly Uint8Array[] = [
  [],
  [0],
  [0, 0],
  [0, 0xff],
  [1],
  [0x20],
  [0x41],
  [0x61],
  [0x61, 0],
  [0x61, 0x62],
  [0x62],
  [0x7f],
  [0x80],
  [0xc3, 0x28],
  [0xff],
  [0xff, 0],
  [0xff, 0xff],
].map((bytes) => Uint8Array.from(bytes));

export function readContract({ describe, expect, withSubject }: ConnectorTools): void {
  const keysOf = ({ subject }: ConnectorCase): readonly Uint8Array[] =>
    subject.noEmptyKey === undefined ? ordered : ordered.slice(1);
  const fill = async (given: ConnectorCase, keys: readonly Uint8Array[]): Promise<void> => {
    // Written in another order than they are read.
    for (const key of [...keys.filter((_, index) => index % 2 === 1), ...keys.filter((_, i) => i % 2 === 0)])
      await given.write(given.set(key, `value of ${hex(key)}`));
  };

  describe("reading", () => {
    withSubject("an empty collection has no rows and says so", async (given) => {
      const { store, collection } = given;
      expect((await store.collections()).map(({ name }) => name).includes(collection)).toBe(true);
      expect(await given.content()).toEqual([]);
      expect(await store.count({ collection })).toBe(0);
      const chunk = await store.snapshotChunk({ collection }, plenty);
      expect([chunk.rows.length, chunk.end]).toEqual([0, true]);
    });

    withSubject("rows come in the order of their keys as unsigned bytes", async (given) => {
      const keys = keysOf(given);
      await fill(given, keys);
      const expected = pairs(keys.map((key) => given.row(key, `value of ${hex(key)}`)));
      expect(await given.content()).toEqual(expected);
      expect(await given.store.count(given.range())).toBe(keys.length);
      const sorted = expected.toSorted(([a], [b]) =>
        Buffer.compare(Buffer.from(a, "hex"), Buffer.from(b, "hex")),
      );
      expect(sorted).toEqual(expected);
    });

    withSubject(
      "a range leaves out its start, takes in its end, and may be open on either side",
      async (given) => {
        const keys = keysOf(given);
        await fill(given, keys);
        const borders = [undefined, ...keys, Uint8Array.from([0x40]), Uint8Array.from([0x61, 0x61])];
        for (const after of borders) {
          for (const upTo of borders) {
            const inside = keys.filter(
              (key) =>
                (after === undefined || Buffer.compare(key, after) > 0) &&
                (upTo === undefined || Buffer.compare(key, upTo) <= 0),
            );
            const expected = inside.map((key) => hex(given.row(key, "").key));
            const range = given.range(after, upTo);
            const chunk = await given.store.snapshotChunk(range, plenty);
            expect(chunk.rows.map(({ key }) => hex(key))).toEqual(expected);
            expect(chunk.end).toBe(true);
            expect(await given.store.count(range)).toBe(inside.length);
          }
        }
      },
    );

    withSubject("chunks one after the other give what a scan gives, whatever their limits", async (given) => {
      const { store, collection } = given;
      await given.apply({
        rows: Array.from({ length: 2_345 }, (_, i) => given.row(`k${String(i).padStart(6, "0")}`, `v${i}`)),
      });
      const scanned = await given.content();
      expect(scanned.length).toBe(2_345);
      for (const limit of [
        { rows: 7, bytes: 1 << 20 },
        { rows: 1_000, bytes: 300 },
        { rows: 1_000, bytes: 1 << 20 },
      ]) {
        const found: (readonly [string, string])[] = [];
        let range: { collection: string; after?: Uint8Array } = { collection };
        for (;;) {
          const { rows, end } = await store.snapshotChunk(range, limit);
          expect(rows.length <= limit.rows).toBe(true);
          const size = rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
          expect(rows.length <= 1 || size <= limit.bytes).toBe(true);
          found.push(...pairs(rows));
          const last = rows.at(-1);
          if (end || last === undefined) break;
          range = { collection, after: last.key };
        }
        expect(found).toEqual(scanned);
      }
    });

    withSubject("values are given back byte for byte: none, zeros, all bytes, large ones", async (given) => {
      const large = Buffer.alloc(given.subject.largestValue ?? 5_000_000, 0xa5);
      large[large.length - 1] = 1;
      const values = [
        Buffer.alloc(0),
        Buffer.alloc(3),
        Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
        large,
      ];
      for (const [index, value] of values.entries()) await given.write(given.set(`k${index}`, value));
      const rows = values.map((value, index) => given.row(`k${index}`, value));
      const got = await given.store.get(
        given.collection,
        rows.map(({ key }) => key),
      );
      for (const [index, row] of rows.entries())
        expect(Buffer.compare(got[index] ?? Buffer.from("absent"), row.value)).toBe(0);
      const chunk = await given.store.snapshotChunk(given.range("k2"), { rows: 10, bytes: 10 });
      expect(chunk.rows.length).toBe(1);
      expect(Buffer.compare(chunk.rows[0]?.value ?? Buffer.alloc(0), rows[3]?.value ?? Buffer.alloc(1))).toBe(
        0,
      );
    });

    withSubject(
      "rows asked for by key come in the order asked for, absent ones as undefined",
      async (given) => {
        await given.write(given.set("a", "1"), given.set("b", "2"), given.set("c", ""));
        const key = (name: string): Uint8Array => given.row(name, "").key;
        const got = await given.store.get(given.collection, ["c", "nothing", "a", "a"].map(key));
        const value = (name: string, text: string): string => hex(given.row(name, text).value);
        expect(got.map((found) => (found === undefined ? undefined : hex(found)))).toEqual([
          value("c", ""),
          undefined,
          value("a", "1"),
          value("a", "1"),
        ]);
        expect(await given.store.get(given.collection, [])).toEqual([]);
      },
    );

    withSubject("keys of every length up to the longest are kept apart", async (given) => {
      const longest = given.subject.longestKey ?? 512;
      const keys = [longest, longest - 1, 255, 256, 127, 128, 1]
        .filter((length) => length <= longest)
        .map((length) => Buffer.alloc(length, 0x6b));
      await given.write(...keys.map((key) => given.set(key, String(key.length))));
      const expected = [...new Set(keys.map((key) => key.length))]
        .toSorted((a, b) => a - b)
        .map((length) => given.row(Buffer.alloc(length, 0x6b), String(length)));
      expect(await given.content()).toEqual(pairs(expected));
    });

    withSubject("a scan stops where its signal aborts", async (given) => {
      await given.apply({ rows: Array.from({ length: 3_000 }, (_, i) => given.row(`k${i}`, "v")) });
      const stop = new AbortController();
      const read = async (): Promise<void> => {
        for await (const rows of given.store.scan(given.range(), { signal: stop.signal }))
          if (rows.length > 0) stop.abort(new TypeError("enough"));
      };
      const [outcome] = await Promise.allSettled([read()]);
      expect(outcome?.status).toBe("rejected");
    });

    withSubject("a long scan lets others have their turn", async (given) => {
      await given.apply({
        rows: Array.from({ length: 2_200 }, (_, i) => given.row(`k${String(i).padStart(6, "0")}`, "v")),
      });
      let [turns, batches, over] = [0, 0, false];
      const others = (async () => {
        for (; !over; turns++) await new Promise((resolve) => void setImmediate(resolve));
      })();
      for await (const rows of given.store.scan(given.range())) if (rows.length > 0) batches++;
      const during = turns;
      over = true;
      await others;
      // A scan of one batch has nothing to wait for.
      expect(batches < 3 || during >= 2).toBe(true);
    });

    withSubject(
      "a snapshot shows the moment in which it was asked for, whatever is read from it and when",
      async (given) => {
        const { store, collection } = given;
        if (store.snapshot === undefined) return;
        await given.write(given.set("a", "old"), given.set("b", "old"));
        const before = await given.content();
        const moment = await store.snapshot();
        try {
          await given.write(given.set("a", "new"), given.gone("b"), given.set("c", "new"));
          for (let look = 1; look <= 2; look++) {
            const found: (readonly [string, string])[] = [];
            for await (const rows of moment.scan(given.range())) found.push(...pairs(rows));
            expect(found).toEqual(before);
            expect(await moment.count(given.range())).toBe(2);
            const keys = ["a", "b", "c"].map((name) => given.row(name, "").key);
            const old = hex(given.row("a", "old").value);
            const values = (await moment.get(collection, keys)).map((value) => value && hex(value));
            expect(values).toEqual([old, hex(given.row("b", "old").value), undefined]);
            expect((await moment.collections()).some(({ name }) => name === collection)).toBe(true);
          }
        } finally {
          await moment[Symbol.asyncDispose]();
        }
        expect(await given.content()).toEqual(pairs([given.row("a", "new"), given.row("c", "new")]));
      },
    );

    withSubject("a collection it does not have is refused by name", async (given) => {
      const range = { collection: "no such collection" };
      expect(await refusal(given.store.count(range))).toBe("CUTOVER_DATA_COLLECTION");
      expect(await refusal(given.store.snapshotChunk(range, plenty))).toBe("CUTOVER_DATA_COLLECTION");
      expect(await refusal(given.store.get(range.collection, [Buffer.from("k")]))).toBe(
        "CUTOVER_DATA_COLLECTION",
      );
    });
  });
}
