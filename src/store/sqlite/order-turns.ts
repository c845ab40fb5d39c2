import type { Connection } from "./connection.ts";

/**
 * Fairness between tenants by start-time fair queueing (Goyal, Vin, Cheng 1996) with every order of weight one:
 * an order gets the turn after the last one of its tenant, but never one that was served already. So a tenant with
 * a thousand waiting orders and one with a single order take turns, and choosing costs one look at an index.
 */
export function nextTurn(db: Connection, queue: string, priority: number, tenant: string): number {
  const lane = db.get<{ turn: number }>(
    "SELECT turn FROM order_lanes WHERE queue = ? AND priority = ? AND tenant = ?",
    queue,
    priority,
    tenant,
  );
  const front = db.get<{ turn: number }>(
    "SELECT turn FROM order_fronts WHERE queue = ? AND priority = ?",
    queue,
    priority,
  );
  const turn = Math.max(lane?.turn ?? 0, front?.turn ?? 0) + 1;
  db.run(
    `INSERT INTO order_lanes (queue, priority, tenant, turn) VALUES (?, ?, ?, ?)
     ON CONFLICT (queue, priority, tenant) DO UPDATE SET turn = excluded.turn`,
    queue,
    priority,
    tenant,
    turn,
  );
  return turn;
}

/** Notes that `turn` was served; lanes that lie behind it say nothing any more and go. */
export function serveTurn(db: Connection, queue: string, priority: number, turn: number): void {
  const moved = db.run(
    `INSERT INTO order_fronts (queue, priority, turn) VALUES (?, ?, ?)
     ON CONFLICT (queue, priority) DO UPDATE SET turn = excluded.turn WHERE order_fronts.turn < excluded.turn`,
    queue,
    priority,
    turn,
  );
  if (moved === 0) return;
  db.run("DELETE FROM order_lanes WHERE queue = ? AND priority = ? AND turn <= ?", queue, priority, turn);
}
