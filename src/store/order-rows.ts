import type { Json, JsonObject } from "../core/index.ts";
import type { OrderRecord } from "./order-records.ts";
import type { ErrorRecord } from "./run-events.ts";

/** Read as an array, in the order of `orderSelect`. Shared by every SQL store. */
export type OrderRow = readonly [
  id: string,
  queue: string,
  kind: string,
  state: OrderRecord["state"],
  payload: string,
  priority: number,
  memory: number,
  slots: number,
  attempt: number,
  maxRetries: number,
  timeoutMs: number,
  tenant: string,
  runAt: number,
  createdAt: number,
  startedAt: number | null,
  endedAt: number | null,
  worker: string | null,
  fence: number,
  leaseUntil: number | null,
  cancelRequested: number,
  sandbox: string | null,
  progress: string | null,
  result: string | null,
  error: string | null,
  crashes: number,
];

export const orderSelect: string = `SELECT id, queue, kind, state, payload, priority, memory, slots, attempt,
  max_retries, timeout_ms, tenant, run_at, created_at, started_at, ended_at, worker, fence, lease_until,
  cancel_requested, sandbox, progress, result, error, crashes FROM orders`;

export function toOrder(row: OrderRow): OrderRecord {
  return {
    id: row[0],
    queue: row[1],
    kind: row[2],
    state: row[3],
    payload: JSON.parse(row[4]) as Json,
    priority: row[5],
    memory: row[6],
    slots: row[7],
    attempt: row[8],
    maxRetries: row[9],
    timeoutMs: row[10],
    tenant: row[11],
    runAt: row[12],
    createdAt: row[13],
    startedAt: row[14],
    endedAt: row[15],
    worker: row[16],
    fence: row[17],
    leaseUntil: row[18],
    cancelRequested: row[19] !== 0,
    sandbox: parsed<JsonObject>(row[20]),
    progress: parsed<JsonObject>(row[21]),
    result: parsed<Json>(row[22]),
    error: parsed<ErrorRecord>(row[23]),
    crashes: row[24],
  };
}

const parsed = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T));
