import {
  asError,
  backoffDelay,
  type BackoffPolicy,
  type Clock,
  type Side,
  type Timer,
} from "../../core/index.ts";
import type { AnyFunction, Outcome } from "./apart.ts";
import type { Deadlines } from "./deadlines.ts";
import { copyInput, readInput } from "./journal-input.ts";
import type { Journal } from "./journal.ts";
import type { Ending } from "./journal-record.ts";
import type { Ledger } from "./ledger.ts";
import { type Entry, Lines, otherSide, permission } from "./replay-entry.ts";
import { asideError, voidError } from "./replay-errors.ts";
import { SideHealth } from "./replay-health.ts";
import { ReplayLane } from "./replay-lane.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { Tally } from "./tally.ts";
import type { Write } from "./write-ids.ts";

export interface AttemptSpec {
  readonly route: string;
  readonly operations: ReadonlyMap<string, Readonly<Record<Side, AnyFunction>>>;
  readonly journal: Journal;
  readonly ledger: Ledger;
  /** Deadlines of calls off the caller's path. */
  readonly apart: Deadlines;
  readonly errors: ErrorReporter;
  readonly clock: Clock;
  readonly random: () => number;
  /** Failed attempts after which a write is set aside. */
  readonly attempts: number;
}

const retry: BackoffPolicy = { base: 100, factor: 2, cap: 30_000, floor: 20, jitter: 0.5 };
/** Time between two looks at another door's earlier write of the same key. */
const othersEvery = 50;

/**
 * The calls that nobody waits for. Of each key the earliest write is made next: on the first side again where nobody knows
 * whether it has it, else on the second one. What fails is tried again, what cannot be done is set aside.
 */
export class Attempts {
  readonly lines: Lines = new Lines();
  /** Writes that were tried in vain, cannot be tried now, or came from a door that is gone. */
  readonly late: Set<Entry> = new Set<Entry>();
  readonly #spec: AttemptSpec;
  readonly #health: Readonly<Record<Side, SideHealth>> = { old: new SideHealth(), new: new SideHealth() };
  readonly #lane: ReplayLane;
  readonly #timers = new Set<Timer>();
  #closed = false;

  constructor(spec: AttemptSpec) {
    this.#spec = spec;
    this.#lane = new ReplayLane(spec.apart, (entry) => this.#run(entry));
  }

  /** The first side has taken it. Called before the caller hears of it. */
  taken(entry: Entry): void {
    this.lines.taken(entry);
    if (entry.tally !== undefined) entry.tally.apart++;
    if (entry.kept !== undefined) this.#spec.journal.taken(entry.kept);
    this.#firstEnded(entry);
  }

  /** Nothing is left to do. */
  end(entry: Entry, why: Ending): void {
    if (entry.ended) return;
    entry.ended = true;
    this.#leaveTally(entry, false);
    const line = this.lines.of(entry);
    this.lines.remove(entry);
    this.late.delete(entry);
    if (entry.kept !== undefined) this.#spec.journal.ended(entry.kept, why, why === "refused");
    const { heard } = entry;
    entry.heard = undefined;
    if (heard !== undefined) for (const next of heard) next();
    const head = line[0];
    if (head !== undefined && head !== entry) this.kick(head);
  }

