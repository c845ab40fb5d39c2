/** Measuring processes in turns: each once a round, in random order, so that noise of the machine hits all alike. */
import { type Spread, spread } from "../measure/rounds.ts";
import type { Machines } from "./machines.ts";
import { SideDoor } from "./side-door.ts";
import { type SideName, specOf } from "./sides.ts";

/** What a case is given. */
export interface Bench {
  readonly machines: Machines;
  /** A tenth of the work, for a look; the figures are then no figures to publish. */
  readonly quick: boolean;
}

/** One figure a round for each side that could be measured. */
export type Figures = ReadonlyMap<SideName, readonly number[]>;

/** One unmeasured round first. A side that fails is told of and left out, so that a missing one spoils no run. */
export async function takeTurns(
  bench: Bench,
  names: readonly SideName[],
  rounds: number,
  measure: (door: SideDoor) => Promise<number>,
): Promise<Figures> {
  await using stack = new AsyncDisposableStack();
  const doors = await openDoors(bench, names, stack);
  const figures = new Map<SideName, number[]>();
  for (let round = -1; round < rounds; round++) {
    for (const [name, door] of shuffled([...doors])) {
      const value = await orLeave(name, () => measure(door));
      if (value === undefined) {
        doors.delete(name);
        figures.delete(name);
      } else if (round >= 0) figures.set(name, [...(figures.get(name) ?? []), value]);
    }
  }
  return new Map(names.flatMap((name) => (figures.has(name) ? [[name, figures.get(name) ?? []]] : [])));
}

/** A process for each side, closed with the stack. */
export async function openDoors(
  bench: Bench,
  names: readonly SideName[],
  stack: AsyncDisposableStack,
): Promise<Map<SideName, SideDoor>> {
  const doors = new Map<SideName, SideDoor>();
  for (const name of names) {
    const door = await openDoor(bench, name);
    if (door !== undefined) doors.set(name, stack.use(door));
  }
  return doors;
}

export function openDoor(bench: Bench, name: SideName): Promise<SideDoor | undefined> {
  return orLeave(name, async () => SideDoor.open({ ...(await specOf(name, bench.machines)), name }));
}

/** Tells in one line why a side is not measured. */
export async function orLeave<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    console.log(`not measured: ${name}: ${(error as Error).message.split("\n", 1)[0]}`);
    return undefined;
  }
}

/** Round by round, how many times the figure of `peer`. */
export function ratio(figures: Figures, ours: SideName, peer: SideName): Spread {
  const theirs = figures.get(peer) ?? [];
  return spread((figures.get(ours) ?? []).map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

/** Of `peers`, the one with the highest median. */
export function best(figures: Figures, peers: readonly SideName[]): SideName | undefined {
  const median = (name: SideName): number => spread(figures.get(name) ?? []).median;
  return peers.filter((name) => figures.has(name)).toSorted((a, b) => median(b) - median(a))[0];
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
