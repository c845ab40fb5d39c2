import { type Clock, sleep } from "../../../core/index.ts";
import type { Change, LogBatch, Transaction } from "../../connector.ts";
import { Bell } from "../../move/bell.ts";
import { type LogPlace, placeAt, positionAt } from "./lsn.ts";
import { dataError, isGone, stateOf } from "./postgres-error.ts";
import { type LoggedTransaction, Replication } from "./replication.ts";
import type { Sessions } from "./sessions.ts";
import type { Shape } from "./shape.ts";
import type { Slots } from "./slots.ts";

export interface FollowerOptions {
  readonly sessions: Sessions;
  readonly slots: Slots;
  readonly store: string;
  readonly clock: Clock;
  readonly shapes: () => Promise<(schema: string, table: string) => Shape | undefined>;
  /** Rows in a snapshot that has seen transaction `xid`; undefined while none has. */
  readonly get: (
    shape: Shape,
    keys: readonly Uint8Array[],
    xid: string,
  ) => Promise<readonly (Uint8Array | undefined)[] | undefined>;
}

/** The contract of `Source.log`: a word at least once a second. */
const quietMs = 1_000;
/** How long a server may be away, and how long a slot may be in use by a connection that has just been lost. */
const outageMs = 60_000;
const retryMs = 200;

/** Follows slots, over as many connections as that takes. */
export class LogFollower {
  readonly #options: FollowerOptions;
  readonly #open = new Map<string, Set<Replication>>();

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  async *follow(
    slot: string,
    from: LogPlace,
    { signal, without = [] }: { readonly signal: AbortSignal; readonly without?: readonly string[] },
  ): AsyncGenerator<LogBatch> {
    const { store, clock } = this.#options;
    const bell = new Bell();
    const ring = (): void => bell.ring();
    signal.addEventListener("abort", ring, { once: true });
    let at = positionAt(from.lsn, from.done);
    let heard = clock.monotonic();
    try {
      while (!signal.aborted) {
        let stream: Replication | undefined;
        try {
          stream = await this.#start(slot, placeAt(at, store), new Set(without), ring);
          for await (const batch of this.#batches(stream, bell, at, signal)) {
            at = batch.head;
            heard = clock.monotonic();
            yield batch;
            // Who asks for more after a while was not waiting for the server.
            heard = clock.monotonic();
          }
        } catch (error) {
          if (signal.aborted) return;
          const busy = stateOf(error) === "55006";
          if ((!isGone(error) && !busy) || clock.monotonic() - heard > outageMs)
            throw this.#told(slot, error);
          if (!busy) yield { transactions: [], head: at };
          await sleep(clock, busy ? 20 : retryMs, signal).catch(() => {});
        } finally {
          if (stream !== undefined) await this.#end(slot, stream);
        }
      }
    } finally {
      signal.removeEventListener("abort", ring);
    }
  }

  async acknowledge(slot: string, lsn: bigint): Promise<void> {
    const streams = this.#open.get(slot);
    if (streams === undefined || streams.size === 0) return this.#options.slots.advance(slot, lsn);
    for (const stream of streams) stream.acknowledge(lsn);
  }

  async release(slot: string): Promise<void> {
    for (const stream of this.#open.get(slot) ?? []) await this.#end(slot, stream);
    await this.#options.slots.release(slot);
  }

  async close(): Promise<void> {
    for (const [slot, streams] of this.#open) for (const stream of streams) await this.#end(slot, stream);
  }

  async #end(slot: string, stream: Replication): Promise<void> {
    this.#open.get(slot)?.delete(stream);
    await stream.close();
  }

  async #start(
    slot: string,
    from: LogPlace,
    without: ReadonlySet<string>,
    rang: () => void,
  ): Promise<Replication> {
    const { slots, sessions, store, clock, shapes } = this.#options;
    const { began, confirmed } = await slots.known(slot);
    if (from.lsn < confirmed && began < confirmed)
      throw slots.lost(
        slot,
        `what lies after ${positionAt(from.lsn)} was acknowledged up to ${positionAt(confirmed)}`,
      );
    const shapeOf = await shapes();
    const name = await slots.name(slot);
    const session = await sessions.open("log");
    try {
      const [row] = await session.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS near");
      const stream = new Replication({
        session,
        slot: name,
        publication: name,
        from,
        acknowledged: confirmed,
        without,
        near: BigInt(row?.["near"] ?? "0"),
        shapeOf,
        store,
        clock,
        rang,
      });
      const streams = this.#open.get(slot) ?? new Set();
      this.#open.set(slot, streams.add(stream));
      return stream;
    } catch (error) {
      session.destroy("the log could not be followed");
      throw error;
    }
  }

  async *#batches(
    stream: Replication,
    bell: Bell,
    from: string,
    signal: AbortSignal,
  ): AsyncGenerator<LogBatch> {
    const { clock } = this.#options;
    let at = from;
    let spoken = clock.monotonic();
    while (!signal.aborted) {
      const { transactions: came, head } = stream.take();
      if (came.length > 0 || head > at || clock.monotonic() - spoken >= quietMs) {
        const transactions: Transaction[] = [];
        for (const transaction of came) transactions.push(await this.#completed(transaction, signal));
        at = head;
        yield { transactions, head };
        spoken = clock.monotonic();
        continue;
      }
      if (stream.failed !== undefined) throw stream.failed.error;
      const timer = clock.after(Math.max(1, quietMs - (clock.monotonic() - spoken)), () => bell.ring());
      await bell.heard();
      timer.cancel();
    }
  }

  /**
   * The log leaves out large values that were not changed. The row is read as it is now, whole: a state that was, or is newer. It
   * must be one that has seen the change, as a transaction is in the log before it is visible.
   */
  async #completed(transaction: LoggedTransaction, signal: AbortSignal): Promise<Transaction> {
    const { changes, tx } = transaction;
    const missing = changes.flatMap((change) => ("incomplete" in change ? [change] : []));
    if (missing.length === 0) return transaction as Transaction;
    const values = new Map<object, Uint8Array | null>();
    for (const shape of new Set(missing.map((change) => change.shape))) {
      const some = missing.filter((change) => change.shape === shape);
      const keys = some.map(({ key }) => key);
      let rows = await this.#options.get(shape, keys, tx);
      for (; rows === undefined; rows = await this.#options.get(shape, keys, tx))
        await sleep(this.#options.clock, 50, signal);
      for (const [at, change] of some.entries()) values.set(change, rows[at] ?? null);
    }
    const completed = changes.map((change): Change =>
      "incomplete" in change
        ? { collection: change.shape.collection.name, key: change.key, value: values.get(change) ?? null }
        : change,
    );
    return { ...transaction, changes: completed };
  }

  #told(slot: string, error: unknown): Error {
    const state = stateOf(error);
    // The slot is not there, or the server has invalidated it.
    if (state === "42704" || state === "55000")
      return this.#options.slots.lost(slot, (error as Error).message);
    return dataError(error, this.#options.store);
  }
}
