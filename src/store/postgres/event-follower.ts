import type { StoredEvent } from "../run-events.ts";
import type { SqlEventLog } from "../sql/event-log.ts";

const chunk = 500;
/** A commit is answered, or given up, long before somebody began to follow so often. */
const mostUnread = 32;
/** Notable events of this process that are kept apart from those of others. */
const mostOwn = 1_000;

/** Events that concern other processes whatever they do: whoever holds the order, has the route, carries the run. */
export const notableTypes: ReadonlySet<string> = new Set([
  "orders.cancel-requested",
  "route.changed",
  "decision.asked",
]);

/**
 * Tells the listeners of the log of every commit once: of this process's own at once, of those of others when it hears
 * of them. Positions have no gaps and become visible in their order, so what was told is a position and what is ahead.
 */
export class EventFollower {
  readonly #log: SqlEventLog;
  readonly #saw: (events: readonly StoredEvent[]) => void;
  /** Everything up to here was told, or happened while nobody listened. */
  #upTo: number;
  /** Events that were told before others' between them and `upTo` were read: own ones, and notable ones. */
  readonly #ahead = new Set<number>();
  /** Stretches behind `upTo` that were not read, after one position and up to another. */
  readonly #unread: { readonly from: number; to: number }[] = [];
  #reading = false;
  #target = 0;
  /** Notable events up to here were told, and those of this process among the last of them. */
  #noted = 0;
  #noting: Promise<void> = Promise.resolve();
  readonly #ownNotable = new Set<number>();
  /** What `newest` was at the last look at the end of the chain. */
  #believed = 0;

  /** @param saw told of the events of others that were read */
  constructor(log: SqlEventLog, upTo: number, saw: (events: readonly StoredEvent[]) => void = () => {}) {
    this.#log = log;
    this.#upTo = upTo;
    this.#saw = saw;
  }

  /** Newest position this process knows of. */
  get newest(): number {
    return Math.max(this.#upTo, this.#target, ...this.#ahead);
  }

  /** Events of a commit of this process. */
  own(events: readonly StoredEvent[]): void {
    // A reading of others' events may have come across them before the answer to the commit did.
    const fresh = events.filter(({ seq }) => seq > this.#upTo || this.#passed(seq));
    for (const { seq } of fresh) if (seq > this.#upTo) this.#ahead.add(seq);
    this.#advance();
    this.#rememberNotable(events);
    if (fresh.length > 0) this.#log.tell(fresh);
    if (this.#ahead.size > 0) this.others(Math.min(...this.#ahead) - 1);
  }

  /** Others have committed notable events, first this one: told also where nobody follows what they commit. */
  notable(first: number, seq: number): Promise<void> {
    // One reading after the other: two at a time would both come across what was committed meanwhile.
    if (first <= seq) this.#noting = this.#noting.then(() => this.#note(first));
    return this.#noting;
  }

  /**
   * The chain ended here when it was looked at. Whoever rings is believed until the next look: what was heard of before the
   * last one has to be there by now. It is not when somebody rang who knows nothing, or when the server has changed.
   */
  looked(seq: number): void {
    if (seq < this.#believed) {
      this.#upTo = Math.min(this.#upTo, seq);
      this.#target = Math.min(this.#target, seq);
    }
    this.#believed = this.newest;
    this.others(seq);
  }

  /** Up to here the chain is what it was; what follows is new, whatever was heard: another server is there, or this one was set back. */
  setBack(seq: number): void {
    this.#upTo = Math.min(this.#upTo, seq);
    this.#target = Math.min(this.#target, seq);
    this.#noted = Math.min(this.#noted, seq);
    this.#believed = this.#upTo;
    this.#unread.length = 0;
    this.#ahead.clear();
    for (const own of this.#ownNotable) if (own > seq) this.#ownNotable.delete(own);
  }

  /** Somebody else has committed events up to this one. */
  others(seq: number): void {
    if (!this.#log.follows) {
      this.#pass(seq);
      this.#advance();
      return;
    }
    this.#target = Math.max(this.#target, seq);
    if (this.#target > this.#upTo && !this.#reading) void this.#catchUp();
  }

  #rememberNotable(events: readonly StoredEvent[]): void {
    for (const { seq, type } of events) if (notableTypes.has(type)) this.#ownNotable.add(seq);
    // Where nobody rings they are never read.
    for (const seq of this.#ownNotable) {
      if (this.#ownNotable.size <= mostOwn) return;
      this.#ownNotable.delete(seq);
    }
  }

  async #note(first: number): Promise<void> {
    try {
      while (!this.#log.follows) {
        const after = Math.max(first - 1, this.#noted);
        const page = await this.#log.read({ types: [...notableTypes], after, limit: chunk });
        this.#noted = page.at(-1)?.seq ?? this.#noted;
        const fresh = page.filter(({ seq }) => !this.#ownNotable.has(seq));
        for (const { seq } of fresh) if (seq > this.#upTo) this.#ahead.add(seq);
        for (const seq of this.#ownNotable) if (seq <= this.#noted) this.#ownNotable.delete(seq);
        if (fresh.length > 0) this.#log.tell(fresh);
        if (page.length < chunk) return;
      }
    } catch {
      // Not to be reached: who waits for such events looks by itself too, more slowly.
    }
  }

  /** Goes on to this position without reading what lies before it. */
  #pass(seq: number): void {
    if (seq <= this.#upTo) return;
    const last = this.#unread.at(-1);
    if (last?.to === this.#upTo) last.to = seq;
    else this.#unread.push({ from: this.#upTo, to: seq });
    if (this.#unread.length > mostUnread) this.#unread.shift();
    this.#upTo = seq;
  }

  /** Whether it was passed without being read: one of this process's commits may lie there that was not answered yet. */
  #passed(seq: number): boolean {
    return this.#unread.some(({ from, to }) => from < seq && seq <= to);
  }

  async #catchUp(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#upTo < this.#target) {
        const events = await this.#log.read({ after: this.#upTo, limit: chunk });
        const last = events.at(-1);
        if (last === undefined) break;
        this.#saw(events);
        const fresh = events.filter(({ seq }) => seq > this.#upTo && !this.#ahead.has(seq));
        this.#upTo = Math.max(this.#upTo, last.seq);
        this.#advance();
        if (fresh.length > 0) this.#log.tell(fresh);
      }
    } catch {
      // The store is not to be reached: the next ring or look tries again.
    } finally {
      this.#reading = false;
    }
  }

  #advance(): void {
    for (const seq of [...this.#ahead].toSorted((a, b) => a - b)) {
      if (seq > this.#upTo + 1) break;
      this.#ahead.delete(seq);
      this.#upTo = Math.max(this.#upTo, seq);
    }
  }
}
