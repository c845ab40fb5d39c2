import { canonicalJson, type Json, type JsonObject } from "../core/index.ts";
import type { OrderRecord, OrderUsage } from "./order-records.ts";
import type { OrderRow } from "./orders/row.ts";
import type { ErrorRecord } from "./run-events.ts";

/** How a member of a row stands in its column: as it is, as 0 or 1, or as JSON text. */
type Form = "plain" | "flag" | "json";

export interface OrderColumn {
  readonly name: string;
  readonly member: keyof OrderRow;
  readonly form: Form;
}

const column = (name: string, member: keyof OrderRow, form: Form = "plain"): OrderColumn => ({
  name,
  member,
  form,
});

/** The columns of `orders`, the same in every SQL store and in the order in which rows are read. */
export const orderColumns: readonly OrderColumn[] = [
  column("id", "id"),
  column("queue", "queue"),
  column("kind", "kind"),
  column("state", "state"),
  column("payload", "payload", "json"),
  column("priority", "priority"),
  column("memory", "memory"),
  column("slots", "slots"),
  column("tags", "tags", "json"),
  column("attempt", "attempt"),
  column("max_retries", "maxRetries"),
  column("timeout_ms", "timeoutMs"),
  column("tenant", "tenant"),
  column("limit_key", "limitKey"),
  column("unique_key", "uniqueKey"),
  column("run_at", "runAt"),
  column("created_at", "createdAt"),
  column("started_at", "startedAt"),
  column("ended_at", "endedAt"),
  column("worker", "worker"),
  column("fence", "fence"),
  column("lease_until", "leaseUntil"),
  column("cancel_requested", "cancelRequested", "flag"),
  column("waits", "waits"),
  column("blocked_by", "blockedBy"),
  column("sandbox", "sandbox", "json"),
  column("progress", "progress", "json"),
  column("result", "result", "json"),
  column("error", "error", "json"),
  column("usage", "usage", "json"),
  column("carrier", "carrier", "json"),
  column("crashes", "crashes"),
  column("size_class", "sizeClass"),
  column("turn", "turn"),
  column("unique_until", "uniqueUntil"),
  column("if_after_fails", "ifAfterFails"),
  column("followed", "followed", "flag"),
  column("due_at", "dueAt"),
  column("trail", "trail", "json"),
  column("progressed_in", "progressedIn"),
];

export const orderColumnNames: string = orderColumns.map(({ name }) => `orders.${name}`).join(", ");

type Cell = string | number | null;

/** A member as its column holds it. A stored `null` of JSON is NULL as well. */
export function orderCell(row: OrderRow, { member, form }: OrderColumn): Cell {
  const value = row[member];
  if (value === null) return null;
  if (form === "plain") return value as Cell;
  if (form === "flag") return value === true ? 1 : 0;
  return Array.isArray(value) && value.length === 0 ? "[]" : canonicalJson(value);
}

/** A row as it is read, in the order of `orderColumns`. */
export type OrderCells = readonly [
  id: string,
  queue: string,
  kind: string,
  state: OrderRecord["state"],
  payload: string | null,
  priority: number,
  memory: number,
  slots: number,
  tags: string,
  attempt: number,
  maxRetries: number,
  timeoutMs: number,
  tenant: string,
  limitKey: string | null,
  uniqueKey: string | null,
  runAt: number,
  createdAt: number,
  startedAt: number | null,
  endedAt: number | null,
  worker: string | null,
  fence: number,
  leaseUntil: number | null,
  cancelRequested: number,
  waits: OrderRecord["waits"],
  blockedBy: number,
  sandbox: string | null,
  progress: string | null,
  result: string | null,
  error: string | null,
  usage: string | null,
  carrier: string | null,
  crashes: number,
  sizeClass: number,
  turn: number,
  uniqueUntil: number | null,
  ifAfterFails: OrderRow["ifAfterFails"],
  followed: number,
  dueAt: number | null,
  trail: string,
  progressedIn: number | null,
];

/** All members as their columns hold them, in the order of `orderColumns`. */
export function toOrderCells(row: OrderRow): OrderCells {
  return [
    row.id,
    row.queue,
    row.kind,
    row.state,
    text(row.payload),
    row.priority,
    row.memory,
    row.slots,
    list(row.tags),
    row.attempt,
    row.maxRetries,
    row.timeoutMs,
    row.tenant,
    row.limitKey,
    row.uniqueKey,
    row.runAt,
    row.createdAt,
    row.startedAt,
    row.endedAt,
    row.worker,
    row.fence,
    row.leaseUntil,
    row.cancelRequested ? 1 : 0,
    row.waits,
    row.blockedBy,
    text(row.sandbox),
    text(row.progress),
    text(row.result),
    text(row.error),
    text(row.usage),
    text(row.carrier),
    row.crashes,
    row.sizeClass,
    row.turn,
    row.uniqueUntil,
    row.ifAfterFails,
    row.followed ? 1 : 0,
    row.dueAt,
    list(row.trail),
    row.progressedIn,
  ];
}

const text = (value: unknown): string | null => (value === null ? null : canonicalJson(value));
const list = (values: readonly unknown[]): string => (values.length === 0 ? "[]" : JSON.stringify(values));

const noTags: readonly string[] = [];

export function toOrderRow(c: OrderCells): OrderRow {
  return {
    id: c[0],
    queue: c[1],
    kind: c[2],
    state: c[3],
    payload: parsed<Json>(c[4]),
    priority: c[5],
    memory: c[6],
    slots: c[7],
    tags: c[8] === "[]" ? noTags : (JSON.parse(c[8]) as readonly string[]),
    attempt: c[9],
    maxRetries: c[10],
    timeoutMs: c[11],
    tenant: c[12],
    limitKey: c[13],
    uniqueKey: c[14],
    runAt: c[15],
    createdAt: c[16],
    startedAt: c[17],
    endedAt: c[18],
    worker: c[19],
    fence: c[20],
    leaseUntil: c[21],
    cancelRequested: c[22] !== 0,
    waits: c[23],
    blockedBy: c[24],
    sandbox: parsed<JsonObject>(c[25]),
    progress: parsed<JsonObject>(c[26]),
    result: parsed<Json>(c[27]),
    error: parsed<ErrorRecord>(c[28]),
    usage: parsed<OrderUsage>(c[29]),
    carrier: parsed<JsonObject>(c[30]),
    crashes: c[31],
    sizeClass: c[32],
    turn: c[33],
    uniqueUntil: c[34],
    ifAfterFails: c[35],
    followed: c[36] !== 0,
    dueAt: c[37],
    trail: JSON.parse(c[38]) as readonly number[],
    progressedIn: c[39],
  };
}

function parsed<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
