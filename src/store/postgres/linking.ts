import type { Clock } from "../../core/index.ts";
import type { Gathered } from "../orders/gathered.ts";
import type { JobOutcome, OrderJob, Writes } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import type { StoredEvent } from "../run-events.ts";
import type { Statement } from "../sql/program.ts";
import { Crowd } from "./crowd.ts";
import { Doubt } from "./doubt.ts";
import type { HeldRows } from "./held-rows.ts";
import type { Learned } from "./foreseen.ts";
import {
  areSimple,
  claimOffered,
  commitLinked,
  decideLinked,
  type Linkable,
  type Linked,
  recallLinked,
} from "./linked-commit.ts";
import { type Offer, offerOf, Offers } from "./offers.ts";
import { Recollection } from "./recollection.ts";
import { rollBack, type Session } from "./session.ts";
import { CommitUnknown } from "./transaction.ts";

interface LinkingOptions {
  /** Stands in for the server's time. */
  readonly clock: Clock | undefined;
  /** Time of the store as far as it is known without asking. */
  readonly now: number;
  /** Told of the server's time. */
  readonly learn: (server: number) => void;
  /** What tells others of the commit, sent right behind it. */
  readonly announce: (ring: readonly string[], offer: Offer | undefined) => Statement | undefined;
}

interface LinkedCalls {
  readonly outcomes: readonly JobOutcome[];
  readonly gathered: Gathered;
  readonly events: readonly StoredEvent[];
  readonly ring: readonly string[];
  /** Others were told already. */
  readonly announced: boolean;
  /** The commit was not answered: whether it got through has to be found out, and where its events stand is not known. */
  readonly unknown?: CommitUnknown;
  /** Where the outcomes are not known therefore: what was claimed, if it got through. */
  readonly offer?: Offer;
  /** What is certain since the commit; undefined where it was decided on what may be otherwise meanwhile. */
  readonly learned?: Learned;
}

/**
 * When a process lets the server link its commits instead of holding the chain while it decides: new orders always, unless
 * nobody else commits; other calls where others commit more often than it does.
 */
export class Linking {
  readonly #held: HeldRows;
  readonly #crowd: Crowd;
  readonly #recollection = new Recollection();
  readonly #doubt = new Doubt();
  readonly #offers = new Offers();
  readonly #offerDoubt = new Doubt();

  /** @param company whether other processes have said that they are there */
  constructor(held: HeldRows, company: () => boolean) {
    this.#held = held;
    this.#crowd = new Crowd(company);
  }

  /** Others may be about to claim as well. */
  get hasOthers(): boolean {
    return this.#crowd.hasOthers;
  }

  /**
   * Others may be waiting for the chain with some of these orders in their hands. Of one that waits they may have been told:
   * they claim it however seldom they commit.
   */
  mayMeet(orders: readonly OrderRow[]): boolean {
    const { wasDense, hasOthers } = this.#crowd;
    return wasDense || (hasOthers && orders.some(({ waits }) => waits === "room"));
  }

  /** Nothing that is remembered of the queues holds any more. */
  forget(): void {
    this.#recollection.forget();
  }

  /** Somebody else has told of a new order. */
  offered(offer: Offer, now: number): void {
    this.#offers.keep(offer, now);
  }

  /** A commit the usual way: its events, and what its calls were decided on, where that was left as it was. */
  noted(
    events: readonly StoredEvent[],
    decided?: { readonly gathered: Gathered; readonly writes: Writes },
  ): void {
    this.#crowd.committed(events);
    if (decided !== undefined) this.#recollection.note(decided.gathered, decided.writes);
  }

  /**
   * @returns undefined when nothing was done
   * @throws what the driver throws; the transaction is rolled back then
   */
  async commit(
    session: Session,
    orders: readonly OrderJob[],
    options: LinkingOptions,
  ): Promise<LinkedCalls | undefined> {
    if (!session.pipelined) return undefined;
    const offered = this.#offered(orders, options);
    if (offered !== undefined) {
      const done = await this.#send(session, offered, options);
      if (done === undefined) this.#offerDoubt.wrong();
      else this.#offerDoubt.right();
      return done;
    }
    if (this.#crowd.isAlone || !this.#doubt.passes()) return undefined;
    const recalled = this.#recalled(orders, options);
    if (recalled === undefined && !(this.#crowd.isDense && areSimple(orders, this.#held))) return undefined;
    let linkable: Linkable | undefined;
    try {
      linkable = recalled ?? (await this.#looked(session, orders, options));
    } catch (error) {
      await rollBack(session);
      throw error;
    }
    const done = linkable === undefined ? undefined : await this.#send(session, linkable, options);
    if (done === undefined) {
      this.#recollection.forget();
      this.#doubt.wrong();
    } else this.#doubt.right();
    // What was sent has ended, whatever came of it.
    if (linkable?.statement === undefined) await rollBack(session);
    return done;
  }

  /** A claim of what somebody else has just told of. */
  #offered(orders: readonly OrderJob[], { clock, now }: LinkingOptions): Linkable | undefined {
    const [job] = orders;
    if (job?.do !== "claim" || orders.length > 1) return undefined;
    const offer = this.#offers.take(job.queue, now);
    if (offer === undefined || !this.#offerDoubt.passes()) return undefined;
    return claimOffered(job, offer, {
      recollection: this.#recollection,
      now,
      timed: clock === undefined,
    });
  }

  #recalled(orders: readonly OrderJob[], { clock, now }: LinkingOptions): Linkable | undefined {
    const timed = clock === undefined;
    return recallLinked(orders, { recollection: this.#recollection, now, timed });
  }

  #looked(
    session: Session,
    orders: readonly OrderJob[],
    { clock, learn }: LinkingOptions,
  ): Promise<Linkable | undefined> {
    return decideLinked(session, orders, { held: this.#held, now: clock?.now(), learn });
  }

  async #send(
    session: Session,
    linkable: Linkable,
    { learn, announce }: LinkingOptions,
  ): Promise<LinkedCalls | undefined> {
    const { outcomes, gathered, writes, statement, offer } = linkable;
    const { ring } = writes;
    if (statement === undefined) return { outcomes, gathered, events: [], ring, announced: false };
    const tell = ring.length > 0 ? announce(ring, offerOf(writes)) : undefined;
    let linked: Linked | undefined;
    try {
      linked = await commitLinked(session, linkable, tell);
    } catch (error) {
      if (!(error instanceof CommitUnknown)) throw error;
      this.#held.forget(writes.updated.map(({ row }) => row));
      const of = offer === undefined ? {} : { offer };
      return { outcomes, gathered, events: [], ring, announced: false, unknown: error, ...of };
    }
    if (linked === undefined) return undefined;
    const { events, written, xact, now } = linked;
    learn(now);
    this.#held.wrote(written, xact);
    this.#recollection.note(gathered, writes);
    this.#crowd.committed(events);
    const learned = offer === undefined ? {} : { learned: learnedFrom(linkable, linked) };
    return { outcomes: linked.outcomes, gathered, events, ring, announced: tell !== undefined, ...learned };
  }
}

/** All that a claim of what was told was decided on has been found to be so, and that nothing else waits. */
function learnedFrom({ gathered, writes, now }: Linkable, { events, written }: Linked): Learned {
  const [first, last] = [events[0], events.at(-1)] as readonly [StoredEvent, StoredEvent];
  return {
    start: { seq: first.seq - 1, hash: first.previous },
    end: { seq: last.seq, hash: last.hash },
    now,
    gathered,
    writes,
    written,
    empty: written.map(({ queue }) => queue),
  };
}
