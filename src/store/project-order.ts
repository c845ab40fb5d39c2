import { canonicalJson } from "../core/index.ts";
import type { OrderEvent } from "./order-events.ts";
import type { OrderChange } from "./order-records.ts";
import type { Columns, RowChange, RowValue } from "./row-change.ts";
import { sizeClass } from "./size-class.ts";
import { type ProjectedEvent, streamName } from "./stream.ts";

/** Rows of work orders. `ready` is only ever raised here for an order that is due when it is submitted. */
export function projectOrder(event: ProjectedEvent<OrderEvent>): readonly RowChange[] {
  const id = streamName(event.stream);
  const key = { id };
  switch (event.type) {
    case "order.submitted":
      return [{ do: "insert", table: "orders", row: newRow(event.at, event.data) }];
    case "order.transition": {
      const { from, to, attempt, worker, fence, set } = event.data;
      const lease = to === "PREPARING" || to === "RUNNING" ? {} : { lease_until: null };
      const columns = { state: to, attempt, worker, fence, ready: 0, ...lease, ...changedColumns(set ?? {}) };
      return [{ do: "update", table: "orders", key, set: columns, expect: { state: from } }];
    }
    case "order.cancel-requested":
      return [{ do: "update", table: "orders", key, set: { cancel_requested: 1 }, expect: {} }];
    case "order.prioritised": {
      const { from, to, turn } = event.data;
      return [
        { do: "update", table: "orders", key, set: { priority: to, turn }, expect: { priority: from } },
      ];
    }
    default:
      event satisfies never;
      return [];
  }
}

function newRow(at: number, order: Extract<OrderEvent, { type: "order.submitted" }>["data"]): Columns {
  return {
    id: order.id,
    queue: order.queue,
    kind: order.kind,
    state: "PENDING",
    payload: canonicalJson(order.payload),
    priority: order.priority,
    memory: order.memory,
    slots: order.slots,
    size_class: sizeClass(order.slots, order.memory),
    attempt: 0,
    max_retries: order.maxRetries,
    timeout_ms: order.timeoutMs,
    tenant: order.tenant,
    unique_key: order.uniqueKey,
    run_at: order.runAt,
    created_at: order.createdAt,
    fence: 0,
    cancel_requested: 0,
    crashes: 0,
    ready: order.runAt <= at ? 1 : 0,
    turn: order.turn,
  };
}

/** Columns of `set`; `attempt` and `worker` stand in the event itself. */
function changedColumns(set: NonNullable<OrderChange["set"]>): Columns {
  const columns: Record<string, RowValue> = {};
  if (set.runAt !== undefined) columns["run_at"] = set.runAt;
  if (set.startedAt !== undefined) columns["started_at"] = set.startedAt;
  if (set.endedAt !== undefined) columns["ended_at"] = set.endedAt;
  if (set.leaseUntil !== undefined) columns["lease_until"] = set.leaseUntil;
  if (set.crashes !== undefined) columns["crashes"] = set.crashes;
  for (const name of ["sandbox", "progress", "result", "error"] as const) {
    const value = set[name];
    if (value !== undefined) columns[name] = value === null ? null : canonicalJson(value);
  }
  return columns;
}
