import fc from "fast-check";
import { expect, test } from "vitest";
import type { Row } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { rowHash } from "../digest/row-hash.ts";
import { BlockCursor } from "../digest/block-cursor.ts";
import { copyOf, type RowBlock } from "../row-block.ts";
import { comparedStretches } from "./compared-stretches.ts";
import { overlay } from "./touched.ts";

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");

/** Keys and values of few letters, so that many are alike, one begins as another does, and some are empty. */
const content = fc.dictionary(fc.stringMatching(/^[ab]{1,6}$/), fc.stringMatching(/^[xy]{0,3}$/), {
  maxKeys: 40,
});

test("stores that give blocks are compared as those that give rows are: the same stretches, keys and digests", async () => {
  const hash = await rowHash(5n);
  await fc.assert(
    fc.asyncProperty(
      content,
      content,
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 6 }),
      async (ours, changed, leafRows, most, atOnce) => {
        const theirs = { ...ours, ...changed };
        for (const key of Object.keys(changed).slice(0, 3)) if (key in ours) delete theirs[key];
        const rowsOf = (all: Readonly<Record<string, string>>): readonly Row[] =>
          Object.keys(all)
            .toSorted()
            .map((key) => ({ key: Buffer.from(key), value: Buffer.from(all[key] ?? "") }));
        const store = openMemoryStore();
        const side = (rows: readonly Row[], size: number, blocks: boolean) =>
          overlay(store, {
            async *scan() {
              for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
            },
            blocks: (blocks
              ? async function* (): AsyncGenerator<RowBlock> {
                  for (let at = 0; at < rows.length; at += size)
                    yield copyOf(rows.slice(at, at + size)) as RowBlock;
                }
              : undefined) as never,
          });
        const found = async (blocks: boolean): Promise<readonly unknown[]> => {
          const parts: unknown[] = [];
          let read = 0;
          const options = { hash, leafRows, onRead: (rows: number, bytes: number) => (read += rows + bytes) };
          const [a, b] = [side(rowsOf(ours), atOnce, blocks), side(rowsOf(theirs), 4, blocks)];
          for await (const { keys, upTo, ...rest } of comparedStretches(
            a,
            b,
            { collection: "" },
            most,
            options,
          ))
            parts.push({ ...rest, keys: keys.map(hex), upTo: hex(upTo) });
          return [...parts, read];
        };
        expect(await found(true)).toEqual(await found(false));
      },
    ),
    { numRuns: 300 },
  );
});

test("a store whose blocks are out of order is told of, within a block and between two", async () => {
  const block = (...keys: readonly string[]): RowBlock =>
    copyOf(keys.map((key) => ({ key: Buffer.from(key), value: Buffer.from("v") }))) as RowBlock;
  const read = async (...blocks: readonly RowBlock[]): Promise<string> => {
    const given = (async function* () {
      yield* blocks;
    })();
    await using cursor = new BlockCursor(given, "a store");
    let seen = 0;
    for (await cursor.fill(); cursor.block !== undefined; await cursor.fill()) {
      seen += cursor.block.count;
      cursor.at = cursor.block.count;
    }
    return `${seen} rows`;
  };
  expect(await read(block("a", "ab", "b"), block("ba", "c"))).toBe("5 rows");
  for (const wrong of [
    [block("a", "c", "b")],
    [block("ab", "a")],
    [block("a", "a")],
    [block("a", "b"), block("b")],
  ])
    await expect(read(...wrong)).rejects.toMatchObject({ code: "CUTOVER_DATA_ORDER" });
});
