import type { OrderEvent } from "../order-events.ts";
import type { QueueConfig } from "../order-records.ts";
import { ordersTold } from "../orders-told.ts";
import { movedRow, placed } from "./move.ts";
import { type Loaded, mostFollowers, type Needs, type OrderLink } from "./order-io.ts";
import { isFinished, type OrderRow, submittedRow, withEvent } from "./row.ts";

/** An event of a queue as the log holds it. */
export type LoggedOrderEvent = OrderEvent & { readonly seq: number; readonly at: number };

/** An event of another type comes from a newer, compatible program. */
const changesOrders: ReadonlySet<string> = new Set([
  "orders.transition",
  "orders.cancel-requested",
  "orders.prioritised",
]);

/** What `Replay` has to see before it takes up these events: rows by id, holders of unique keys, followers. */
export function replayNeeds(events: readonly LoggedOrderEvent[]): Needs {
  const ids = new Set<string>();
  const uniqueKeys: { queue: string; key: string }[] = [];
  const ended = new Set<string>();
  for (const event of events) {
    if (event.type === "orders.submitted") {
      for (const { id, queue, uniqueKey, after } of ordersTold(event.data)) {
        ids.add(id);
        for (const leader of after) ids.add(leader);
        if (uniqueKey !== null) uniqueKeys.push({ queue, key: uniqueKey });
      }
    } else if (changesOrders.has(event.type) && event.type !== "queue.configured") {
      for (const { id } of event.data.orders) ids.add(id);
      if (event.type === "orders.transition")
        for (const { id, to } of ordersTold(event.data)) if (isFinished(to)) ended.add(id);
    }
  }
  const nothing = { lanes: [], counts: [], configs: [], claims: [], limitKeys: [], inboxIds: [] };
  return { ...nothing, ids: [...ids], uniqueKeys, followersOf: [...ended] };
}

/**
 * Makes the rows of work orders from their events again, by the same rules that made them. What is no event does not
 * come out: leases, the state of limit keys, and with it who of a key's orders waits for room (`settle` says it again).
 */
export class Replay {
  readonly rows: Map<string, OrderRow> = new Map();
  readonly links: Map<string, Set<string>> = new Map();
  readonly configs: Map<string, QueueConfig> = new Map();
  readonly #holders = new Map<string, string>();
  readonly #loaded = new Map<string, OrderRow>();
  readonly #loadedLinks: readonly OrderLink[];

  constructor(loaded: Pick<Loaded, "rows" | "followers">) {
    for (const row of loaded.rows) {
      this.rows.set(row.id, row);
      this.#loaded.set(row.id, row);
      if (row.uniqueKey !== null) this.#holders.set(`${row.queue}\0${row.uniqueKey}`, row.id);
    }
    this.#loadedLinks = loaded.followers;
    for (const { of, id } of loaded.followers) this.#followers(of).add(id);
  }

  /** False when the rows are not as the event says they were before it. */
  apply(queue: string, event: LoggedOrderEvent): boolean {
    switch (event.type) {
      case "orders.submitted":
        for (const order of ordersTold(event.data)) {
          // A finished one was pruned before its id came again.
          if (!isFinished(this.rows.get(order.id)?.state ?? "CANCELLED")) return false;
          this.#submit(submittedRow(order), order.after, event.seq);
        }
        return true;
      case "orders.transition":
        for (const moved of ordersTold(event.data)) {
          const row = this.rows.get(moved.id);
          if (row?.state !== moved.from) return false;
          const after = placed(movedRow(row, moved, event.at), event.at);
          this.#put(withEvent(after, event.seq, event.data.event === "progressed"));
          if (isFinished(moved.to)) this.#tell(after);
        }
        return true;
      case "orders.cancel-requested":
        for (const { id } of event.data.orders) {
          const row = this.rows.get(id);
          if (row === undefined) return false;
          this.#put(withEvent({ ...row, cancelRequested: true }, event.seq, false));
        }
        return true;
      case "orders.prioritised":
        for (const { id, from, to, turn } of ordersTold(event.data)) {
          const row = this.rows.get(id);
          if (row?.priority !== from) return false;
          this.#put(withEvent({ ...row, priority: to, turn }, event.seq, false));
        }
        return true;
      case "queue.configured":
        this.configs.set(queue, event.data.config);
        return true;
      default:
        // Of a newer, compatible program.
        event satisfies never;
        return true;
    }
  }

