import type { Clock } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { overdue } from "../end-reason.ts";
import { invalid } from "../settings.ts";

/** What plain JavaScript may hand in for a program, refused where it is said and not by the system call that gets it. */

/** @throws CUTOVER_QUEUE_INVALID naming the field */
export function textList(value: readonly string[] | undefined, field: string): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw invalid(field, "a list of texts", value);
  const at = value.findIndex((item) => typeof item !== "string" || item.includes("\0"));
  if (at !== -1) throw invalid(`${field}[${at}]`, "a text without a zero byte", value[at]);
}

/** @throws CUTOVER_QUEUE_INVALID naming the field */
export function textMembers(value: Readonly<Record<string, string>> | undefined, field: string): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(field, "an object of texts", value);
  for (const [name, text] of Object.entries(value)) {
    // An undefined member stands for a variable that is not set, as in `process.env`.
    if (text !== undefined && (typeof text !== "string" || text.includes("\0")))
      throw invalid(`${field}.${name}`, "a text without a zero byte", text);
  }
}

/** @throws CUTOVER_QUEUE_INVALID naming the field */
export function exitCodes(value: readonly number[] | undefined): readonly number[] {
  if (value === undefined) return [];
  const good =
    Array.isArray(value) && value.every((code) => Number.isInteger(code) && code >= 0 && code <= 255);
  if (good) return value;
  throw invalid("fatalExitCodes", "a list of whole numbers from 0 to 255", value);
}

/**
 * Waits for what the order's own code makes ready, e.g. its command: that has the order's time, not the longer one for being made
 * ready.
 * @throws CUTOVER_ORDER_TIMEOUT
 */
export async function madeInTime<T>(making: T | Promise<T>, order: OrderRecord, clock: Clock): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = clock.after(order.timeoutMs, () => late.reject(overdue({ ...order, state: "RUNNING" })));
  try {
    return await Promise.race([making, late.promise]);
  } finally {
    timer.cancel();
  }
}
