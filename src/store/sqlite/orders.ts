import type { OrderStore } from "../order-records.ts";
import { orderCalls } from "../orders/order-calls.ts";
import { sqlOrderCare } from "../sql/order-care.ts";
import { sqlOrderReads } from "../sql/order-reads.ts";
import type { Sql } from "../sql/write-context.ts";
import type { GroupCommit } from "./group-commit.ts";
import { submitIntoInbox } from "./order-inbox.ts";
import { sqliteDialect } from "./sql.ts";
import type { WorkBell } from "./work-bell.ts";

/** The work orders of an SQLite store. */
export function sqliteOrders(
  sql: Sql,
  writer: GroupCommit,
  bell: WorkBell,
  options: { readonly now: () => number; readonly path: string },
): OrderStore {
  return {
    async submitWithin(connection, orders) {
      submitIntoInbox(connection, options.path, orders);
    },
    ...orderCalls(writer, bell),
    ...sqlOrderReads(sql, sqliteDialect, options.now),
    ...sqlOrderCare(sql),
  };
}