  /** Rows as they are now; of those that were loaded only the changed ones. */
  changed(): {
    readonly inserted: readonly OrderRow[];
    readonly updated: readonly { before: OrderRow; row: OrderRow }[];
  } {
    const inserted: OrderRow[] = [];
    const updated: { before: OrderRow; row: OrderRow }[] = [];
    for (const row of this.rows.values()) {
      const before = this.#loaded.get(row.id);
      if (before === undefined) inserted.push(row);
      else if (before !== row) updated.push({ before, row });
    }
    return { inserted, updated };
  }

  /** Links as they are now, against those that were loaded. */
  changedLinks(): { readonly links: readonly OrderLink[]; readonly unlinked: readonly OrderLink[] } {
    const before = new Set(this.#loadedLinks.map(({ of, id }) => `${of}\0${id}`));
    const now = [...this.links].flatMap(([of, ids]) => [...ids].map((id) => ({ of, id })));
    const kept = new Set(now.map(({ of, id }) => `${of}\0${id}`));
    return {
      links: now.filter(({ of, id }) => !before.has(`${of}\0${id}`)),
      unlinked: this.#loadedLinks.filter(({ of, id }) => !kept.has(`${of}\0${id}`)),
    };
  }

  #submit(row: OrderRow, after: readonly string[], seq: number): void {
    if (row.uniqueKey !== null) {
      const name = `${row.queue}\0${row.uniqueKey}`;
      const holder = this.rows.get(this.#holders.get(name) ?? "");
      if (holder !== undefined) this.#put({ ...holder, uniqueKey: null, uniqueUntil: null });
      this.#holders.set(name, row.id);
    }
    // A leader of the same call may come later in the event.
    const leaders = after.filter((id) => !isFinished(this.rows.get(id)?.state ?? "PENDING"));
    for (const id of leaders) {
      this.#followers(id).add(row.id);
      const leader = this.rows.get(id);
      if (leader !== undefined && !leader.followed) this.#put({ ...leader, followed: true });
    }
    const followed = this.#followers(row.id).size > 0;
    const placedRow = placed({ ...row, blockedBy: leaders.length, followed }, row.createdAt);
    this.#put(withEvent(placedRow, seq, false));
  }

  /** Followers wait for one less; those that are cancelled with their leader have an event of their own for it. */
  #tell(ended: OrderRow): void {
    if (!ended.followed) return;
    const followers = this.#followers(ended.id);
    for (const id of followers) {
      const follower = this.rows.get(id);
      const waits = follower?.state === "PENDING" && follower.blockedBy > 0;
      if (waits && ended.state !== "COMPLETED" && follower.ifAfterFails === "cancel") continue;
      followers.delete(id);
      if (waits) this.#put(placed({ ...follower, blockedBy: follower.blockedBy - 1 }, ended.endedAt ?? 0));
    }
    const row = this.rows.get(ended.id);
    // Those that were too many to load are told by later claims, as they would have been without the rebuild.
    const more = this.#loadedLinks.filter(({ of }) => of === ended.id).length >= mostFollowers;
    if (row !== undefined) this.#put({ ...row, followed: more || followers.size > 0 });
  }

  #followers(of: string): Set<string> {
    let ids = this.links.get(of);
    if (ids === undefined) this.links.set(of, (ids = new Set()));
    return ids;
  }

  #put(row: OrderRow): void {
    this.rows.set(row.id, row);
  }
}
