import { asError, type Clock } from "../../core/index.ts";
import type { ChainDraft } from "../chain-draft.ts";
import { closedStore } from "../closed-store.ts";
import type { JobOutcome, OrderJob } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import type { StoredEvent } from "../run-events.ts";
import type { Program } from "../sql/program.ts";
import type { WriteContext } from "../sql/write-context.ts";
import { wasCommitted } from "./commit-mark.ts";
import type { Ring } from "./doorbell.ts";
import { clockMs, commitForeseen, otherwise } from "./foreseen-commit.ts";
import type { Learned } from "./foreseen.ts";
import { Foresight } from "./foresight.ts";
import { foundEvents } from "./found-events.ts";
import { FreshLook } from "./fresh-look.ts";
import { HeldRows } from "./held-rows.ts";
import { finish, type Job, locksOf, nextBatch, runAll, withFences } from "./jobs.ts";
import { lookAgain } from "./linked-commit.ts";
import { Linking } from "./linking.ts";
import { NotAllNew } from "./large-submit.ts";
import { lockOrders } from "./order-load.ts";
import { type Announce, type Offer, offerOf } from "./offers.ts";
import { decideExpected, OrderWork } from "./order-batch.ts";
import { explained } from "./own-schema.ts";
import { patienceWith, type Persistence, refuseOverdue, Tries, unansweredError } from "./persistence.ts";
import { isDuplicate, mayBeOfOne, troubleOf } from "./postgres-error.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { SecondLook } from "./second-look.ts";
import type { ServerClock } from "./server-clock.ts";
import { rollBack, type Session } from "./session.ts";
import { CommitUnknown, Transaction } from "./transaction.ts";
import { WritingLine, type WritingLineOptions } from "./writing-line.ts";

interface Decided {
  readonly tx: Transaction;
  readonly outcomes: readonly JobOutcome[];
  readonly ring: readonly string[];
  /** Orders whose rows were written. */
  readonly written: readonly OrderRow[];
  readonly decided: Pick<Learned, "gathered" | "writes" | "looked"> | undefined;
}

export interface WriterOptions extends Persistence, WritingLineOptions {
  readonly serverClock: ServerClock;
  /** Stands in for the server's time. */
  readonly clock: Clock | undefined;
  /** Whether other processes have said that they are there. */
  readonly company: () => boolean;
  /** What tells others of a commit, when it may be sent right behind it; of one without a place yet there are no events. */
  readonly announce: Announce;
  /** Told of claims that pass others by. */
  readonly secondLook: SecondLook;
  /** Called after a commit, before its promises resolve; must not throw. `announced`: others were told already. */
  readonly committed: (events: readonly StoredEvent[], ring: readonly string[], announced: boolean) => void;
}

