import type { OrderStore } from "../order-records.ts";
import { sqlOrderCare } from "../sql/order-care.ts";
import { sqlOrderReads } from "../sql/order-reads.ts";
import type { Sql } from "../sql/write-context.ts";
import type { GroupCommit } from "./group-commit.ts";
import { submitIntoInbox } from "./order-inbox.ts";
import type { WorkBell } from "./work-bell.ts";

/** The work orders of an SQLite store. */
export function sqliteOrders(
  sql: Sql,
  writer: GroupCommit,
  bell: WorkBell,
  options: { readonly now: () => number; readonly path: string },
): OrderStore {
  return {
    submit: (orders, { depthLimit } = {}) =>
      writer.order({ do: "submit", orders, ...(depthLimit === undefined ? {} : { depthLimit }) }),
    async submitWithin(connection, orders) {
      submitIntoInbox(connection, options.path, orders);
    },
    claim(queue, worker, capacity, leaseMs) {
      bell.claimed(queue);
      return writer.order({ do: "claim", queue, worker, capacity, leaseMs });
    },
    change: (changes) => writer.order({ do: "change", changes }),
    requestCancel: (id, reason) => writer.order({ do: "cancel", id, reason }),
    setPriority: (id, priority) => writer.order({ do: "prioritise", id, priority }),
    configure: (queue, change, by, reason) => writer.order({ do: "configure", queue, change, by, reason }),
    ...sqlOrderReads(sql, options.now),
    ...sqlOrderCare(sql),
    onWork: (listener) => bell.listen(listener),
  };
}
