import { type Clock, CutoverError, faultPoint } from "../../core/index.ts";
import { closedStore } from "../closed-store.ts";
import type { StoredEvent } from "../run-events.ts";
import type { JobOutcome, OrderJob, Writes } from "../orders/order-io.ts";
import { commitOf } from "../orders/weight.ts";
import type { Connection } from "./connection.ts";
import { KnownRows } from "./known-rows.ts";
import { runOrderJobs } from "./order-batch.ts";
import { isBusy, storeError } from "./sqlite-error.ts";
import type { StandingFiles } from "./standing-files.ts";
import { Transaction } from "./transaction.ts";

interface Job {
  readonly work: ((tx: Transaction) => unknown) | OrderJob;
  readonly resolve: (value: never) => void;
  readonly reject: (error: CutoverError) => void;
}

export interface GroupCommitOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** How long a batch tries to get the write lock, milliseconds. */
  readonly busyMs: number;
  readonly place: string;
  readonly files: StandingFiles;
  /** Called after a commit, before its promises resolve; must not throw. */
  readonly committed: (events: readonly StoredEvent[], routesChanged: boolean) => void;
  /** Called after that with the queues that may have new work; must not throw. */
  readonly ring: (queues: readonly string[]) => void;
}

/** More units of work than this go into the next transaction, so that timers and sockets get their turn. */
const largestBatch = 512;

/**
 * Collects the writes of one turn of the event loop into one transaction. A turn, not a microtask: everything that
 * woke up from the commit before joins in, and a chain of awaited writes cannot keep timers and sockets from running.
 */
export class GroupCommit {
  readonly #db: Connection;
  readonly #options: GroupCommitOptions;
  readonly #known = new KnownRows();
  #jobs: Job[] = [];
  #scheduled = false;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(db: Connection, options: GroupCommitOptions) {
    this.#db = db;
    this.#options = options;
  }

  /** Runs `work` in the next transaction; resolves with its value after the commit. */
  write<T>(work: (tx: Transaction) => T): Promise<T> {
    return this.#add(work);
  }

  /** Carries out a call on work orders in the next transaction, as one batch with the others of it. */
  order<T>(job: OrderJob): Promise<T> {
    return this.#add(job);
  }

  #add<T>(work: Job["work"]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(closedStore(this.#options.place));
      this.#jobs.push({ work, resolve, reject });
      if (!this.#scheduled) {
        this.#scheduled = true;
        setImmediate(() => this.#flush(this.#options.clock.monotonic(), 0));
      }
    });
  }

  /** Refuses further writes and resolves when those under way are settled. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#scheduled) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #flush(since: number, tries: number): void {
    const { clock, random, busyMs, files } = this.#options;
    try {
      // Where it is gone already others write there: not even what is refused may go where they do.
      files.glance();
      faultPoint("store.commit.before-begin");
      this.#db.run("BEGIN IMMEDIATE");
    } catch (error) {
      // A timeout inside SQLite starves: of four processes one did everything. Short random pauses share.
      if (isBusy(error) && clock.monotonic() - since < busyMs) {
        clock.after(0.2 + random() * Math.min(20, 0.5 * 2 ** tries), () => this.#flush(since, tries + 1));
        return;
      }
      this.#finish(this.#take(), isBusy(error) ? busyError(this.#options) : error);
      return;
    }
    const jobs = this.#take();
    let failure: unknown;
    let outcomes: readonly JobOutcome[] = [];
    let writes: Writes | undefined;
    let tx: Transaction | undefined;
    try {
      tx = new Transaction(this.#db);
      ({ outcomes, writes } = this.#runAll(jobs, tx));
      tx.seal();
      faultPoint("store.commit.before");
      this.#db.run("COMMIT");
      // Nothing is acknowledged before it is known where it went.
      files.check();
      faultPoint("store.commit.after");
    } catch (error) {
      failure = error ?? new Error("the transaction failed without a reason");
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
    }
    if (failure !== undefined) this.#known.forget();
    else if (writes !== undefined) this.#known.wrote(writes);
    // Leases that were renewed, orders that were removed, rows that were built anew.
    if (jobs.some(({ work }) => typeof work === "function")) this.#known.forget();
    if (failure === undefined && tx !== undefined && tx.events.length > 0) {
      this.#options.committed(tx.events, tx.routesChanged);
      if (writes !== undefined && writes.ring.length > 0) this.#options.ring(writes.ring);
    }
    this.#finish(jobs, failure, outcomes);
  }

  /**
   * Calls on work orders first, as one batch, then each other unit of work in a savepoint of its own: one that is
   * refused does not harm the others.
   */
  #runAll(
    jobs: readonly Job[],
    tx: Transaction,
  ): { readonly outcomes: readonly JobOutcome[]; readonly writes: Writes | undefined } {
    const orders: OrderJob[] = [];
    for (const { work } of jobs) if (typeof work !== "function") orders.push(work);
    const decided =
      orders.length === 0
        ? { outcomes: [], writes: undefined }
        : runOrderJobs(tx, orders, this.#options.clock.now(), this.#known);
    const answers = decided.outcomes.values();
    const outcomes = jobs.map(({ work }): JobOutcome => {
      // As many answers as calls.
      if (typeof work !== "function") return answers.next().value as JobOutcome;
      // One alone harms no other; most commits of a carried run are such.
      return jobs.length === 1 ? { ok: true, value: work(tx) } : this.#runSaved(work, tx);
    });
    return { outcomes, writes: decided.writes };
  }

  #runSaved(work: (tx: Transaction) => unknown, tx: Transaction): JobOutcome {
    const back = tx.mark();
    this.#db.run("SAVEPOINT job");
    try {
      const value = work(tx);
      this.#db.run("RELEASE job");
      return { ok: true, value };
    } catch (error) {
      // A full disk or damaged file ends the whole transaction, not only this unit of work.
      if (!this.#db.inTransaction) throw error;
      this.#db.run("ROLLBACK TO job");
      this.#db.run("RELEASE job");
      back();
      return { ok: false, error };
    }
  }

  #take(): Job[] {
    const count = commitOf(this.#jobs, largestBatch, ({ work }) =>
      typeof work === "function" ? undefined : work,
    );
    return this.#jobs.splice(0, count);
  }

  #finish(jobs: readonly Job[], failure: unknown, outcomes: readonly JobOutcome[] = []): void {
    jobs.forEach((job, index) => {
      const outcome = outcomes[index];
      if (failure !== undefined) job.reject(storeError(failure, this.#options.place));
      else if (outcome?.ok === true) job.resolve(outcome.value as never);
      else job.reject(storeError(outcome?.error, this.#options.place));
    });
    if (this.#jobs.length > 0) {
      setImmediate(() => this.#flush(this.#options.clock.monotonic(), 0));
      return;
    }
    this.#scheduled = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function busyError({ busyMs, place }: GroupCommitOptions): CutoverError {
  return new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected to write within ${busyMs} ms, found the store locked by another process all that time`,
    remedy: "find the process that holds the file, then try again",
    details: { busyMs },
    place,
  });
}
