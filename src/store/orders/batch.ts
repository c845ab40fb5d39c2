import type { OrderState } from "../order-records.ts";
import { changeOrder } from "./change.ts";
import { claimOrders, settleLines } from "./claim.ts";
import type { Gathered } from "./gathered.ts";
import { configure, prioritise, requestCancel } from "./manage.ts";
import type { JobOutcome, OrderJob, Writes } from "./order-io.ts";
import { type OrderRow, toRecord } from "./row.ts";
import { submitOrders } from "./submit.ts";
import { View } from "./view.ts";

/**
 * The rules of the queue, for all calls of one commit: `gather` says what to load, `run` decides one call after the
 * other, each seeing what those before it did, `writes` says what to store. Nothing here touches a database.
 */
export class OrderBatch {
  readonly #view: View;
  /** Rows as they were handed out ahead of the others. */
  readonly #ahead = new Map<string, OrderRow>();

  /** `nextSeq`: the position of the next event of the log. */
  constructor(options: { readonly now: number; readonly nextSeq: number; readonly gathered: Gathered }) {
    this.#view = new View(options.now, options.nextSeq, options.gathered);
  }

  /** A call that is refused leaves nothing behind. */
  run(job: OrderJob): JobOutcome {
    try {
      const value = this.#decide(job);
      settleLines(this.#view);
      const result = value();
      this.#view.keep();
      return { ok: true, value: result };
    } catch (error) {
      this.#view.undo();
      return { ok: false, error };
    }
  }

  /** Does the call; its answer is read afterwards, when the limits have let in whom they have room for. */
  #decide(job: OrderJob): () => unknown {
    const view = this.#view;
    const record = (id: string): unknown => {
      const row = view.row(id);
      return row === undefined ? undefined : toRecord(row);
    };
    switch (job.do) {
      case "submit": {
        const stored = submitOrders(view, job.orders, job.depthLimit);
        return () => stored.map(({ id, fresh }) => ({ order: record(id), fresh }));
      }
      case "claim": {
        const ids = claimOrders(view, job);
        return () => ids.map(record);
      }
      case "change":
        for (const change of job.changes) changeOrder(view, change);
        return () => job.changes.map(({ id }) => record(id));
      case "cancel":
        requestCancel(view, job.id, job.reason);
        return () => record(job.id);
      case "prioritise":
        prioritise(view, job.id, job.priority);
        return () => record(job.id);
      case "configure": {
        const config = configure(view, job);
        return () => config;
      }
      case "settle":
        for (const key of job.keys) view.unsettle(job.queue, key);
        return () => undefined;
    }
  }

  /**
   * Changed rows of the calls so far, once there are `least` of them: a store may write them while the next calls are
   * decided. `writes` names them again only when they have changed since.
   */
  rowsAhead(least: number): Writes["updated"] {
    const { moved, rows, gathered } = this.#view;
    if (moved.size < least) return [];
    const updated: { before: OrderRow; row: OrderRow }[] = [];
    for (const id of moved) {
      const row = rows.get(id);
      const before = this.#ahead.get(id) ?? gathered.rows.get(id);
      if (row === undefined || before === undefined) continue;
      updated.push({ before, row });
      this.#ahead.set(id, row);
    }
    moved.clear();
    return updated;
  }

  /**
   * New orders of the calls so far, once: a store may write them while the next ones are decided. Where a later call
   * changes them, as a claim does, it is better to wait: they would be written twice.
   */
  newRowsAhead(): readonly OrderRow[] {
    const { moved, rows, gathered } = this.#view;
    const inserted: OrderRow[] = [];
    for (const id of moved) {
      const row = rows.get(id);
      if (row === undefined || gathered.rows.has(id) || this.#ahead.has(id)) continue;
      inserted.push(row);
      this.#ahead.set(id, row);
    }
    moved.clear();
    return inserted;
  }

  /** Events that nothing is added to any more when all calls are about new orders of one queue: all but the last. */
  eventsAhead(): Writes["events"] {
    return this.#view.groups.eventsBeforeNewest();
  }

  writes(): Writes {
    const view = this.#view;
    const inserted: OrderRow[] = [];
    const updated: { before: OrderRow; row: OrderRow }[] = [];
    const counts = new Map<string, { queue: string; state: OrderState; by: number }>();
    const ring = new Set<string>();
    const count = (row: OrderRow, by: number): void => {
      const key = `${row.state} ${row.queue}`;
      const entry = counts.get(key);
      if (entry === undefined) counts.set(key, { queue: row.queue, state: row.state, by });
      else entry.by += by;
    };
    for (const row of view.rows.values()) {
      const before = view.gathered.rows.get(row.id);
      if (before === row) continue;
      const written = this.#ahead.get(row.id) ?? before;
      if (written === undefined) inserted.push(row);
      else if (written !== row) updated.push({ before: written, row });
      if (before?.state !== row.state) {
        if (before !== undefined) count(before, -1);
        count(row, 1);
      }
      if (row.waits !== null || row.state === "WAITING_RETRY") ring.add(row.queue);
    }
    for (const queue of view.configs.keys()) ring.add(queue);
    const events = view.groups.events();
    // Where nothing could be done, another look would find the same.
    if (events.length > 0) for (const queue of view.cutShort) ring.add(queue);
    return {
      events,
      inserted,
      updated,
      lanes: [...view.lanes.values()],
      fronts: [...view.fronts.values()],
      counts: [...counts.values()].filter(({ by }) => by !== 0),
      configs: [...view.configs].map(([queue, config]) => ({ queue, config })),
      links: [...view.links.values()],
      unlinked: [...view.unlinked.values()],
      limitKeys: [...view.limitKeys.values()],
      taken: [...view.taken.keys()],
      ring: [...ring],
    };
  }
}
