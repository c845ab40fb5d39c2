import type { OrderStore } from "../order-records.ts";
import { orderCalls } from "../orders/order-calls.ts";
import { sqlOrderCare } from "../sql/order-care.ts";
import { sqlOrderReads } from "../sql/order-reads.ts";
import type { Dialect } from "../sql/program.ts";
import type { Sql } from "../sql/write-context.ts";
import { pruneOrders, renewOrders } from "./order-bulk.ts";
import { submitIntoInbox } from "./order-inbox.ts";
import type { WorkListeners } from "./work-listeners.ts";
import type { Writer } from "./writer.ts";

/** The work orders of a PostgreSQL store. */
export function postgresOrders(
  sql: Sql,
  dialect: Dialect,
  writer: Writer,
  bell: WorkListeners,
  options: {
    readonly now: () => number;
    readonly schema: string;
    readonly channel: string;
    readonly place: string;
  },
): OrderStore {
  return {
    submitWithin: submitIntoInbox(sql, options),
    ...orderCalls(writer, bell),
    ...sqlOrderReads(sql, dialect, options.now),
    ...sqlOrderCare(sql),
    renew: (held, leaseMs) =>
      writer.task(
        (tx) => tx.run(renewOrders(held, tx.now, tx.now + leaseMs)),
        held.map(({ id }) => id),
      ),
    prune: (queue, before, limit) => sql.write(() => pruneOrders(queue, before, limit)),
  };
}
