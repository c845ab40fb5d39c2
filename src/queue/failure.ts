import {
  asError,
  type BackoffPolicy,
  backoffDelay,
  CutoverError,
  type Duration,
  type ErrorCode,
  isCutoverError,
  type JsonObject,
  lastTime,
  parseDuration,
} from "../core/index.ts";
import type { ErrorRecord, OrderState } from "../store/index.ts";
import type { OrderEvent } from "./states.ts";

/** What a failed attempt means for its order. */
export type FailureClass =
  /** Worth another attempt after a wait. */
  | "retryable"
  /** Would fail again in the same way. */
  | "fatal"
  /** The worker was gone or lost its claim: not the work's fault, costs no attempt. */
  | "lost"
  /** It took its worker down too often. */
  | "poison";

export interface Classification {
  readonly class: "retryable" | "fatal";
  /** Least wait before the next attempt, milliseconds, as the other side asked for it. */
  readonly retryAfterMs?: number;
}

/** A rule of one's own; `undefined` leaves the error to the built-in table. */
export type Classify = (error: unknown) => Classification | undefined;

/** Codes of errors that come back the same however often one tries. Everything not listed is tried again. */
const fatalCodes: ReadonlySet<string> = new Set<ErrorCode | (string & {})>([
  "CUTOVER_QUEUE_INVALID",
  "CUTOVER_QUEUE_TOO_LARGE",
  "CUTOVER_QUEUE_UNKNOWN_KIND",
  "CUTOVER_ORDER_POISON",
  // Node: the program, folder or argument is wrong, not the moment.
  "ENOENT",
  "ENOTDIR",
  "EISDIR",
  "EACCES",
  "EPERM",
  "E2BIG",
  "ENAMETOOLONG",
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_ARG_VALUE",
]);

/** Marks an error that another attempt cannot mend: the order fails at once. */
export function fatal(error: unknown): CutoverError {
  return marked(error, { class: "fatal" });
}

/** Marks an error that asks for a wait, e.g. an HTTP 429 with `Retry-After`. The next attempt comes no sooner. */
export function retryAfter(wait: Duration, error: unknown): CutoverError {
  return marked(error, { class: "retryable", retryAfterMs: parseDuration(wait) });
}

function marked(error: unknown, mark: JsonObject): CutoverError {
  const record = errorRecord(error);
  return new CutoverError("CUTOVER_ORDER_FAILED", {
    message: record.message,
    details: { ...record.details, ...mark, ...(record.code === "Error" ? {} : { reason: record.code }) },
    cause: error,
  });
}

/**
 * By mark, rule of the user, code of the error, code of its cause. Never by what its message says.
 * @throws CUTOVER_QUEUE_INVALID when the user's rule gives no classification; whatever that rule throws
 */
export function classify(error: unknown, own: Classify = () => undefined): Classification {
  const chosen = own(error);
  if (chosen !== undefined) return checked(chosen);
  if (isCutoverError(error)) {
    const { class: mark, retryAfterMs } = error.details;
    if (mark === "fatal") return { class: "fatal" };
    if (isWait(retryAfterMs)) return { class: "retryable", retryAfterMs };
  }
  for (let at = error, depth = 0; isObject(at) && depth < 5; at = member(at, "cause"), depth++) {
    if (fatalCodes.has(text(member(at, "code")))) return { class: "fatal" };
  }
  return { class: "retryable" };
}

/** Anything can be thrown: what has a code says as much by it as an Error does. */
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** True when what the work ran in was ended by another's fault: as with a worker that is gone, it costs no attempt. */
export const isLost = (error: unknown): boolean => isCutoverError(error) && error.details["class"] === "lost";

