import type { ChainEnd } from "../chain-draft.ts";
import type { StoredEvent } from "../run-events.ts";
import type { Answer, Statement } from "../sql/program.ts";
import { numberArray, textArray } from "./arrays.ts";
import { isGone } from "./postgres-error.ts";
import { isHead } from "./schema.ts";
import { clockNow } from "./server-clock.ts";
import type { Settled } from "./session.ts";

/** What a server says of the chain to whoever comes back to it. */
export interface Ancestry {
  /** Where its chain ends. */
  readonly head: number;
  /** The newest event that this process has seen and the server has. */
  readonly kept: number;
  /** The last event that this process has committed, where the server does not have it. */
  readonly missing: number | null;
  /** The server's time. */
  readonly now: number;
  /** Null when nothing waits to be taken up. */
  readonly inbox: number | null;
}

type Ask = (statement: Statement) => Promise<Answer | undefined>;

/** So many events are remembered, the newest of a commit or a reading each: enough to go back by. */
const mostSeen = 256;

/**
 * Whether the server behind the address is still one that has what this process has committed and seen: after a failover
 * it may be one that never got the last of it, and a backup may have been restored.
 */
export class Lineage {
  /** Oldest first. */
  #seen: ChainEnd[] = [];
  #committed = 0;
  #heard = 0;

  /** The newest event that this process has seen or heard of. */
  get newest(): number {
    return Math.max(this.#heard, this.#seen.at(-1)?.seq ?? 0);
  }

  /** The chain goes on up to this event. */
  heard(seq: number): void {
    this.#heard = Math.max(this.#heard, seq);
  }

  /** Events that are in the chain; `own`: this process has committed them. */
  saw(events: readonly StoredEvent[], own: boolean): void {
    const last = events.at(-1);
    if (last === undefined) return;
    if (own) this.#committed = Math.max(this.#committed, last.seq);
    this.#note({ seq: last.seq, hash: last.hash });
  }

  /** Undefined while the chain has no head. `ask`: on a connection to the server that is meant. */
  async look(ask: Ask): Promise<Ancestry | undefined> {
    const newest = this.#seen.at(-1);
    const found = await foundOf(ask, newest === undefined ? [] : [newest]);
    if (found === undefined) return undefined;
    const { now, inbox } = found;
    if (newest === undefined || found.kept === newest.seq) {
      this.#note({ seq: found.seq, hash: found.hash });
      this.#heard = Math.min(this.#heard, found.seq);
      return { head: found.seq, kept: newest?.seq ?? found.seq, missing: null, now, inbox };
    }
    const again = await foundOf(ask, this.#seen);
    if (again === undefined) return undefined;
    const { seq: head, kept } = again;
    const missing = this.#committed > kept ? this.#committed : null;
    this.#seen = this.#seen.filter(({ seq }) => seq <= kept);
    this.#committed = Math.min(this.#committed, kept);
    this.#heard = Math.min(this.#heard, head);
    // Of a chain of which nothing is known any more only what is new can be told of.
    return { head, kept: kept === 0 ? head : kept, missing, now, inbox };
  }

  #note(end: ChainEnd): void {
    if (end.seq <= (this.#seen.at(-1)?.seq ?? 0)) return;
    this.#seen.push(end);
    if (this.#seen.length > mostSeen) this.#seen.splice(0, mostSeen / 2);
  }
}

interface Found extends ChainEnd, Pick<Ancestry, "now" | "inbox"> {
  /** The newest of those asked for that is there; 0: none. */
  readonly kept: number;
}

async function foundOf(ask: Ask, seen: readonly ChainEnd[]): Promise<Found | undefined> {
  const answer = await ask({
    sql: `SELECT seq, encode(hash, 'hex') AS hash, ${clockNow} AS now,
        (SELECT max(position) FROM order_inbox) AS inbox,
        coalesce((SELECT max(events.seq) FROM unnest($1::bigint[], $2::text[]) AS seen (seq, hash)
          JOIN events ON events.seq = seen.seq AND events.hash = decode(seen.hash, 'hex')), 0) AS kept
      FROM chain_head WHERE ${isHead}`,
    values: [numberArray(seen.map(({ seq }) => seq)), textArray(seen.map(({ hash }) => hash))],
    wants: "rows",
  });
  return ((answer?.rows ?? []) as unknown as readonly Found[])[0];
}

/** Asks for `leastFence`. */
export const timeline: Statement = {
  sql: `SELECT CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS timeline`,
  values: [],
  wants: "rows",
};

/**
 * The least fence that a claim gets on this server: each timeline has 2^32 of its own. A standby that was promoted, or a
 * restore up to a point in time, begins a new timeline; claims that were made on the old one and never came over must not have the
 * fences of new ones. 0 where the server does not tell; undefined of a standby, whose timeline may end.
 */
export function leastFence(told: Settled | undefined): number | undefined {
  if (told?.ok !== true) {
    // Servers that only speak like PostgreSQL may have no log of their own.
    if (isGone(told?.error)) throw told?.error;
    return 0;
  }
  const { timeline: found = null } = (told.answer.rows[0] ?? {}) as { readonly timeline?: string | null };
  const number = Number.parseInt(found ?? "", 16);
  return Number.isNaN(number) ? undefined : Math.max(0, number - 1) * 2 ** 32;
}
