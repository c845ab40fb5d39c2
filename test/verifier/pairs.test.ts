import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { decodeKey, endMove, moveData, verifyData, type Verification } from "../../src/data/index.ts";
import { connectClient } from "../postgres/client.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import {
  filesSide,
  levelSide,
  lmdbSide,
  none,
  postgresSide,
  type RawSide,
  type RawValue,
  sqliteSide,
} from "./raw-sides.ts";

let dir: string;
let server: TestServer;
let sides: RawSide[];
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical" });
});
afterAll(() => server.stop());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-verifier-"));
  sides = [];
});
afterEach(async () => {
  await Promise.all(sides.map((side) => side.close()));
  rmSync(dir, { recursive: true, force: true });
});

const kinds = {
  leveldb: (at: string) => levelSide(at, false),
  "leveldb read by a thread": (at: string) => levelSide(at, true),
  lmdb: lmdbSide,
  files: filesSide,
  sqlite: sqliteSide,
  postgres: async () => {
    const url = await server.database();
    const client = await connectClient(url);
    await client.query("CREATE TABLE t (k text PRIMARY KEY, v jsonb)");
    return postgresSide(url, client);
  },
} satisfies Record<string, (at: string) => RawSide | Promise<RawSide>>;

const keyOf = (n: number): string => `row${String(n).padStart(4, "0")}`;
const valueOf = (n: number): string => `{"name":"n${n}","at":"170000000000000000${n % 10}"}`;
const count = 400;
const rows = (): Record<string, RawValue> => ({
  ...Object.fromEntries(Array.from({ length: count }, (_, n) => [keyOf(n), valueOf(n)])),
  [keyOf(50)]: "",
  [keyOf(52)]: "",
  [keyOf(60)]: "5",
});

/** What may go wrong with rows on the way, each at rows of its own. */
const damage: Readonly<Record<string, RawValue>> = {
  // A flipped bit, a dropped row, also the first and the last one.
  [keyOf(9)]: valueOf(9).replace("n9", "n8"),
  [keyOf(200)]: null,
  [keyOf(0)]: null,
  [keyOf(count - 1)]: null,
  // A row twice, two values swapped, a row under another key.
  [`${keyOf(10)}b`]: valueOf(10),
  [keyOf(20)]: valueOf(333),
  [keyOf(333)]: valueOf(20),
  [keyOf(40)]: null,
  [`${keyOf(40)}x`]: valueOf(40),
  // Another case, a space at the end, something for empty and empty for something.
  [keyOf(30)]: valueOf(30).toUpperCase(),
  [keyOf(31)]: `${valueOf(31)} `,
  [keyOf(50)]: "0",
  [keyOf(51)]: "",
};
/** Where values have types: a number for its text, NULL for empty and for something. */
const typed: Readonly<Record<string, RawValue>> = { [keyOf(60)]: 5, [keyOf(52)]: none, [keyOf(70)]: none };

/** What a reader of its own says of two sides. */
function told(old: Record<string, RawValue>, young: Record<string, RawValue>): readonly string[] {
  const keys = [...new Set([...Object.keys(old), ...Object.keys(young)])].toSorted();
  return keys.flatMap((key) => {
    if (!(key in young)) return [`missing ${key}`];
    if (!(key in old)) return [`extra ${key}`];
    return old[key] === young[key] ? [] : [`different ${key}`];
  });
}

const said = ({ differences }: Verification, hasTypes: boolean): readonly string[] =>
  differences
    .map(({ kind, key }) => `${kind} ${hasTypes ? (decodeKey(key)[0] as string) : String(Buffer.from(key))}`)
    .toSorted((a, b) => (a.split(" ")[1]! < b.split(" ")[1]! ? -1 : 1));

async function verdict(old: RawSide, young: RawSide): Promise<Verification> {
  await using source = await old.open();
  await using target = await young.open();
  const found = await verifyData({
    source,
    target,
    collections: [old.collection],
    leafRows: 50,
    random: (length) => new Uint8Array(length).fill(3),
  });
  return found;
}

test.each<readonly [keyof typeof kinds, keyof typeof kinds]>([
  ["leveldb", "lmdb"],
  ["leveldb read by a thread", "leveldb read by a thread"],
  ["lmdb", "files"],
  ["files", "leveldb read by a thread"],
  ["sqlite", "sqlite"],
  ["postgres", "postgres"],
])(
  "%s → %s: a copy is whole for a reader of its own, and what such a one damages is found as it says, no more and no less",
  async (from, to) => {
    const [old, young] = [await kinds[from](join(dir, "old")), await kinds[to](join(dir, "new"))];
    sides.push(old, young);
    // Made by us where a store has to be: files and databases are then the driver's.
    await (await old.open())[Symbol.asyncDispose]();
    const whole = rows();
    await old.write(whole);
    {
      await using source = await old.open();
      await using target = await young.open();
      const ranges = [{ collection: old.collection }];
      await moveData({ source, target, job: "copy", fence: 1, ranges, chunk: { rows: 90 } });
      await endMove({ source, target, job: "copy" });
    }
    const there = await young.rows();
    expect(there).toEqual(await old.rows());
    expect(Object.keys(there)).toHaveLength(count);
    expect(await verdict(old, young)).toMatchObject({ equal: true, differences: [] });

    const hasTypes = from === "sqlite" || from === "postgres";
    const hurt = { ...damage, ...(hasTypes ? typed : {}) };
    for (const side of [young, old]) {
      await side.write(hurt);
      const found = await verdict(old, young);
      expect([found.equal, found.unexplained, found.unsettled]).toEqual([false, [], 0]);
      expect(said(found, hasTypes)).toEqual(told(await old.rows(), await young.rows()));
      expect(found.differences).toHaveLength(Object.keys(hurt).length);
      await side.write(Object.fromEntries(Object.keys(hurt).map((key) => [key, whole[key] ?? null])));
    }
    expect(await verdict(old, young)).toMatchObject({ equal: true });
  },
  60_000,
);
