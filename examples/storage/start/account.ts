import { fileSwitch, openDataStore, type Standing } from "cutover/data";
import { fromNew, fromOld, inNew, inOld } from "../engine/layout.ts";
import { type Memory, memoryText } from "../engine/memory.ts";
import { places } from "../engine/places.ts";
import { damaged, seedAt, seedOf } from "../engine/seeds.ts";
import type { Witness } from "../engine/witness.ts";
import { endState, type EndState } from "./end-state.ts";
import { linesOf, type Ledger, readLedger } from "./ledger.ts";
import { rawRows } from "./raw-rows.ts";

export interface Account {
  /** What both sides held when the switch was turned, once for each turn to the other side that the engine saw. */
  readonly witnesses: readonly Witness[];
  /** What nobody wrote since the last turn, then and now. */
  readonly end: EndState;
  readonly side: Standing["side"];
  readonly rows: number;
  /** Memories that were there before and are as they were. */
  readonly untouched: number;
  /** Writes that the engine said are there. */
  readonly writes: number;
  readonly writesOnNew: number;
  /** Writes that nobody heard the end of. */
  readonly open: number;
  readonly lost: readonly string[];
  /** Older than what was acknowledged, or not as it was written. */
  readonly wrong: readonly string[];
  /** Nobody wrote them. */
  readonly extra: readonly string[];
  /** Rows that are no memories: where they were, or in quarantine. */
  readonly aside: number;
}

/**
 * Reads every row of the side in charge, as its database has it, and holds it against the ledger and against what was there before. The
 * engine, the migration and Cutover's stores have no part in it.
 */
export async function settleAccount(dir: string, records: number): Promise<Account> {
  const files = places(dir);
  const standing = await fileSwitch(files.switch).read();
  const { side } = standing;
  const ledger = readLedger(files.ledger);
  const missing = new Set([...ledger.acknowledged].filter(([, { gone }]) => !gone).map(([key]) => key));
  const [wrong, extra]: [string[], string[]] = [[], []];
  let [rows, untouched, aside] = [0, 0, 0];
  for await (const row of rawRows(side, files[side])) {
    rows++;
    const memory = side === "old" ? fromOld(row) : fromNew(row);
    if (memory === undefined) {
      const known = damaged.some(({ key, value }) => value.equals(row.value) && key.equals(row.key));
      if (known) aside++;
      else extra.push(Buffer.from(row.key).toString("utf8"));
      continue;
    }
    const key = `${memory.layer}:${memory.id}`;
    missing.delete(key);
    const found = judge(memory, key, ledger, records);
    if (found === "untouched") untouched++;
    else if (found !== "written") (found === "extra" ? extra : wrong).push(key);
  }
  const witnesses = [...linesOf<Witness>(files.witness)];
  const end = await endState(files, ledger, { standing, witness: witnesses.at(-1), records });
  await using store = await openDataStore(side === "old" ? `leveldb:${files.old}` : `lmdb:${files.new}`);
  if (side === "new") aside += await store.count({ collection: "cutover_aside" });
  const lost = [...missing].filter((key) => !mayBeGone(key, ledger));
  const touched = new Set([
    ...ledger.acknowledged.keys(),
    ...[...ledger.open.values()].map(({ key }) => key),
  ]);
  // What was there before and nobody wrote has to be there still: counted, and named where one is missing.
  const touchedSeeds = [...touched].filter((key) => isSeed(key, records)).length;
  if (untouched < records - touchedSeeds) lost.push(...(await missingSeeds(store, side, records, touched)));
  return {
    witnesses,
    end,
    side,
    rows,
    untouched,
    writes: ledger.writes,
    writesOnNew: ledger.writesOnNew,
    open: ledger.open.size,
    lost,
    wrong,
    extra,
    aside,
  };
}

function judge(
  memory: Memory,
  key: string,
  { acknowledged, open }: Ledger,
  records: number,
): "untouched" | "written" | "wrong" | "extra" {
  const seed = isSeed(key, records) ? seedOf(memory.id, records) : undefined;
  if (memory.write === 0) {
    if (seed === undefined) return "extra";
    if (acknowledged.has(key)) return "wrong";
    return memoryText(1, seed) === memoryText(1, memory) ? "untouched" : "wrong";
  }
  const last = acknowledged.get(key);
  const whole = memory.text === `said in write "${memory.write}"`;
  if (last?.write === memory.write && !last.gone) return whole ? "written" : "wrong";
  const unheard = open.get(memory.write);
  if (unheard !== undefined && !unheard.gone && memory.write > (last?.write ?? 0))
    return whole ? "written" : "wrong";
  return last === undefined ? "extra" : "wrong";
}

function isSeed(key: string, records: number): boolean {
  const colon = key.indexOf(":");
  return seedOf(key.slice(colon + 1), records)?.layer === key.slice(0, colon);
}

const mayBeGone = (key: string, { acknowledged, open }: Ledger): boolean =>
  [...open].some(
    ([write, each]) => each.gone && each.key === key && write > (acknowledged.get(key)?.write ?? 0),
  );

async function missingSeeds(
  store: {
    get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  },
  side: Standing["side"],
  records: number,
  touched: ReadonlySet<string>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let index = 0; index < records && found.length < 20; index++) {
    const memory = seedAt(index);
    const key = `${memory.layer}:${memory.id}`;
    if (touched.has(key)) continue;
    const [value] = await store.get("", [(side === "old" ? inOld(memory) : inNew(memory)).key]);
    if (value === undefined) found.push(key);
  }
  return found;
}
