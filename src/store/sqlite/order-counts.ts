import type { OrderCounts, OrderState } from "../order-records.ts";
import type { Connection } from "./connection.ts";

const none: OrderCounts = {
  PENDING: 0,
  PREPARING: 0,
  RUNNING: 0,
  WAITING_RETRY: 0,
  COMPLETED: 0,
  FAILED: 0,
  CANCELLED: 0,
};

/** States an order leaves again. */
export const unfinished: readonly OrderState[] = ["PENDING", "PREPARING", "RUNNING", "WAITING_RETRY"];

/** Orders per state, kept up to date with every change: counting a million rows for each look would be too slow. */
export function readCounts(db: Connection, queue: string): OrderCounts {
  const rows = db.all<{ state: OrderState; n: number }>(
    "SELECT state, n FROM order_counts WHERE queue = ?",
    queue,
  );
  return { ...none, ...Object.fromEntries(rows.map((row) => [row.state, row.n])) };
}

/** Collects what one call changes, so that a thousand orders cost two updates instead of two thousand. */
export class CountChanges {
  readonly #changes = new Map<string, { queue: string; state: OrderState; n: number }>();

  add(queue: string, state: OrderState, n: number): void {
    const key = `${state} ${queue}`;
    const entry = this.#changes.get(key);
    if (entry === undefined) this.#changes.set(key, { queue, state, n });
    else entry.n += n;
  }

  write(db: Connection): void {
    for (const { queue, state, n } of this.#changes.values()) {
      if (n === 0) continue;
      db.run(
        `INSERT INTO order_counts (queue, state, n) VALUES (?, ?, ?)
         ON CONFLICT (queue, state) DO UPDATE SET n = order_counts.n + excluded.n`,
        queue,
        state,
        n,
      );
    }
    this.#changes.clear();
  }
}
