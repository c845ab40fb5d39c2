import { type Clock, CutoverError, type Log, nameOneOf } from "../../core/index.ts";
import type { Chunk, ChunkLimit, DataStore, Range } from "../connector.ts";

/** What connections share. */
export interface Serving {
  readonly stores: ReadonlyMap<string, ServedStore>;
  /** Address of the door, for messages. */
  readonly place: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly largestCall: number;
  readonly chunk: ChunkLimit;
}

/**
 * How long reading a chunk may hold up the application, milliseconds, and the rows that chunks begin with and are at least. A
 * store that reads in the background, as LevelDB, gives as many as are wanted; one that reads at once, as SQLite and LMDB, gives
 * what it can in this time.
 */
const holdsUpMs = 5;
const firstRows = 1_000;
const leastRows = 100;

/** One store behind a door, and the writes that connections left behind. */
export class ServedStore {
  /** Behind the "#" of an address. */
  readonly name: string;
  readonly store: DataStore;
  /** What the store calls itself. Asked once: nothing an error is told with may fail. */
  readonly called: string;
  readonly #left = new Set<Promise<unknown>>();
  #rows = firstRows;

  constructor(name: string, store: DataStore) {
    this.name = name;
    this.store = store;
    this.called = store.name;
  }

  /** A chunk as `snapshotChunk` gives it, of fewer rows where more would hold up the application. */
  readChunk(range: Range, limit: ChunkLimit, clock: Clock): Promise<Chunk> {
    const rows = Math.min(limit.rows, this.#rows);
    const began = clock.monotonic();
    const reading = this.store.snapshotChunk(range, { ...limit, rows });
    // What was done until the store gave its promise was done in the application's turn.
    const held = clock.monotonic() - began;
    if (held > holdsUpMs) this.#rows = Math.max(leastRows, Math.round((rows * holdsUpMs) / held));
    else if (held < holdsUpMs / 2 && rows === this.#rows && rows < limit.rows) this.#rows = rows * 2;
    return reading;
  }

  /**
   * A write that was under way when its connection ended. Whoever comes next may be the same move with the same write, or the
   * next one: it must not be overtaken.
   */
  leave(write: Promise<unknown>): void {
    this.#left.add(write);
    const ended = (): boolean => this.#left.delete(write);
    write.then(ended, ended);
  }

  async afterThoseLeft(): Promise<void> {
    while (this.#left.size > 0) await Promise.allSettled(this.#left);
  }
}

/**
 * The store a client asks for; without a name the only one.
 * @throws CUTOVER_DATA_ADDRESS
 */
export function chosenStore({ stores, place }: Serving, name: string | undefined): ServedStore {
  const names = [...stores.keys()];
  const found = name === undefined && names.length === 1 ? names[0] : name;
  const served = found === undefined ? undefined : stores.get(found);
  if (served !== undefined) return served;
  const listed = names.map((one) => (one === "" ? "one without a name" : `"${one}"`)).join(", ");
  throw new CutoverError("CUTOVER_DATA_ADDRESS", {
    message: `expected a store behind ${place} (${listed}), found ${name === undefined ? "no name" : `"${name.slice(0, 200)}"`}`,
    place,
    remedy:
      name === undefined
        ? `write the name behind a "#", e.g. ${place}#${names[0]}`
        : nameOneOf(name, names, "name one of these behind the #"),
  });
}
