import { CutoverError } from "../../core/index.ts";
import { type Break, ChainWalk } from "../chain.ts";
import type { StoredEvent } from "../run-events.ts";
import { eventOf, type EventRow, eventText } from "../run-rows.ts";
import { all, type Dialect, one, type Program } from "./program.ts";

/** Events replayed together: their orders are loaded and written as one. */
const replayChunk = 200;

interface End {
  readonly seq: number;
  readonly hash: string;
}

/** The log as a rebuild reads it: each event is held against the chain before it can become a row. */
export class CheckedLog {
  readonly #walk = new ChainWalk();
  readonly #page: string;
  readonly #head: string;

  constructor(dialect: Dialect) {
    this.#page = `SELECT e.seq, e.at, e.stream, e.type, ${dialect.eventData("e")}, ${dialect.hex("e.hash")} AS hash
      FROM events e WHERE e.seq > ? ORDER BY e.seq LIMIT ?`;
    this.#head = `SELECT seq, ${dialect.hex("hash")} AS hash FROM chain_head`;
  }

  /** How many were read. */
  get events(): number {
    return this.#walk.seq;
  }

  /** How many there will be. */
  *size(): Program<number> {
    return (yield* one<End>(this.#head))?.seq ?? 0;
  }

  /**
   * The next events; none at the end.
   * @throws CUTOVER_AUDIT_BROKEN naming the first that is not what was written
   */
  *next(): Program<readonly StoredEvent[]> {
    const rows = yield* all<EventRow>(this.#page, this.#walk.seq, replayChunk);
    return rows.map((row) => {
      const text = eventText(row);
      refuse(this.#walk.next({ ...row, data: text }));
      return eventOf(row, text);
    });
  }

  /**
   * Holds what was read against the head of the chain.
   * @param own events of this very transaction: the head does not tell of them yet
   * @throws CUTOVER_AUDIT_BROKEN when the newest were removed, or others added
   */
  *end(own: readonly End[]): Program<void> {
    const head = (yield* one<End>(this.#head)) ?? { seq: 0, hash: "" };
    const follows = own[0]?.seq === head.seq + 1;
    refuse(this.#walk.end((follows && own.find(({ seq }) => seq === this.#walk.seq)) || head));
  }
}

function refuse(found: Break | undefined): void {
  if (found === undefined) return;
  throw new CutoverError("CUTOVER_AUDIT_BROKEN", {
    message: `expected a whole chain of events to rebuild from, found it broken at event ${found.brokenAt}: ${found.reason}`,
    details: { seq: found.brokenAt, reason: found.reason },
    place: `event ${found.brokenAt}`,
  });
}
