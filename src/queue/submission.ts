import { CutoverError, type Duration, type JsonObject, lastTime, timeId } from "../core/index.ts";
import { type NewOrder, whyUnfit } from "../store/index.ts";
import { plainJson } from "./plain-json.ts";
import {
  duration,
  invalid,
  onlyKnown,
  plainObject,
  type QueueSettings,
  refuseUnknownTags,
  tagList,
  whole,
} from "./settings.ts";
import { formatSize, parseSize, type Size } from "./size.ts";

/** What can be said about a work order beside its kind and payload. Defaults come from the queue's options. */
export interface SubmitOptions {
  /** A second submit with the same key gives back the first order, finished or not. At most 1,000 characters and 2,000 bytes. */
  readonly key?: string;
  /** How long the key counts; a submit after that is a new order. Default: as long as the first one is stored. */
  readonly keyFor?: Duration;
  /**
   * What the work takes while it runs. Default: one slot, and for each of its slots the `memoryPerSlot` of the process that
   * submits it, whatever the worker has: open the queue with the same there. `tags`: only workers that offer all of them may
   * take it; all together take at most 1,500 bytes as JSON.
   */
  readonly needs?: { readonly memory?: Size; readonly slots?: number; readonly tags?: readonly string[] };
  readonly retries?: number;
  /** Higher first. Default 0. */
  readonly priority?: number;
  /** Whose order it is: tenants with equal priority take turns, by their weights. */
  readonly tenant?: string;
  /** Orders with the same limit key share its concurrency and rate, as `configure({ limits })` set them. Any name but `"*"`. */
  readonly limit?: string;
  /** Ids of orders that must be COMPLETED before it starts: stored ones, or others of the same call. */
  readonly after?: readonly string[];
  /** When one of `after` fails for good or is cancelled: this one is cancelled too, or runs all the same. Default `"cancel"`. */
  readonly ifAfterFails?: "cancel" | "run";
  /** Time one attempt may take. */
  readonly timeout?: Duration;
  /** Not started before this time: a date or milliseconds since the epoch; for a delay `Date.now() + 5_000`. Default now. */
  readonly runAt?: Date | number;
  /** An id of one's own, e.g. the one it had in another system. Default a time-ordered id. */
  readonly id?: string;
  /** When it was first submitted, if that was elsewhere. Default now. */
  readonly createdAt?: Date | number;
  /** Travels with the order to its work as `order.carrier`, e.g. a trace context of another system. */
  readonly carrier?: JsonObject;
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
  keyFor: true,
  needs: true,
  retries: true,
  priority: true,
  tenant: true,
  limit: true,
  after: true,
  ifAfterFails: true,
  timeout: true,
  runAt: true,
  id: true,
  createdAt: true,
  carrier: true,
};
const knownNeeds: Readonly<Record<keyof NonNullable<SubmitOptions["needs"]>, true>> = {
  memory: true,
  slots: true,
  tags: true,
};

/**
 * One order of a call with options.
 * @throws CUTOVER_QUEUE_INVALID
 */
export function submissionOf(kind: string, payload: unknown, options: SubmitOptions): Submission {
  submitOptions(options);
  return { ...options, kind, payload };
}

/** Refuses options that are none, and those that would be overwritten. @throws CUTOVER_QUEUE_INVALID */
export function submitOptions(options: SubmitOptions): void {
  plainObject(options, "options", "an object such as { key, priority }");
  const { kind, payload } = options as Partial<Submission>;
  const remedy = "kind and payload are arguments of their own, before the options";
  if (kind !== undefined) throw invalid("kind", "nothing of it in the options", kind, remedy);
  if (payload !== undefined) throw invalid("payload", "nothing of it in the options", payload, remedy);
}

/** Most orders that one order may wait for. */
const mostAfter = 1_000;
const none: readonly string[] = [];

/**
 * The order as it goes into the store. Whether it could ever start is asked by `refuseTooLarge`.
 * @param now time of the store
 * @throws CUTOVER_QUEUE_INVALID naming the field · CUTOVER_QUEUE_UNKNOWN_TAG
 */
