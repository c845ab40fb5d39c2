import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Standing } from "cutover/data";
import { inOld } from "../engine/layout.ts";
import { type Places, turnList } from "../engine/places.ts";
import { seedAt } from "../engine/seeds.ts";
import { digestText, memoryIn, type Witness } from "../engine/witness.ts";
import { type Ledger, type Line, linesOf } from "./ledger.ts";
import { rawRows } from "./raw-rows.ts";

/** Memories that nobody wrote since the last turn, then and at the very end. */
export interface EndState {
  /**
   * What the end is held against: what the engine saw at the last turn. Without that witness the side that was left at the turn, which
   * nobody but the way back has written since; where that is gone too, what was planted and nobody ever wrote.
   */
  readonly against: "turn" | "other side" | "planted";
  readonly to: Standing["side"];
  readonly memories: number;
  readonly digest: string;
  /** Each side that is there at the end, as its database has it. */
  readonly sides: readonly {
    readonly side: Standing["side"];
    readonly memories: number;
    readonly digest: string;
  }[];
}

/**
 * Looks at the very end, whoever saw the last turn: every memory that was not written since has to be there, to the letter, on each side
 * that is still there. Those that were written since are judged by the ledger.
 */
export async function endState(
  files: Places,
  ledger: Ledger,
  last: {
    /** What the switch says in the end. */
    readonly standing: Standing;
    readonly witness: Witness | undefined;
    /** How many memories were planted. */
    readonly records: number;
  },
): Promise<EndState> {
  const { standing, witness, records } = last;
  const to = standing.side;
  const seen = witness?.epoch === standing.epoch && existsSync(turnList(files, standing.epoch));
  const against = seen ? "turn" : to === "new" ? "other side" : "planted";
  const written =
    against === "planted" ? new Set(ledger.acknowledged.keys()) : writtenSince(files.ledger, to);
  for (const { key } of ledger.open.values()) written.add(key);
  // The old side is left with what the way back brought it; the new one is emptied when everything has gone back.
  const sides: readonly Standing["side"][] = to === "new" ? ["new", "old"] : ["old"];
  const found: { readonly side: Standing["side"]; readonly there: ReadonlyMap<string, bigint> }[] = [];
  for (const side of sides) {
    const there = new Map<string, bigint>();
    for await (const row of rawRows(side, files[side])) {
      const memory = memoryIn(row);
      if (memory === undefined) continue;
      // Grown out of a write whose end nobody heard.
      if (ledger.open.has(memory.write)) written.add(memory.name);
      else there.set(memory.name, memory.number);
    }
    found.push({ side, there });
  }
  const expected = {
    turn: () => listed(turnList(files, standing.epoch)),
    "other side": () => found.find(({ side }) => side !== to)?.there ?? [],
    planted: () => planted(records),
  };
  const still = { memories: 0, sum: 0n };
  const sums = found.map(({ side, there }) => ({ side, there, memories: 0, sum: 0n }));
  for await (const [name, number] of expected[against]()) {
    if (written.has(name)) continue;
    still.memories++;
    still.sum += number;
    for (const each of sums) {
      const now = each.there.get(name);
      if (now === undefined) continue;
      each.memories++;
      each.sum += now;
    }
  }
  return {
    against,
    to,
    memories: still.memories,
    digest: digestText(still.sum),
    sides: sums.map(({ side, memories, sum }) => ({ side, memories, digest: digestText(sum) })),
  };
}

function* planted(records: number): Generator<readonly [name: string, number: bigint]> {
  for (let index = 0; index < records; index++) {
    const memory = memoryIn(inOld(seedAt(index)));
    if (memory !== undefined) yield [memory.name, memory.number];
  }
}

/** Keys of the writes that the side took since it is in charge. */
function writtenSince(ledger: string, to: Standing["side"]): Set<string> {
  const keys = new Set<string>();
  let since = to === "new";
  for (const line of linesOf<Line>(ledger)) {
    if (!("a" in line)) continue;
    // The turn back lies behind the first write that the new side took; what is counted too much is judged by the ledger.
    if (line.s === "new") since = true;
    if (since && line.s === to) for (const key of line.k) keys.add(key);
  }
  return keys;
}

async function* listed(file: string): AsyncGenerator<readonly [name: string, number: bigint]> {
  await using handle = await open(file);
  for await (const line of handle.readLines()) {
    const space = line.indexOf(" ");
    yield [line.slice(space + 1), BigInt(line.slice(0, space))];
  }
}
