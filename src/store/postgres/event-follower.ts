import type { StoredEvent } from "../run-events.ts";
import type { SqlEventLog } from "../sql/event-log.ts";

const chunk = 500;

/**
 * Tells the listeners of the log of every commit once: of this process's own at once, of those of others when it hears
 * of them. Positions have no gaps and become visible in their order, so what was told is a position and what is ahead.
 */
export class EventFollower {
  readonly #log: SqlEventLog;
  /** Everything up to here was told, or happened while nobody listened. */
  #upTo: number;
  /** What was told by reading, last: after the first of these positions, up to the second. */
  #read: readonly [after: number, upTo: number] = [0, 0];
  /** Own events that were told before others' between them and `upTo` were read. */
  readonly #ahead = new Set<number>();
  #reading = false;
  #target = 0;

  constructor(log: SqlEventLog, upTo: number) {
    this.#log = log;
    this.#upTo = upTo;
  }

  /** Newest position this process knows of. */
  get newest(): number {
    return Math.max(this.#upTo, this.#target, ...this.#ahead);
  }

  /** Events of a commit of this process. */
  own(events: readonly StoredEvent[]): void {
    // Others may tell of later commits, or a reading come across these, before the answer to their own commit does.
    const [after, upTo] = this.#read;
    const fresh = events.filter(({ seq }) => seq <= after || seq > upTo);
    for (const { seq } of fresh) if (seq > this.#upTo) this.#ahead.add(seq);
    this.#advance();
    if (fresh.length > 0) this.#log.tell(fresh);
    if (this.#ahead.size > 0) this.others(Math.min(...this.#ahead) - 1);
  }

  /**
   * Others have asked for the end of orders, first in this event: whoever holds one has to know, also where nobody follows
   * what they commit.
   */
  async asked(first: number, seq: number): Promise<void> {
    if (this.#log.follows || first > seq) return;
    try {
      for (let after = first - 1; ;) {
        const page = await this.#log.read({ types: ["orders.cancel-requested"], after, limit: chunk });
        if (page.length > 0) this.#log.tell(page);
        if (page.length < chunk) return;
        after = page.at(-1)?.seq ?? seq;
      }
    } catch {
      // Not to be reached: the queue looks for such requests by itself, more slowly.
    }
  }

  /** Somebody else has committed events up to this one. */
  others(seq: number): void {
    if (!this.#log.follows) {
      this.#upTo = Math.max(this.#upTo, seq);
      this.#advance();
      return;
    }
    this.#target = Math.max(this.#target, seq);
    if (this.#target > this.#upTo && !this.#reading) void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#upTo < this.#target) {
        const events = await this.#log.read({ after: this.#upTo, limit: chunk });
        const last = events.at(-1);
        if (last === undefined) break;
        const fresh = events.filter(({ seq }) => seq > this.#upTo && !this.#ahead.has(seq));
        const [after, upTo] = this.#read;
        this.#read = [upTo === this.#upTo ? after : this.#upTo, Math.max(this.#upTo, last.seq)];
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
