import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Standing } from "cutover/data";
import { type Places, turnList } from "../engine/places.ts";
import { digestText, memoryIn, type Witness } from "../engine/witness.ts";
import { type Ledger, type Line, linesOf } from "./ledger.ts";
import { rawRows } from "./raw-rows.ts";

/** Memories that nobody wrote since the last turn, at the turn and at the very end. */
export interface EndState {
  readonly turn: Pick<Witness, "to" | "epoch">;
  readonly memories: number;
  /** Of both sides at the turn, where they were equal. */
  readonly digest: string;
  /** Each side that is there at the end, as its database has it. */
  readonly sides: readonly {
    readonly side: Standing["side"];
    readonly memories: number;
    readonly digest: string;
  }[];
}

/**
 * Holds the very end against the last turn, when both sides held the same: every memory that was not written since has to be there,
 * to the letter, on each side that is still there. Those that were written since are judged by the ledger. Undefined: nobody
 * was witness of a turn.
 */
export async function endState(
  files: Places,
  ledger: Ledger,
  turn: Witness | undefined,
): Promise<EndState | undefined> {
  if (turn === undefined || !existsSync(turnList(files, turn.epoch))) return undefined;
  const { to, epoch } = turn;
  const written = writtenSince(files.ledger, to);
  for (const { key } of ledger.open.values()) written.add(key);
  // The old side is left with what the way back brought it; the new one is emptied when everything has gone back.
  const sides: readonly Standing["side"][] = to === "new" ? ["new", "old"] : ["old"];
  const found = [];
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
  const still = { memories: 0, sum: 0n };
  const sums = found.map(({ side, there }) => ({ side, there, memories: 0, sum: 0n }));
  for await (const [name, number] of listed(turnList(files, epoch))) {
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
    turn: { to, epoch },
    memories: still.memories,
    digest: digestText(still.sum),
    sides: sums.map(({ side, memories, sum }) => ({ side, memories, digest: digestText(sum) })),
  };
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
