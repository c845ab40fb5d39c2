import { describe, expect, test } from "vitest";
import { reserved } from "../capture-engine.ts";
import type { LmdbDb, LmdbRoot } from "./lmdb-driver.ts";
import { LmdbEngine } from "./lmdb-engine.ts";

const key = Buffer.from("k");
const given = (): Error => new Error("MDB_BAD_TXN: Transaction must abort, has a child, or is invalid");

/** An engine over a package that gives up the first `failures` transactions. */
function engine(failures: number, fault: () => Error = given) {
  const kept: string[] = [];
  let begun = 0;
  const db = {
    getBinary: () => undefined,
    put: (_: Uint8Array, value: Uint8Array) => (
      kept.push(Buffer.from(value).toString()),
      Promise.resolve(true)
    ),
  } as unknown as LmdbDb;
  const root = {
    flushed: Promise.resolve(),
    transaction: async (action: () => void) => {
      const mine = ++begun;
      await Promise.resolve();
      if (mine <= failures) throw fault();
      action();
    },
    close: () => Promise.resolve(),
  } as unknown as LmdbRoot;
  const store = new LmdbEngine(
    "lmdb:test",
    root,
    new Map([
      ["", db],
      [reserved, db],
    ]),
    [],
  );
  const write = (text: string): Promise<void> =>
    store.write(() => [{ collection: "", key, value: Buffer.from(text) }], true);
  return { write, kept, begun: () => begun };
}

describe("a transaction that LMDB gives up", () => {
  test("is begun again, and written once", async () => {
    const { write, kept, begun } = engine(2);
    await write("a");
    expect(kept).toEqual(["a"]);
    expect(begun()).toBe(3);
  });

  test("is told when it is given up each time", async () => {
    const { write, kept, begun } = engine(10);
    await expect(write("a")).rejects.toMatchObject({ code: "CUTOVER_DATA_IO" });
    expect(kept).toEqual([]);
    expect(begun()).toBe(3);
  });

  test("is told at once while a later write waits, which it must not fall behind", async () => {
    const { write, kept } = engine(1);
    const both = await Promise.allSettled([write("a"), write("b")]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(kept).toEqual(["b"]);
  });

  test("is told at once when it is another fault", async () => {
    const { write, begun } = engine(1, () => new Error("EIO: input/output error"));
    await expect(write("a")).rejects.toMatchObject({ code: "CUTOVER_DATA_IO" });
    expect(begun()).toBe(1);
  });
});
