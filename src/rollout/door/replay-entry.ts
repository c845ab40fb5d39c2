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

/** Writes of one key in the order of their ids, and how many of them the first side has not taken. */
interface Line {
  readonly entries: Entry[];
  untaken: number;
}

/** Open writes by key. A write without a key stands in a line of its own. */
export class Lines {
  readonly #lines = new Map<string, Line>();
  readonly entries: Map<string, Entry> = new Map<string, Entry>();

  of(entry: Entry): readonly Entry[] {
    return this.#lineOf(entry)?.entries ?? [entry];
  }

  at(key: string): readonly Entry[] | undefined {
    return this.#lines.get(key)?.entries;
  }

  isHead(entry: Entry): boolean {
    return this.of(entry)[0] === entry;
  }

  /** Counted, not sought: a key that everybody writes may have a long line. */
  untaken(entry: Entry): number {
    return this.#lineOf(entry)?.untaken ?? (entry.state === "taken" ? 0 : 1);
  }

  /** Behind all that are earlier, and never before one that is being written. */
  add(entry: Entry): void {
    this.entries.set(entry.id, entry);
    if (entry.key === undefined) return;
    const untaken = entry.state === "taken" ? 0 : 1;
    const line = this.#lines.get(entry.key);
    if (line === undefined) {
      this.#lines.set(entry.key, { entries: [entry], untaken });
      return;
    }
    line.untaken += untaken;
    let place = line.entries.length;
    while (place > 0) {
      const before = line.entries[place - 1];
      if (before === undefined || before.id < entry.id || before.running) break;
      place--;
    }
    line.entries.splice(place, 0, entry);
  }

  taken(entry: Entry): void {
    const line = this.#lineOf(entry);
    if (line !== undefined && entry.state !== "taken") line.untaken--;
    entry.state = "taken";
  }

  remove(entry: Entry): void {
    this.entries.delete(entry.id);
    const line = this.#lineOf(entry);
    if (line === undefined || entry.key === undefined) return;
    if (entry.state !== "taken") line.untaken--;
    if (line.entries[0] === entry) line.entries.shift();
    else line.entries.splice(line.entries.indexOf(entry), 1);
    if (line.entries.length === 0) this.#lines.delete(entry.key);
  }

  #lineOf(entry: Entry): Line | undefined {
    return entry.key === undefined ? undefined : this.#lines.get(entry.key);
  }
}
