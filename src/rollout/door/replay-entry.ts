import type { RouteState, Side } from "../../core/index.ts";
import type { KeptWrite } from "./journal-file.ts";
import type { Tally } from "./tally.ts";

/**
 * How far the first side is with a write: not asked yet, asked, unknown (it crashed or failed in a way that leaves it
 * open), or it has taken it.
 */
export type FirstState = "waiting" | "asked" | "unknown" | "taken";

/** A dual write that is not done on both sides. */
export interface Entry {
  readonly id: string;
  readonly operation: string;
  readonly key: string | undefined;
  readonly first: Side;
  readonly epoch: number;
  readonly salt: string;
  state: FirstState;
  /** Why it is not tried any more. */
  aside: string | undefined;
  /** Calls made off the caller's path, on either side. */
  attempts: number;
  /** Failed ones that count towards being set aside. */
  failures: number;
  running: boolean;
  ended: boolean;
  /** Monotonic milliseconds before which it is not tried. */
  dueAt: number;
  /** Wall-clock milliseconds of its intent, in this process or the one that died. */
  readonly since: number;
  /** A call may have been made that nobody knows the end of. */
  again: boolean;
  kept: KeptWrite | undefined;
  /** The input, where the journal does not hold it. */
  args: readonly unknown[] | undefined;
  /** Where its first attempt is counted, until it was made or put off. */
  tally: Tally | undefined;
  /** Writes of the same key that wait for the first side. */
  heard: (() => void)[] | undefined;
}

/** What an entry begins with; the rest is how far it has come. */
export type Begun = Pick<
  Entry,
  | "id"
  | "operation"
  | "key"
  | "first"
  | "epoch"
  | "salt"
  | "state"
  | "aside"
  | "since"
  | "again"
  | "kept"
  | "args"
>;

export function newEntry(begun: Begun, tally: Tally | undefined): Entry {
  const { id, operation, key, first, epoch, salt, state, aside, since, again, kept, args } = begun;
  return {
    id,
    operation,
    key,
    first,
    epoch,
    salt,
    state,
    aside,
    attempts: 0,
    failures: 0,
    running: false,
    ended: false,
    dueAt: 0,
    since,
    again,
    kept,
    args,
    tally,
    heard: undefined,
  };
}

export const otherSide = (side: Side): Side => (side === "old" ? "new" : "old");

/**
 * Whether the stage of now lets an entry's second write be made. A state older than the entry's own says nothing: its
 * door has not heard yet. A newer one that forbids it makes it void: `off` never writes to new, `complete` never to old.
 */
export function permission(entry: Entry, state: RouteState): "go" | "wait" | "void" {
  const sameStore = state.salt === entry.salt;
  if (sameStore && state.epoch < entry.epoch) return "wait";
  const forbidden = otherSide(entry.first) === "new" ? state.stage === "off" : state.stage === "complete";
  if (!forbidden) return "go";
  return (sameStore ? state.epoch > entry.epoch : state.epoch > 0) ? "void" : "wait";
}

/** Open writes by key, each key's in the order of their ids. A write without a key stands in a line of its own. */
export class Lines {
  readonly #lines = new Map<string, Entry[]>();
  readonly entries: Map<string, Entry> = new Map<string, Entry>();

  of(entry: Entry): readonly Entry[] {
    return (entry.key === undefined ? undefined : this.#lines.get(entry.key)) ?? [entry];
  }

  at(key: string): readonly Entry[] | undefined {
    return this.#lines.get(key);
  }

  /** Behind all that are earlier, and never before one that is being written. */
  add(entry: Entry): void {
    this.entries.set(entry.id, entry);
    if (entry.key === undefined) return;
    const line = this.#lines.get(entry.key);
    if (line === undefined) {
      this.#lines.set(entry.key, [entry]);
      return;
    }
    let place = line.length;
    while (place > 0) {
      const before = line[place - 1];
      if (before === undefined || before.id < entry.id || before.running) break;
      place--;
    }
    line.splice(place, 0, entry);
  }

  remove(entry: Entry): void {
    this.entries.delete(entry.id);
    const line = entry.key === undefined ? undefined : this.#lines.get(entry.key);
    if (line === undefined || entry.key === undefined) return;
    if (line[0] === entry) line.shift();
    else line.splice(line.indexOf(entry), 1);
    if (line.length === 0) this.#lines.delete(entry.key);
  }
}
