import type { Row } from "../../data/index.ts";
import { type ConnectorCase, type ConnectorTools, pairs } from "./subject.ts";

/** Who may look at bytes: a store that says nothing of it is held to nothing here. */
export function keepContract({ describe, expect, withSubject }: ConnectorTools): void {
  const rowsOf = (given: ConnectorCase): readonly Row[] =>
    [10, 300, 5_000, 40_000, 1_048_576, 1_500_000]
      .filter((size) => size <= (given.subject.largestValue ?? 5_000_000))
      .map((size, at) => given.row(`k${at}`, Buffer.alloc(size, 97 + at)));
  /** What is left of a row once its memory was given back, or given to somebody else. */
  const spoil = ({ key, value }: Row): void => {
    key.fill(0);
    value.fill(0);
    if (value.buffer instanceof ArrayBuffer && value.buffer.byteLength === value.byteLength)
      value.buffer.transfer(0);
  };

  describe("whose bytes rows are", () => {
    withSubject("of rows that it gives as copies, each can be spoilt and all are there", async (given) => {
      const { store } = given;
      await given.apply({ rows: rowsOf(given) });
      if (store.givesCopies !== true) return;
      const expected = pairs(rowsOf(given));
      for await (const rows of store.scan(given.range())) for (const row of rows) spoil(row);
      let range = given.range();
      for (;;) {
        const { rows, end } = await store.snapshotChunk(range, { rows: 2, bytes: 100_000 });
        const last = rows.at(-1)?.key;
        if (last !== undefined) range = { ...range, after: Uint8Array.from(last) };
        for (const row of rows) spoil(row);
        if (end || last === undefined) break;
      }
      expect(await given.content()).toEqual(expected);
    });

    withSubject("rows that it takes copies of can be spoilt once the write has settled", async (given) => {
      if (given.store.takesCopies !== true) return;
      const rows = rowsOf(given);
      const expected = pairs(rowsOf(given));
      await given.apply({ rows });
      for (const row of rows) spoil(row);
      expect(await given.content()).toEqual(expected);
    });
  });
}
