import type { Side, Timer } from "../../core/index.ts";
import { BoundedWait, type Deadlines } from "./deadlines.ts";
import type { KeptWrite } from "./journal-file.ts";
import { copyInput, writeInput } from "./journal-input.ts";
import { lookEvery } from "./journal.ts";
import type { JournalPeers } from "./journal-peers.ts";
import type { RecordedWrite } from "./journal-reader.ts";
import { Attempts, type AttemptSpec } from "./replay-attempts.ts";
import { type Entry, type Lines, newEntry, permission } from "./replay-entry.ts";
import { lostError } from "./replay-errors.ts";
import type { WriteIds } from "./write-ids.ts";

export interface ReplaySpec extends AttemptSpec {
  readonly ids: WriteIds;
  /** Deadlines of callers who wait for an earlier write of their key. */
  readonly live: Deadlines;
  /** False where each process counts its epochs for itself: then those of another one tell nothing. */
  readonly sharedEpochs: boolean;
  /** Writes that are not done on both sides, beyond which one more is only counted. */
  readonly mostOpen: number;
}

/** Time between two looks at journals of doors that are gone, and at a side that is down. Milliseconds. */
const tickEvery = 1_000;
/** A second write that is not done after this time is behind, though nothing has failed. */
const behindAfter = 5_000;
/** What `close()` waits for attempts under way. */
const lastAttempts = 1_000;

/**
 * Brings dual writes to their end. Writes of one key reach each side one after the other in the order of their ids; what
 * fails is tried again, what cannot be done is set aside and holds back its key only.
 */
export class Replay {
  readonly #spec: ReplaySpec;
  readonly #attempts: Attempts;
  #tick: Timer | undefined;
  #closed = false;

  constructor(spec: ReplaySpec) {
    this.#spec = spec;
    this.#attempts = new Attempts(spec);
    this.#takeOver();
    this.#armTick();
  }

  get lines(): Lines {
    return this.#attempts.lines;
  }

