import { CutoverError, type Duration, timeId } from "../core/index.ts";
import type { NewOrder } from "../store/index.ts";
import { plainJson } from "./plain-json.ts";
import { duration, invalid, onlyKnown, type QueueSettings, whole } from "./settings.ts";
import { formatSize, parseSize, type Size } from "./size.ts";

/** What can be said about a work order beside its kind and payload. Defaults come from the queue's options. */
export interface SubmitOptions {
  /** A second submit with the same key gives back the first order, finished or not. */
  readonly key?: string;
  /** What the work takes while it runs. Default: one slot, and the memory behind the slots it takes. */
  readonly needs?: { readonly memory?: Size; readonly slots?: number };
  readonly retries?: number;
  /** Higher first. Default 0. */
  readonly priority?: number;
  /** Whose order it is: tenants with equal priority take turns. */
  readonly tenant?: string;
  /** Time one attempt may take. */
  readonly timeout?: Duration;
  /** Not started before this time: a date or milliseconds since the epoch. Default now. */
  readonly runAt?: Date | number;
  /** An id of one's own, e.g. the one it had in another system. Default a time-ordered id. */
  readonly id?: string;
  /** When it was first submitted, if that was elsewhere. Default now. */
  readonly createdAt?: Date | number;
}

/** One entry of `submitAll`. */
export interface Submission extends SubmitOptions {
  readonly kind: string;
  readonly payload?: unknown;
}

const knownMembers: Readonly<Record<keyof Submission, true>> = {
  kind: true,
  payload: true,
  key: true,
  needs: true,
  retries: true,
  priority: true,
  tenant: true,
  timeout: true,
  runAt: true,
  id: true,
  createdAt: true,
};
const knownNeeds: Readonly<Record<keyof NonNullable<SubmitOptions["needs"]>, true>> = {
  memory: true,
  slots: true,
};

/**
 * The order as it goes into the store.
 * @throws CUTOVER_QUEUE_INVALID naming the field; CUTOVER_QUEUE_TOO_LARGE when it could never start here
 */
export function newOrder(submission: Submission, settings: QueueSettings): NewOrder {
  const now = settings.clock.now();
  onlyKnown(submission, knownMembers, "work order");
  const { needs = {} } = submission;
  onlyKnown(needs, knownNeeds, "needs");
  const slots = whole(needs.slots ?? 1, "needs.slots", 1, Number.MAX_SAFE_INTEGER);
  const memory =
    needs.memory === undefined ? slots * settings.memoryPerSlot : parseSize(needs.memory, "needs.memory");
  const order: NewOrder = {
    id: submission.id === undefined ? timeId(now) : name(submission.id, "id"),
    queue: settings.name,
    kind: kindName(submission.kind),
    payload: plainJson(submission.payload, "payload", settings.payloadLimit),
    priority: whole(submission.priority ?? 0, "priority", -1_000_000, 1_000_000),
    memory,
    slots,
    maxRetries: whole(submission.retries ?? settings.retries, "retries", 0, 1_000),
    timeoutMs: duration(submission.timeout ?? settings.timeoutMs, "timeout", 1),
    tenant: submission.tenant === undefined ? "" : name(submission.tenant, "tenant"),
    runAt: time(submission.runAt, "runAt", now),
    uniqueKey: submission.key === undefined ? null : name(submission.key, "key", 1_000),
    createdAt: time(submission.createdAt, "createdAt", now),
  };
  if (slots > settings.slots || memory > settings.slots * settings.memoryPerSlot)
    throw tooLarge(order, settings);
  return order;
}

/** Why an order that asks for more than all slots together give can never start here. */
export function tooLarge(
  order: Pick<NewOrder, "id" | "slots" | "memory">,
  settings: QueueSettings,
): CutoverError {
  const { slots } = settings;
  const memory = slots * settings.memoryPerSlot;
  return new CutoverError("CUTOVER_QUEUE_TOO_LARGE", {
    message:
      `work order ${order.id} asks for ${order.slots} slots and ${formatSize(order.memory)}; ` +
      `this queue has ${slots} slots and ${formatSize(memory)} in all`,
    details: { id: order.id, slots: order.slots, memory: order.memory, has: { slots, memory } },
  });
}

/** @throws CUTOVER_QUEUE_INVALID */
export function kindName(kind: string): string {
  if (typeof kind === "string" && /^[A-Za-z][\w.:/-]{0,99}$/.test(kind)) return kind;
  throw invalid("kind", "a letter, then up to 99 letters, digits and . : / _ -", kind);
}

function name(value: string, field: string, longest = 200): string {
  // oxlint-disable-next-line no-control-regex -- a control character in an id breaks logs and terminals
  if (typeof value === "string" && value !== "" && value.length <= longest && !/[\0-\x1f\x7f]/.test(value)) {
    return value;
  }
  throw invalid(field, `a text of 1–${longest} printable characters`, value);
}

function time(value: Date | number | undefined, field: string, now: number): number {
  const ms = value === undefined ? now : Number(value);
  if (Number.isFinite(ms) && ms >= 0) return Math.floor(ms);
  throw invalid(field, "a date or milliseconds since the epoch", value);
}
