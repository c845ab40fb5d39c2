import { openLevelDb } from "cutover/data";
import { inOld, oldKey, type Stored } from "./layout.ts";
import { type Kind, type Layer, type Memory } from "./memory.ts";

/** How memories that were there before are spread over the layers, of a hundred. */
const shares: readonly (readonly [Layer, number])[] = [
  ["sensory", 60],
  ["working", 20],
  ["episodic", 12],
  ["semantic", 6],
  ["core", 2],
];

const first = 1_700_000_000_000_000_001n;
/** Rows that are no memories: a write that was cut off long ago, something else's. They are set aside by name. */
export const damaged: readonly Stored[] = [
  { key: oldKey("working", "cut-off"), value: Buffer.from('{"v":1,"write":0,"at":17000') },
  { key: oldKey("core", "empty"), value: Buffer.alloc(0) },
  { key: Buffer.from("cache/7"), value: Buffer.from([0, 255, 1]) },
];

const kindOf = (layer: Layer, number: number): Kind => {
  if (layer === "episodic" && number % 5 === 0) return "dream";
  return layer === "semantic" && number % 3 === 0 ? "pattern" : "plain";
};

/** The same memory for the same number, so that what became of each can be told at the end. */
export function seedAt(index: number): Memory {
  let left = index % 100;
  let layer: Layer = "sensory";
  for (const [name, share] of shares) {
    layer = name;
    if (left < share) break;
    left -= share;
  }
  return {
    layer,
    id: `seed-${String(index).padStart(8, "0")}`,
    write: 0,
    at: first + BigInt(index) * 1_000_003n,
    kind: kindOf(layer, index),
    text: `what was ${layer} at "${index}"`,
    weight: (index % 97) / 97,
    from: null,
  };
}

/** The memory that was there under this id before anything was written; undefined: none. */
export function seedOf(id: string, records: number): Memory | undefined {
  const index = /^seed-(\d{8})$/.exec(id)?.[1];
  return index === undefined || Number(index) >= records ? undefined : seedAt(Number(index));
}

/** Fills a new LevelDB as the old engine would have left it. */
export async function plantSeeds(path: string, records: number): Promise<void> {
  await using store = await openLevelDb(path, { create: true });
  const encoding = { keyEncoding: "buffer", valueEncoding: "buffer" };
  const put = (rows: readonly Stored[]): Promise<void> =>
    store.db.batch(
      rows.map((row) => ({ type: "put", ...row })),
      encoding,
    );
  const atOnce = 5_000;
  for (let at = 0; at < records; at += atOnce)
    await put(Array.from({ length: Math.min(atOnce, records - at) }, (_, n) => inOld(seedAt(at + n))));
  await put(damaged);
}
