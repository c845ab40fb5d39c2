import type { Json, JsonObject } from "../core/index.ts";
import type { OrderRecord } from "./order-records.ts";
import type { ErrorRecord } from "./run-events.ts";

type JsonColumn = "sandbox" | "progress" | "result" | "error";
export type OrderRow = Omit<OrderRecord, JsonColumn | "payload" | "cancelRequested"> & {
  readonly payload: string;
  readonly cancelRequested: number;
} & { readonly [K in JsonColumn]: string | null };

/** Columns of an order record, in any SQL store. */
export const orderSelect: string = `SELECT id, queue, kind, state, payload, priority, memory, slots, attempt,
  max_retries AS "maxRetries", timeout_ms AS "timeoutMs", tenant, run_at AS "runAt", created_at AS "createdAt",
  started_at AS "startedAt", ended_at AS "endedAt", worker, fence, lease_until AS "leaseUntil",
  cancel_requested AS "cancelRequested", sandbox, progress, result, error, crashes FROM orders`;

export function toOrder(row: OrderRow): OrderRecord {
  return {
    ...row,
    payload: JSON.parse(row.payload) as Json,
    cancelRequested: row.cancelRequested !== 0,
    sandbox: parsed<JsonObject>(row.sandbox),
    progress: parsed<JsonObject>(row.progress),
    result: parsed<Json>(row.result),
    error: parsed<ErrorRecord>(row.error),
  };
}

const parsed = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T));