  /** Ends an entry that the stage of now forbids; false when it does not. */
  voided(entry: Entry): boolean {
    if (entry.state !== "taken" && entry.state !== "unknown") return false;
    if (permission(entry, this.#spec.ledger.state) !== "void") return false;
    this.end(entry, "void");
    return true;
  }

  tellVoid(given: number): void {
    const { errors, route, ledger } = this.#spec;
    errors.report(voidError(route, ledger.state, given));
  }

  /** Tries one write of a side that is down, when it is time. */
  probe(): void {
    for (const side of ["old", "new"] as const) {
      const id = this.#health[side].probe(this.#spec.clock.monotonic());
      const entry = id === undefined ? undefined : this.lines.entries.get(id);
      if (entry !== undefined) this.#admit(entry);
    }
  }

  /** Begins nothing any more; resolves when what is under way has ended, at the latest after `ms`. */
  stop(ms: number): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    return new Promise((resolve) => {
      const limit = this.#spec.clock.after(ms, resolve);
      const idle = (): void => {
        limit.cancel();
        resolve();
      };
      if (!this.#lane.stop(idle)) idle();
    });
  }

  /** Looks at the line of an entry for what can be done now. */
  kick(entry: Entry): void {
    if (this.#closed) return;
    const line = this.lines.of(entry);
    const open = this.lines.untaken(entry) === 0 ? undefined : line.find((other) => other.state !== "taken");
    if (open?.state === "unknown") this.#consider(open);
    const head = line[0];
    if (head?.state === "taken") this.#consider(head);
  }

  #consider(entry: Entry): void {
    if (entry.running || entry.ended || entry.aside !== undefined) return;
    if (entry.dueAt > this.#spec.clock.monotonic()) return this.#leaveTally(entry, true);
    const allowed = permission(entry, this.#spec.ledger.state);
    if (allowed === "void") {
      this.end(entry, "void");
      return this.tellVoid(1);
    }
    if (allowed === "wait") return this.#leaveTally(entry, true);
    const health = this.#health[this.#target(entry)];
    if (health.down) {
      health.parked.add(entry.id);
      this.late.add(entry);
      return this.#leaveTally(entry, true);
    }
    this.#admit(entry);
  }

  #admit(entry: Entry): void {
    if (entry.running || entry.ended || entry.aside !== undefined || this.#closed) return;
    this.#lane.admit(entry);
  }

  /** The side that is asked next. */
  #target(entry: Entry): Side {
    return entry.state === "unknown" ? entry.first : otherSide(entry.first);
  }

  #run(entry: Entry): void {
    const { ledger, operations } = this.#spec;
    if (permission(entry, ledger.state) !== "go" || this.#closed) {
      entry.running = false;
      return this.kick(entry);
    }
    if (entry.key !== undefined && this.#spec.journal.others(0)?.hasEarlier(entry.key, entry.id) === true) {
      // Another door has an earlier write of this key open: that one goes first.
      return this.putOff(entry, undefined);
    }
    if (entry.state === "unknown" && this.#isOvertaken(entry)) {
      // A later write has reached the first side: to repeat this one there would bring an old state back.
      entry.running = false;
      return this.taken(entry);
    }
    const functions = operations.get(entry.operation);
    const input = functions === undefined ? undefined : this.input(entry);
    if (functions === undefined || input === undefined) {
      entry.running = false;
      return this.setAside(entry, "its input cannot be read");
    }
    const side = this.#target(entry);
    const counted = side === entry.first ? undefined : entry.tally;
    if (counted !== undefined) counted.shadowCalls++;
    entry.attempts++;
    const { id, operation, key, attempts, again } = entry;
    const self: Write = { id, operation, key, side, attempt: attempts, again };
    entry.again = true;
    this.#lane.call(entry, functions[side], self, input, (outcome) =>
      this.#settle(entry, side, outcome, counted),
    );
  }

  #settle(entry: Entry, side: Side, outcome: Outcome | undefined, counted: Tally | undefined): void {
    if (counted !== undefined && outcome === undefined) counted.shadowTimeouts++;
    else if (counted !== undefined && outcome?.ok === false) counted.shadowErrors++;
    if (entry.ended) return;
    this.#leaveTally(entry, false);
    if (outcome?.ok === true) {
      if (this.#health[side].succeeded()) this.#wake(side);
      if (side !== entry.first) return this.end(entry, "done");
      entry.failures = 0;
      return this.taken(entry);
    }
    const error = outcome === undefined ? "not answered within its deadline" : outcome.error;
    // On the first side too: a refusal of the repetition does not tell that the call before was refused.
    this.late.add(entry);
    this.#spec.errors.fault(this.#spec.route, side, error);
    const health = this.#health[side];
    const wasDown = health.down;
    health.failed(entry.key ?? entry.id, this.#spec.clock.monotonic(), this.#spec.random);
    if (!wasDown && ++entry.failures >= this.#spec.attempts) {
      return this.setAside(
        entry,
        `${entry.failures} attempts failed, the last one: ${asError(error).message}`,
      );
    }
    if (health.down) {
      health.parked.add(entry.id);
      return;
    }
    this.putOff(entry, entry.failures);
  }

  #isOvertaken(entry: Entry): boolean {
    if (entry.key === undefined) return false;
    const later = this.lines.of(entry).some((other) => other.id > entry.id && other.state === "taken");
    return later || this.#spec.journal.others(0)?.hasLater(entry.key, entry.id) === true;
  }

  input(entry: Entry): readonly unknown[] | undefined {
    if (entry.args !== undefined) return copyInput(entry.args);
    if (entry.kept === undefined) return undefined;
    const record = this.#spec.journal.record(entry.kept);
    return record === undefined ? undefined : readInput(record);
  }

  /** @param failures sets the time until the next attempt; undefined: another door is to be waited for */
  putOff(entry: Entry, failures: number | undefined): void {
    entry.running = false;
    this.#leaveTally(entry, true);
    const { clock, random } = this.#spec;
    const delay = failures === undefined ? othersEvery : backoffDelay(retry, failures, random);
    entry.dueAt = clock.monotonic() + delay;
    const timer = clock.after(delay, () => {
      this.#timers.delete(timer);
      entry.dueAt = 0;
      this.kick(entry);
    });
    timer.unref();
    this.#timers.add(timer);
  }

  setAside(entry: Entry, why: string): void {
    entry.aside = why.slice(0, 500);
    this.late.add(entry);
    this.#leaveTally(entry, true);
    if (entry.kept !== undefined) this.#spec.journal.aside(entry.kept, entry.aside);
    this.#spec.errors.report(asideError(this.#spec.route, entry));
    this.#firstEnded(entry);
  }

  #wake(side: Side): void {
    const { parked } = this.#health[side];
    const ids = [...parked];
    parked.clear();
    for (const id of ids) {
      const entry = this.lines.entries.get(id);
      if (entry !== undefined) this.kick(entry);
    }
  }

  /** The interval of an entry's first attempt is not kept open for later ones. */
  #leaveTally(entry: Entry, skipped: boolean): void {
    const { tally } = entry;
    if (tally === undefined || (entry.state !== "taken" && !entry.ended)) return;
    entry.tally = undefined;
    if (entry.state === "taken") tally.apart--;
    if (skipped) tally.shadowSkipped++;
  }

  #firstEnded(entry: Entry): void {
    const { heard } = entry;
    entry.heard = undefined;
    if (heard !== undefined) for (const next of heard) next();
    this.kick(entry);
  }
}