function checked(chosen: Classification): Classification {
  const { class: mark, retryAfterMs } = (chosen as Partial<Classification> | null) ?? {};
  const known = mark === "retryable" || mark === "fatal";
  if (known && (retryAfterMs === undefined || isWait(retryAfterMs))) return chosen;
  throw new CutoverError("CUTOVER_QUEUE_INVALID", {
    message:
      'classify: expected { class: "retryable" or "fatal", retryAfterMs? } or undefined, found something else',
    place: "classify",
  });
}

/** Milliseconds that can be added to a time. */
const isWait = (ms: unknown): ms is number => typeof ms === "number" && ms >= 0 && ms <= lastTime;

export interface FailedAttempt {
  readonly state: OrderState;
  /** Attempts that count, this one included. */
  readonly attempt: number;
  readonly maxRetries: number;
}

/** What becomes of the order: the event, and when it runs again if it does; no later than a date can name. */
export interface FailureDecision {
  readonly event: Extract<OrderEvent, "retry-scheduled" | "failed" | "exhausted">;
  readonly runAt?: number;
}

/** Pure: the same failure at the same time with the same random number gives the same decision. */
export function decideFailure(
  failure: Classification,
  order: FailedAttempt,
  policy: BackoffPolicy,
  now: number,
  random: () => number,
): FailureDecision {
  if (failure.class === "fatal") return { event: "failed" };
  if (order.attempt > order.maxRetries) return { event: "exhausted" };
  const wait = Math.max(backoffDelay(policy, order.attempt, random), failure.retryAfterMs ?? 0);
  return { event: "retry-scheduled", runAt: Math.min(lastTime, Math.ceil(now + wait)) };
}

/** An order whose worker is gone: back for another attempt at no cost, or poison. `crashes` counts this one. */
export function decideCrash(
  state: OrderState,
  crashes: number,
  poisonAfter: number,
): { readonly event: "lost" | "poisoned"; readonly class: FailureClass } {
  // Only running work can have taken its worker down; a claim that was not started yet is never to blame.
  const poison = state === "RUNNING" && crashes >= poisonAfter;
  return poison ? { event: "poisoned", class: "poison" } : { event: "lost", class: "lost" };
}

const longestMessage = 4_000;
const mostDetails = 64 * 2 ** 10;

/** What could not be stored would keep the whole outcome of the attempt from being recorded. */
function keptDetails(details: JsonObject): JsonObject {
  try {
    const json = JSON.stringify(details);
    if (json.length <= mostDetails) return JSON.parse(json) as JsonObject;
    return { leftOut: `${json.length} characters of JSON, at most ${mostDetails} are kept` };
  } catch (error) {
    return { leftOut: cut(asError(error).message) };
  }
}

/**
 * An error as it is stored with the order. Its code is the error's own where it has one, else its class name. Anything can be
 * thrown, and whatever it is, the attempt has to be recorded: nothing of it is trusted to be a text, or to be readable.
 */
export function errorRecord(error: unknown): ErrorRecord {
  if (isCutoverError(error)) {
    return { code: error.code, message: cut(text(error.message)), details: keptDetails(error.details) };
  }
  if (typeof error !== "object" || error === null) return { code: "Error", message: cut(text(error)) };
  const message = member(error, "message");
  const name = error instanceof Error ? member(error, "name") : undefined;
  return {
    code: text(member(error, "code") ?? name ?? "Error").slice(0, 200),
    message: cut(typeof message === "string" ? message : text(error instanceof Error ? message : error)),
  };
}

/** A member of something foreign; one that cannot be read is not there. */
export function member(of: object, name: string): unknown {
  try {
    return (of as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined;
  }
}

/** As much of it as can be said: of an object its JSON, which tells more than `[object Object]`. */
function text(value: unknown): string {
  try {
    if (typeof value !== "object" || value === null) return String(value);
    return `${JSON.stringify(value)}`;
  } catch {
    return "it cannot be told in words";
  }
}

const cut = (message: string): string =>
  message.length <= longestMessage
    ? message
    : `${message.slice(0, longestMessage)} … (${message.length} characters)`;
