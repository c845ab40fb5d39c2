import type { Chunk, PackedRows, Range, Row } from "../../data/index.ts";
import { refusal } from "../store-contract/tools.ts";
import { type ConnectorCase, type ConnectorTools, hex, pairs, plenty } from "./subject.ts";

/** A store whose rows come packed in no form is held to that, and to nothing else here. */
export function packContract({ describe, expect, withSubject }: ConnectorTools): void {
  const rowsIn = ({ rows, packed }: Chunk): readonly Row[] => packed?.rows() ?? rows;
  const packedChunk = (given: ConnectorCase, range: Range, limit = plenty): Promise<Chunk> =>
    given.store.snapshotChunk(range, { ...limit, packed: true });
  /** Undefined where rows of this store are never packed. */
  const allPacked = async (given: ConnectorCase): Promise<PackedRows | undefined> => {
    const { packed } = await packedChunk(given, given.range());
    expect(packed === undefined).toBe((await given.store.packing?.(given.collection)) === undefined);
    return packed;
  };
  const applyPacked = (
    given: ConnectorCase,
    rows: PackedRows,
    more: { readonly changes?: readonly ReturnType<ConnectorCase["set"]>[]; readonly fence?: number } = {},
  ): Promise<void> =>
    given.store.applyTxn({
      job: "job",
      fence: more.fence ?? 1,
      origin: "move",
      changes: more.changes ?? [],
      rows: [],
      packed: { collection: given.collection, rows },
      checkpoint: Buffer.from("packed"),
    });
  const filled = async (given: ConnectorCase): Promise<readonly Row[]> => {
    const values = [
      "",
      "\0",
      "text",
      Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
      "x".repeat(3_000),
    ];
    const rows = Array.from({ length: 700 }, (_, i) =>
      given.row(`k${String(i).padStart(4, "0")}`, values[i % values.length] ?? ""),
    );
    await given.apply({ rows });
    return rows;
  };

  describe("packed rows", () => {
    withSubject("asked for packed, chunks give the rows of a scan, whatever their limits", async (given) => {
      const rows = await filled(given);
      const form = await given.store.packing?.(given.collection);
      for (const limit of [plenty, { rows: 9, bytes: 1 << 28 }, { rows: 10_000, bytes: 4_000 }]) {
        const found: Row[] = [];
        let range: Range = given.range();
        for (;;) {
          const chunk = await packedChunk(given, range, limit);
          const { packed, end } = chunk;
          const own = rowsIn(chunk);
          expect(own.length <= limit.rows).toBe(true);
          if (packed !== undefined) {
            expect(chunk.rows.length).toBe(0);
            expect([packed.format, packed.count]).toEqual([form, own.length]);
            expect(packed.count === 1 || packed.bytes <= limit.bytes).toBe(true);
            expect([hex(packed.first), hex(packed.last)]).toEqual(
              [own[0], own.at(-1)].map((row) => hex(row?.key ?? Buffer.from("absent"))),
            );
          }
          found.push(...own);
          const last = own.at(-1);
          if (end || last === undefined) break;
          range = { ...range, after: last.key };
        }
        expect(pairs(found)).toEqual(pairs(rows));
      }
    });

    withSubject("a packed chunk of a range without rows says that it ends", async (given) => {
      await given.apply({ rows: [given.row("a", "1")] });
      const { rows, packed, end } = await packedChunk(given, given.range("a"));
      expect([rows.length, packed, end]).toEqual([0, undefined, true]);
    });

    withSubject("of packed rows those whose keys are wanted can be kept", async (given) => {
      const rows = await filled(given);
      const packed = await allPacked(given);
      if (packed === undefined) return;
      for (const share of [2, 3, 701]) {
        const wanted = new Set(rows.filter((_, i) => i % share === 1).map(({ key }) => hex(key)));
        const kept = packed.filter((key) => wanted.has(hex(key)));
        const expected = rows.filter(({ key }) => wanted.has(hex(key)));
        expect(pairs(kept?.rows() ?? [])).toEqual(pairs(expected));
        expect([kept?.count, kept?.format]).toEqual([expected.length, packed.format]);
        expect([kept?.first, kept?.last].map((key) => (key === undefined ? "" : hex(key)))).toEqual(
          [expected[0], expected.at(-1)].map((row) => (row === undefined ? "" : hex(row.key))),
        );
      }
      expect(packed.filter(() => false)).toBe(undefined);
      // What was kept is another one: these are all there still.
      expect(pairs(packed.filter(() => true)?.rows() ?? [])).toEqual(pairs(rows));
      expect(pairs(packed.rows())).toEqual(pairs(rows));
    });

    withSubject("packed rows are written after the changes, over what stands there", async (given) => {
      const rows = await filled(given);
      const packed = await allPacked(given);
      if (packed === undefined) return;
      await given.apply({
        changes: [given.gone("k0001"), given.set("k0002", "another"), given.set("k0699", "another")],
      });
      await applyPacked(given, packed, {
        changes: [given.set("k0003", "a change"), given.gone("k0004"), given.set("z", "stays")],
      });
      expect(await given.content()).toEqual(pairs([...rows, given.row("z", "stays")]));
      expect(String(Buffer.from((await given.store.checkpoint("job")) ?? []))).toBe("packed");
    });

    withSubject("packed rows of a writer whose job was taken over are refused whole", async (given) => {
      await filled(given);
      const packed = await allPacked(given);
      if (packed === undefined) return;
      await given.apply({ changes: [given.gone("k0001")], fence: 3, checkpoint: "three" });
      const before = await given.content();
      expect(await refusal(applyPacked(given, packed, { fence: 2 }))).toBe("CUTOVER_LEASE_LOST");
      expect(await given.content()).toEqual(before);
      expect(String(Buffer.from((await given.store.checkpoint("job")) ?? []))).toBe("three");
    });

    withSubject(
      "rows packed in a form of another store are refused, and nothing is written",
      async (given) => {
        const rows = await filled(given);
        await given.apply({ changes: [given.gone("k0001")] });
        const before = await given.content();
        const strange: PackedRows = {
          format: "of another store",
          count: rows.length,
          bytes: rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
          first: (rows[0] as Row).key,
          last: (rows.at(-1) as Row).key,
          rows: () => rows,
          filter: () => undefined,
        };
        const late = applyPacked(given, strange, { changes: [given.set("k0002", "another")] });
        expect(await refusal(late)).toBe("CUTOVER_DATA_REFUSED");
        expect(await given.content()).toEqual(before);
      },
    );
  });
}