  /**
   * The intent of a dual write, written down before the first side is asked. Undefined when no more can be held: then
   * the write goes to the first side alone, which is counted and told.
   */
  intend(
    operation: string,
    key: string | undefined,
    first: Side,
    args: readonly unknown[],
  ): Entry | undefined {
    const { ledger, journal, clock, ids, errors, route, mostOpen } = this.#spec;
    const { state, cohort } = ledger;
    if (this.lines.entries.size >= mostOpen || this.#closed) {
      cohort.tally.shadowSkipped++;
      journal.addLost();
      errors.report(lostError(route, mostOpen, this.#closed));
      return undefined;
    }
    const since = clock.now();
    // Whoever chose the side has just looked at what others wrote.
    const newest = key === undefined ? "" : (this.#others(lookEvery)?.newestOf(key) ?? "");
    const id = ids.next(since, newest);
    const input = writeInput(args);
    const { epoch, salt } = state;
    const kept = journal.begin({ t: "write", id, operation, key: key ?? null, first, epoch, salt }, input);
    const held = kept === undefined || input === undefined ? copyInput(args) : undefined;
    const entry = newEntry(
      {
        id,
        operation,
        key,
        first,
        epoch,
        salt,
        state: "waiting",
        aside: undefined,
        since,
        again: false,
        kept,
        args: held,
      },
      cohort.tally,
    );
    this.lines.add(entry);
    return entry;
  }

  /** Resolves when the first side is done with the earlier writes of the key; undefined when it is already. */
  turn(entry: Entry): Promise<void> | undefined {
    if (this.lines.untaken(entry) <= 1) return undefined;
    let before: Entry | undefined;
    for (const other of this.lines.of(entry)) {
      if (other === entry) break;
      const held = other.aside !== undefined || permission(other, this.#spec.ledger.state) === "wait";
      if (other.state !== "taken" && !(other.state === "unknown" && held)) before = other;
    }
    const earlier = before;
    if (earlier === undefined) return undefined;
    return new Promise((resolve) => {
      const wait = new BoundedWait(() => {
        this.#spec.errors.fault(
          this.#spec.route,
          earlier.first,
          "an earlier write of the same key is still open",
        );
        resolve();
      });
      (earlier.heard ??= []).push(() => {
        this.#spec.live.remove(wait);
        resolve();
      });
      this.#spec.live.add(wait);
    });
  }

  /** The first side has taken it. Called before the caller hears of it. */
  taken(entry: Entry): void {
    this.#attempts.taken(entry);
  }

  /** The first side has refused it: nothing is left to do. */
  refused(entry: Entry): void {
    entry.tally = undefined;
    this.#attempts.end(entry, "refused");
  }

  /** The first side failed, and may have taken it all the same: it is asked again. */
  unknown(entry: Entry): void {
    entry.tally = undefined;
    entry.state = "unknown";
    entry.again = true;
    this.#attempts.late.add(entry);
    this.#attempts.putOff(entry, 1);
  }

  /** The side that has the newest state of a key; undefined when both have it. */
  sideOf(key: string): Side | undefined {
    const own = this.lines.entries.size === 0 ? undefined : this.lines.at(key)?.[0];
    const others = this.#others(lookEvery);
    if (others === undefined || others.open === 0) return own?.first;
    return own === undefined ? others.sideOf(key) : own.first;
  }

  /** The same for a write, which must know of every write of another door that came before. */
  sideToWrite(key: string): Side | undefined {
    return this.lines.at(key)?.[0]?.first ?? this.#others(0)?.sideOf(key);
  }

  /**
   * Second writes that were tried in vain, wait behind such a one, came from a door that is gone, or are older than 5 s;
   * and writes that were lost.
   */
  get behind(): number {
    const counted = new Set<Entry>();
    const before = this.#spec.clock.now() - behindAfter;
    for (const entry of this.lines.entries.values()) {
      if (entry.since > before) break;
      counted.add(entry);
    }
    const seen = new Set<string>();
    for (const entry of this.#attempts.late) {
      if (entry.key === undefined) counted.add(entry);
      else if (!seen.has(entry.key)) {
        seen.add(entry.key);
        for (const other of this.lines.of(entry)) counted.add(other);
      }
    }
    return counted.size + this.#spec.journal.lost + this.#spec.journal.stranded;
  }

  /** Gives what was set aside another round of attempts. */
  again(ids: readonly string[]): number {
    let count = 0;
    for (const entry of Array.from(this.lines.entries.values())) {
      if (entry.aside === undefined || (ids.length > 0 && !ids.includes(entry.id))) continue;
      if (entry.args === undefined && this.#attempts.input(entry) === undefined) continue;
      entry.aside = undefined;
      entry.failures = 0;
      entry.dueAt = 0;
      if (entry.kept !== undefined) this.#spec.journal.aside(entry.kept, undefined);
      this.#attempts.kick(entry);
      count++;
    }
    return count;
  }

  /** Ends writes that somebody has seen to by hand. One that is being made is not ended. */
  discard(ids: readonly string[]): number {
    let count = 0;
    for (const id of ids) {
      const entry = this.lines.entries.get(id);
      if (entry === undefined || entry.running || entry.state === "waiting" || entry.state === "asked")
        continue;
      this.#attempts.end(entry, "discarded");
      count++;
    }
    return count;
  }

  stateChanged(): void {
    if (this.lines.entries.size === 0) this.#spec.journal.openFolder();
    let given = 0;
    for (const entry of Array.from(this.lines.entries.values())) {
      if (entry.ended || entry.running) continue;
      if (this.#attempts.voided(entry)) given++;
      else this.#attempts.kick(entry);
    }
    if (given > 0) this.#attempts.tellVoid(given);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#tick?.cancel();
    await this.#attempts.stop(lastAttempts);
    await this.#spec.journal.close();
  }

  #others(within: number): JournalPeers | undefined {
    return this.#spec.journal.others(within);
  }

  #armTick(): void {
    this.#tick = this.#spec.clock.after(tickEvery, () => {
      this.#takeOver();
      this.#attempts.probe();
      this.#armTick();
    });
    this.#tick.unref();
  }

  /** Continues what doors that are gone have left. */
  #takeOver(): void {
    for (const [write, kept] of this.#spec.journal.takeOver((name) => this.#spec.operations.has(name))) {
      this.#spec.ids.saw(write.id);
      const entry = this.#adopted(write, kept);
      this.lines.add(entry);
      this.#attempts.late.add(entry);
      if (!write.replayable && write.aside === undefined)
        this.#attempts.setAside(
          entry,
          "its input could not be written down, and the process that held it is gone",
        );
    }
    for (const entry of this.#attempts.late)
      if (entry.state === "unknown" || this.lines.isHead(entry)) this.#attempts.kick(entry);
  }

  #adopted(write: RecordedWrite, kept: KeptWrite): Entry {
    const { id, operation, first, salt, taken, aside } = write;
    const epoch = this.#spec.sharedEpochs ? write.epoch : 0;
    const key = write.key ?? undefined;
    const state = taken ? "taken" : "unknown";
    const since = this.#spec.ids.timeOf(id);
    return newEntry(
      { id, operation, key, first, epoch, salt, state, aside, since, again: true, kept, args: undefined },
      undefined,
    );
  }
}