/**
 * Collects the writes of this process into one transaction after the other: while one is under way the next fills up.
 * One connection is enough for that, and all transactions of a store wait for each other anyway (see `Transaction`).
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #held = new HeldRows();
  readonly #foresight = new Foresight(this.#held);
  readonly #ahead = new ReadAhead(this.#foresight);
  readonly #fresh = new FreshLook(this.#foresight);
  readonly #linking: Linking;
  #jobs: Job[] = [];
  readonly #line: WritingLine;
  #running: Promise<void> | undefined;
  /** When the server was first found away, by the local monotonic clock; undefined while it answers. */
  #awaySince: number | undefined;
  #hasWritten = false;
  #closed = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#linking = new Linking(this.#held, options.company);
    this.#line = new WritingLine({ ...options, returned: (session) => this.#returned(session) });
  }

  /** Runs `work` in the next transaction; resolves with its value after the commit. */
  write<T>(work: (context: WriteContext) => Program<T>): Promise<T> {
    return this.task((tx) => tx.run(work(tx.context)));
  }

  /** The same for work that is no program. */
  task<T>(task: (tx: Transaction) => Promise<T>, writes: NonNullable<Job["writes"]> = []): Promise<T> {
    return this.#add({ task, writes });
  }

  order<T>(order: OrderJob): Promise<T> {
    return this.#add({ order });
  }

  /** Other processes have committed up to this event, with new work in these queues; null: in any. */
  heard({ seq, queues, offer }: Ring): void {
    this.#foresight.passed(seq, queues);
    if (offer !== undefined) this.#linking.offered(offer, this.#now());
    this.#lookSoon();
  }

  /** Refuses further writes, ends those under way, and closes the connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#line.session?.end();
  }

  #add<T>(job: Pick<Job, "order" | "task" | "writes">): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(closedStore(this.#options.place));
      this.#jobs.push({ ...job, since: this.#options.timers.monotonic(), resolve, reject });
      this.#running ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    while (this.#jobs.length > 0) {
      // A turn of the event loop: everything that woke up from the commit before joins in.
      await new Promise<void>((resolve) => setImmediate(resolve));
      await this.#commit(nextBatch(this.#jobs));
    }
    this.#running = undefined;
    this.#lookSoon();
  }

  /** When it is still at rest after this turn of the event loop. */
  #lookSoon(): void {
    if (this.#running !== undefined || !this.#foresight.isPassed) return;
    setImmediate(() => {
      const { session } = this.#line;
      if (this.#running !== undefined || this.#closed || session?.lost !== undefined) return;
      if (session !== undefined) this.#fresh.begin(session);
    });
  }

  /** Settles every job, whatever happens to the connection meanwhile. */
  async #commit(batch: readonly Job[]): Promise<void> {
    let jobs = batch;
    const tries = new Tries(this.#options);
    let allNew = true;
    for (;;) {
      try {
        const outcomes = await this.#attempt(jobs, tries, allNew);
        this.#awaySince = undefined;
        this.#hasWritten = true;
        return finish(jobs, outcomes, this.#options.place);
      } catch (error) {
        if (allNew && (error instanceof NotAllNew || isDuplicate(error))) {
          allNew = false;
          continue;
        }
        if (jobs.length > 1 && mayBeOfOne(error)) {
          // Something of one call cannot be stored, or all of them together are too much. Each on its own, only that one is refused.
          for (const job of jobs) await this.#commit([job]);
          return;
        }
        const patience = patienceWith(error, this.#hasWritten, this.#options);
        // Also one that answers, and takes no writes any more: another may stand behind the address by now.
        if (troubleOf(error) === "lost") {
          this.#line.session?.destroy(asError(error).message);
          const away = (this.#awaySince ??= tries.since);
          jobs = refuseOverdue(jobs, error, away, patience);
          this.#jobs = refuseOverdue(this.#jobs, error, away, patience);
          if (jobs.length === 0) return;
        }
        const told = await explained(this.#line.session, error);
        const last = await tries.next(told, undefined, patience).then(() => undefined, asError);
        if (last === undefined) continue;
        for (const job of jobs) job.reject(last);
        return;
      }
    }
  }

  /** @param allNew see `Knowledge` */
  async #attempt(asked: readonly Job[], tries: Tries, allNew: boolean): Promise<readonly JobOutcome[]> {
    const session = await this.#line.connected();
    const jobs = withFences(asked, this.#line.leastFence);
    await this.#ahead.take();
    await this.#fresh.take();
    const foreseen = await this.#commitForeseen(session, jobs, tries);
    if (foreseen !== undefined) return foreseen;
    const linked = await this.#commitLinked(session, jobs, tries);
    if (linked !== undefined) return linked;
    const orders = jobs.flatMap(({ order }) => order ?? []);
    const crowded = this.#linking.hasOthers;
    const expects = allNew && orders.length === jobs.length;
    const expected = expects ? await this.#expect(session, orders) : undefined;
    const { tx, outcomes, ring, written, decided } =
      expected ?? (await this.#decide(session, jobs, allNew, crowded));
    let announced = false;
    try {
      const leaves = tx.isEmpty && jobs.every(({ task }) => task === undefined);
      const ended = leaves ? tx.leave() : tx.commit();
      announced = this.#announce(session, tx.chain, ring, decided && offerOf(decided.writes));
      const known = expected !== undefined;
      if (orders.length === jobs.length)
        this.#ahead.begin(session, orders, outcomes, { now: this.#now(), known });
      await ended;
    } catch (error) {
      if (!(error instanceof CommitUnknown)) {
        await rollBack(session);
        throw error;
      }
      // Run again, it might be done twice; refused, it might be done although somebody was told that it is not.
      if (!(await this.#gotThrough(error, tries))) throw error.cause;
      announced = false;
    }
    if (crowded && decided !== undefined) {
      const answers = outcomes.filter((_, index) => jobs[index]?.order !== undefined);
      this.#options.secondLook.claimed(orders, answers, decided.gathered);
    }
    // A task may have written the same rows after the orders' part: the transaction is no longer proof of how they are.
    if (decided === undefined || jobs.some(({ task }) => task !== undefined)) {
      this.#held.forget(written);
      this.#foresight.forget();
      this.#linking.noted(tx.chain.events);
    } else {
      const { start, end } = tx.chain;
      this.#linking.noted(tx.chain.events, decided);
      this.#held.wrote(written, tx.xact);
      this.#foresight.learn({ start, end, now: tx.now, ...decided, written });
    }
    this.#options.committed(tx.chain.events, ring, announced);
    return outcomes;
  }

  /** One round trip instead of two, when nobody has committed since this process did. Undefined when nothing was done. */
  async #commitForeseen(
    session: Session,
    jobs: readonly Job[],
    tries: Tries,
  ): Promise<readonly JobOutcome[] | undefined> {
    const { clock, serverClock, timers, committed } = this.#options;
    const orders = jobs.flatMap(({ order }) => order ?? []);
    if (orders.length < jobs.length) return undefined;
    const sent = timers.monotonic();
    const foreseen = this.#foresight.decide(orders, this.#now());
    if (foreseen === undefined) return undefined;
    const { start, chain, now, gathered, writes, outcomes } = foreseen;
    const written = [...writes.inserted, ...writes.updated.map(({ row }) => row)];
    let announced = false;
    try {
      const crowded = this.#linking.mayMeet(foreseen.known);
      const done = commitForeseen(session, foreseen, { timed: clock === undefined, crowded });
      announced = this.#announce(session, chain, writes.ring, offerOf(writes));
      const stored = await done;
      if (stored === undefined) {
        this.#fresh.failed();
        this.#foresight.missed(orders);
        return undefined;
      }
      serverClock.learn(stored.now, sent, timers.monotonic());
      this.#held.wrote(written, stored.xact);
      this.#linking.noted(chain.events, { gathered, writes });
      this.#fresh.used();
      this.#foresight.hit(orders, { start, end: chain.end, now, gathered, writes, written });
    } catch (error) {
      this.#foresight.forget();
      if (!(error instanceof CommitUnknown)) throw error;
      if (!(await this.#gotThrough(error, tries))) throw error.cause;
      this.#held.forget(written);
      announced = false;
    }
    committed(chain.events, writes.ring, announced);
    return outcomes;
  }

  /** Without holding the chain while it is decided. Undefined when nothing was done. */
  async #commitLinked(
    session: Session,
    jobs: readonly Job[],
    tries: Tries,
  ): Promise<readonly JobOutcome[] | undefined> {
    const { clock, serverClock, timers, announce, committed, secondLook } = this.#options;
    const orders = jobs.flatMap(({ order }) => order ?? []);
    if (orders.length < jobs.length) return undefined;
    const sent = timers.monotonic();
    const linked = await this.#linking.commit(session, orders, {
      clock,
      now: this.#now(),
      learn: (server) => serverClock.learn(server, sent, timers.monotonic()),
      announce,
    });
    if (linked === undefined) return undefined;
    const { outcomes, gathered, events, ring, announced, unknown, offer, learned } = linked;
    // What was seen without the lock is no knowledge of how things stand.
    if (events.length > 0 || unknown !== undefined) this.#foresight.forget();
    if (unknown !== undefined && !(await this.#gotThrough(unknown, tries))) throw unknown.cause;
    if (learned === undefined) secondLook.claimed(orders, outcomes, gathered);
    else this.#foresight.learn(learned);
    if (unknown === undefined) {
      committed(events, ring, announced);
      return outcomes;
    }
    const { cause, mark } = unknown;
    committed(await this.#ask(cause, tries, (again) => foundEvents(again, mark)), ring, announced);
    return offer === undefined
      ? outcomes
      : this.#ask(cause, tries, (again) => lookAgain(again, offer, outcomes));
  }

  /** Time of the store as far as it is known without asking. */
  #now(): number {
    return (this.#options.clock ?? this.#options.serverClock).now();
  }

  /** Behind a commit that was just sent. Should that not get through, the statement tells nobody. */
  #announce(session: Session, { events }: ChainDraft, ring: readonly string[], offer?: Offer): boolean {
    if (events.length === 0 || !session.pipelined) return false;
    const statement = this.#options.announce(ring, offer, events);
    if (statement !== undefined) void session.settle([statement]);
    return statement !== undefined;
  }

  /** Many ends and claims, or new orders: the server is at work on the first of them before it has said how things stand. */
  async #expect(session: Session, orders: readonly OrderJob[]): Promise<Decided | undefined> {
    const { clock, serverClock, timers } = this.#options;
    const expected = session.pipelined ? this.#foresight.expect(orders, this.#now()) : undefined;
    if (expected === undefined) return undefined;
    const sent = timers.monotonic();
    const meets = this.#linking.mayMeet(expected.known);
    const first = meets ? lockOrders(expected.known.map(({ id }) => id)) : [];
    const tx = Transaction.expect(session, expected, { first, check: otherwise(expected) });
    try {
      const decided = decideExpected(tx, orders, expected.gathered);
      const now = await tx.asExpected();
      if (now !== undefined) serverClock.learn(now, sent, timers.monotonic());
      const near = now !== undefined && (clock !== undefined || Math.abs(now - tx.now) <= clockMs);
      if (near && decided !== undefined) {
        if (expected.free.claims.length > 0) this.#ahead.used();
        return { tx, ...decided };
      }
    } catch (error) {
      await rollBack(session);
      throw error;
    }
    await rollBack(session);
    this.#fresh.failed();
    this.#foresight.missed(orders);
    return undefined;
  }

  async #decide(session: Session, jobs: readonly Job[], allNew: boolean, crowded: boolean): Promise<Decided> {
    const { clock, serverClock, timers } = this.#options;
    const sent = timers.monotonic();
    const now = clock?.now();
    const orders = new OrderWork(
      jobs.flatMap(({ order }) => (order === undefined ? [] : [order])),
      now,
      {
        held: this.#held,
        ahead: (claim) => this.#foresight.ahead(claim),
        allNew,
        crowded,
      },
    );
    try {
      const { tx, loaded } = await Transaction.begin(session, orders.opening(), {
        ...(now === undefined ? {} : { now }),
        learn: (server) => serverClock.learn(server, sent, timers.monotonic()),
        first: locksOf(jobs, crowded),
      });
      const { ring, written, outcomes, decided } = await orders.decide(tx, loaded);
      return { tx, ring, written, decided, outcomes: await runAll(tx, jobs, outcomes) };
    } catch (error) {
      await rollBack(session);
      throw error;
    }
  }

  /** Finds out what became of a commit that was never answered. */
  #gotThrough({ mark, cause }: CommitUnknown, tries: Tries): Promise<boolean> {
    return this.#ask(cause, tries, (session) => wasCommitted(session, mark));
  }

  async #ask<T>(cause: Error, tries: Tries, question: (session: Session) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await question(await this.#line.connected());
      } catch (error) {
        try {
          await tries.next(error);
        } catch {
          throw unansweredError(cause, this.#options.place);
        }
      }
    }
  }

  /** What is known of the rows was known of another server, perhaps: it may give a transaction's id again. */
  async #returned(session: Session): Promise<void> {
    this.#held.forgetAll();
    this.#foresight.forget();
    this.#linking.forget();
    await this.#options.returned(session);
  }
}