export function newOrder(submission: Submission, settings: QueueSettings, now: number): NewOrder {
  onlyKnown(submission, knownMembers, "work order");
  const { needs = {}, key, keyFor, ifAfterFails = "cancel" } = submission;
  onlyKnown(needs, knownNeeds, "needs");
  const slots = whole(needs.slots ?? 1, "needs.slots", 1, Number.MAX_SAFE_INTEGER);
  const tags = tagList(needs.tags, "needs.tags");
  refuseUnknownTags(tags, settings.knownTags, "needs.tags");
  if (keyFor !== undefined && key === undefined) throw invalid("keyFor", "a key beside it", keyFor);
  if (ifAfterFails !== "cancel" && ifAfterFails !== "run")
    throw invalid("ifAfterFails", '"cancel" or "run"', ifAfterFails);
  const order: NewOrder = {
    id: submission.id === undefined ? timeId(now) : name(submission.id, "id"),
    queue: settings.name,
    kind: kindName(submission.kind),
    payload: plainJson(submission.payload, "payload", settings.payloadLimit),
    priority: whole(submission.priority ?? 0, "priority", -1_000_000, 1_000_000),
    memory:
      needs.memory === undefined ? slots * settings.memoryPerSlot : parseSize(needs.memory, "needs.memory"),
    slots,
    tags,
    maxRetries: whole(submission.retries ?? settings.retries, "retries", 0, 1_000),
    timeoutMs:
      submission.timeout === undefined ? settings.timeoutMs : duration(submission.timeout, "timeout", 1),
    tenant: submission.tenant === undefined ? "" : name(submission.tenant, "tenant"),
    limitKey: submission.limit === undefined ? null : name(submission.limit, "limit"),
    runAt: time(submission.runAt, "runAt", now),
    uniqueKey: key === undefined ? null : name(key, "key", 1_000),
    uniqueUntil: keyFor === undefined ? null : now + duration(keyFor, "keyFor", 1),
    after: submission.after === undefined ? none : predecessors(submission.after),
    ifAfterFails,
    createdAt: time(submission.createdAt, "createdAt", now),
    carrier: submission.carrier === undefined ? null : carrier(submission.carrier, settings),
  };
  const unfit = whyUnfit(order);
  if (unfit !== undefined) throw invalid(unfit.field, unfit.expected, unfit.found);
  return order;
}

/** True when the order could start here if nothing else ran. */
export function fitsHere(order: Pick<NewOrder, "slots" | "memory">, settings: QueueSettings): boolean {
  return order.slots <= settings.slots && order.memory <= settings.slots * settings.memoryPerSlot;
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
    remedy:
      "name `needs.memory` when submitting it, or open the queue with the same `memoryPerSlot` where it is submitted and " +
      "where it is done: an order that names none asks for that of its submitter; or run it on a larger worker",
  });
}

/** @throws CUTOVER_QUEUE_INVALID */
export function kindName(kind: string): string {
  if (typeof kind === "string" && /^[A-Za-z][\w.:/-]{0,99}$/.test(kind)) return kind;
  throw invalid("kind", "a letter, then up to 99 letters, digits and . : / _ -", kind);
}

export function name(value: string, field: string, longest = 200): string {
  // Half of a surrogate pair would come back from the store as another text.
  const fits = typeof value === "string" && value !== "" && value.length <= longest && value.isWellFormed();
  // oxlint-disable-next-line no-control-regex -- a control character in an id breaks logs and terminals
  if (fits && !/[\0-\x1f\x7f]/.test(value)) return value;
  throw invalid(field, `a text of 1–${longest} printable characters`, value);
}

function predecessors(ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids) || ids.length > mostAfter)
    throw invalid("after", `a list of at most ${mostAfter} ids`, ids);
  return [...new Set(ids.map((id) => name(id, "after")))];
}

function carrier(value: JsonObject, settings: QueueSettings): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("carrier", "an object", value);
  return plainJson(value, "carrier", settings.payloadLimit) as JsonObject;
}

/** 3 March 1973. A number below was meant as a delay, or counts seconds. */
const leastTime = 100_000_000_000;
const delayInstead = "for a delay write Date.now() + 5_000; for seconds since the epoch, times 1_000";

function time(value: Date | number | undefined, field: string, now: number): number {
  if (value === undefined) return Math.floor(now);
  const ms = value instanceof Date || typeof value === "number" ? Number(value) : Number.NaN;
  // On a clock that begins at 0 small times are real ones.
  if (typeof value === "number" && ms > 0 && ms < leastTime && now >= leastTime)
    throw invalid(field, "milliseconds since the epoch", ms, delayInstead);
  if (ms >= 0 && ms <= lastTime) return Math.floor(ms);
  throw invalid(field, "a date or milliseconds since the epoch", value);
}
