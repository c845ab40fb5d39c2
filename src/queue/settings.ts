import {
  type BackoffPolicy,
  type Clock,
  CutoverError,
  defaultBackoff,
  type Duration,
  errorCatalog,
  hasCode,
  type Log,
  nearest,
  parseDuration,
  silentLog,
  systemClock,
} from "../core/index.ts";
import { defaultAgeLimitMs } from "./findings.ts";
import type { Classify } from "./failure.ts";
import { machineMemory, type MemoryReader } from "./memory.ts";
import { isPlain } from "./plain-json.ts";
import { parseSize, type Size } from "./size.ts";
import { isTelemetryApi, type TelemetryApi } from "./telemetry-api.ts";

/** How long work that was asked to end may take for it where nothing else was said; also what a stop of a worker allows for. */
export const defaultGrace: Duration = "30s";

/** Everything that can be chosen about a queue. Each default is the plan's own number where it names one. */
export interface QueueOptions {
  /** Name of the queue inside its store. Default `"default"`. */
  readonly name?: string;
  /** Orders that run at the same time, when each takes one slot. Default 2. */
  readonly slots?: number;
  /** Memory behind each slot; slots × this is what all running orders may declare together. Default `"4096 MB"`. */
  readonly memoryPerSlot?: Size;
  /** Longest time between two looks at the store; new work rings a bell and does not wait for it. Default `"1s"`. */
  readonly poll?: Duration;
  /** Least time between two starts, so that heavy work does not start all at once. 0 turns it off. Default `"5s"`. */
  readonly stagger?: Duration;
  /** Most unfinished orders; a submit beyond is refused with a time to come back. Default 10,000. */
  readonly depth?: number;
  /** Retries of an order that names none. Default 3. */
  readonly retries?: number;
  /** Waits between attempts. Default 5 s, doubling, at most 300 s, a tenth of it random. */
  readonly backoff?: {
    readonly base?: Duration;
    readonly factor?: number;
    readonly cap?: Duration;
    readonly floor?: Duration;
    readonly jitter?: number;
  };
  /** Time the work of an attempt may take, from its start, when its order names none. Default `"1h"`. */
  readonly timeout?: Duration;
  /** Time between asking work to end (abort signal, SIGTERM) and ending it (SIGKILL, abandon). Default `defaultGrace`, 30 s. */
  readonly grace?: Duration;
  /** How long a claim holds without a heartbeat; heartbeats come at a third of it. Default `"15s"`. */
  readonly lease?: Duration;
  /** Share of memory in use from which fewer orders run, and from which none is admitted. Default 0.8 and 0.9. */
  readonly memory?: { readonly warning?: number; readonly critical?: number; readonly read?: MemoryReader };
  /** An order that waited this long for enough room gets it: nothing else is claimed until it fits. Default `"1m"`. */
  readonly reserveAfter?: Duration;
  /** Times an order may take its worker down before it fails as poison. Default 3. */
  readonly poisonAfter?: number;
  /** Longest JSON of a payload or a result. Default `"1 MB"`. */
  readonly payloadLimit?: Size;
  /** What this worker can do that others may not, e.g. `["gpu"]`: it gets orders that need no other tags. Default none. */
  readonly tags?: readonly string[];
  /** Every tag there is: an order that needs another one is refused, because nobody would ever take it. Default: any. */
  readonly knownTags?: readonly string[];
  /** Most orders taken in one claim, 1–500; never more than there are free slots. Default 250. */
  readonly claimBatch?: number;
  /** How long finished orders stay, failed ones too; then they are removed in small batches. Default: for ever. */
  readonly keep?: Duration;
  /** Health warns when the order that waits longest has been due for so long. Default `"10m"`. */
  readonly ageLimit?: Duration;
  /**
   * Longest time that a call such as `submit`, `get` or `cancel` waits for an answer of the store; then it is refused with
   * CUTOVER_STORE_UNAVAILABLE. Default: for as long as the store tries itself, on PostgreSQL 30 s where it is away, 70 s where it hangs.
   */
  readonly callTimeout?: Duration;
  /** Schema of the tables, for `postgres://…` only. Default `"cutover"`. */
  readonly schema?: string;
  /** The object of `import * as otel from "@opentelemetry/api"`: traces and metrics are told to it. Default: nobody. */
  readonly telemetry?: TelemetryApi;
  /** Looked at before the built-in table when an attempt failed; `undefined` leaves the decision to the table. */
  readonly classify?: Classify;
  readonly clock?: Clock;
  /** Evenly from [0, 1); for jitter. */
  readonly random?: () => number;
  readonly log?: Log;
  /** Name of this worker in the record. Default host, process id and start time, by which a dead one is recognised. */
  readonly workerId?: string;
}

/** The options as the queue uses them: milliseconds, bytes, nothing missing. */
export interface QueueSettings {
  readonly name: string;
  readonly slots: number;
  readonly memoryPerSlot: number;
  readonly pollMs: number;
  readonly staggerMs: number;
  readonly depth: number;
  readonly retries: number;
  readonly backoff: BackoffPolicy;
  readonly timeoutMs: number;
  readonly graceMs: number;
  readonly leaseMs: number;
  readonly warning: number;
  readonly critical: number;
  readonly readMemory: MemoryReader;
  readonly reserveAfterMs: number;
  readonly poisonAfter: number;
  readonly payloadLimit: number;
  readonly tags: readonly string[];
  /** Undefined: every tag is known. */
  readonly knownTags: ReadonlySet<string> | undefined;
  readonly claimBatch: number;
  /** Undefined: for ever. */
  readonly keepMs: number | undefined;
  readonly ageLimitMs: number;
  /** Undefined: the store alone says. */
  readonly callTimeoutMs: number | undefined;
  readonly schema: string | undefined;
  readonly telemetry: TelemetryApi | undefined;
  readonly classify: Classify;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const knownOptions: Readonly<Record<keyof QueueOptions, true>> = {
  name: true,
  slots: true,
  memoryPerSlot: true,
  poll: true,
  stagger: true,
  depth: true,
  retries: true,
  backoff: true,
  timeout: true,
  grace: true,
  lease: true,
  memory: true,
  reserveAfter: true,
  poisonAfter: true,
  payloadLimit: true,
  tags: true,
  knownTags: true,
  claimBatch: true,
  keep: true,
  ageLimit: true,
  callTimeout: true,
  schema: true,
  telemetry: true,
  classify: true,
  clock: true,
  random: true,
  log: true,
  workerId: true,
};

/** @throws CUTOVER_QUEUE_INVALID naming the option */
export function queueSettings(options: QueueOptions): QueueSettings {
  try {
    return readOptions(options);
  } catch (error) {
    // What reads durations, sizes and tags reads them of orders, too.
    const general =
      hasCode(error, "CUTOVER_QUEUE_INVALID") && error.remedy === errorCatalog[error.code].remedy;
    throw general ? invalidOption(error) : error;
  }
}

function invalidOption({ code, message, details, place = "options" }: CutoverError): CutoverError {
  return new CutoverError(code, {
    message,
    details,
    place,
    remedy: `correct the option ${place} of openQueue or defineWorker, or leave it out`,
  });
}

function readOptions(options: QueueOptions): QueueSettings {
  onlyKnown(options, knownOptions, "options");
  const { backoff = {}, memory = {} } = options;
  onlyKnown(backoff, { base: true, factor: true, cap: true, floor: true, jitter: true }, "backoff");
  onlyKnown(memory, { warning: true, critical: true, read: true }, "memory");
  if (memory.read !== undefined) callable(memory.read, "memory.read");
  if (options.classify !== undefined) callable(options.classify, "classify");
  if (options.random !== undefined) callable(options.random, "random");
  methods(options.clock, "clock", ["now", "monotonic", "after"]);
  methods(options.log, "log", ["debug", "info", "warn", "error"]);
  const base = duration(backoff.base ?? defaultBackoff.base, "backoff.base");
  const settings: QueueSettings = {
    name: options.name ?? "default",
    slots: whole(options.slots ?? 2, "slots", 1, 100_000),
    memoryPerSlot: parseSize(options.memoryPerSlot ?? "4096 MB", "memoryPerSlot"),
    pollMs: duration(options.poll ?? "1s", "poll", 1),
    staggerMs: duration(options.stagger ?? "5s", "stagger"),
    depth: whole(options.depth ?? 10_000, "depth", 1, Number.MAX_SAFE_INTEGER),
    retries: whole(options.retries ?? 3, "retries", 0, 1_000),
    backoff: {
      base,
      factor: between(backoff.factor ?? defaultBackoff.factor, "backoff.factor", 1, 1_000),
      cap: duration(backoff.cap ?? Math.max(base, defaultBackoff.cap), "backoff.cap", base),
      floor: duration(backoff.floor ?? defaultBackoff.floor, "backoff.floor"),
      jitter: between(backoff.jitter ?? defaultBackoff.jitter, "backoff.jitter", 0, 1),
    },
    timeoutMs: duration(options.timeout ?? "1h", "timeout", 1),
    graceMs: duration(options.grace ?? defaultGrace, "grace"),
    leaseMs: duration(options.lease ?? "15s", "lease", 30),
    warning: between(memory.warning ?? 0.8, "memory.warning", 0, 1),
    critical: between(memory.critical ?? 0.9, "memory.critical", 0, 1),
    readMemory: memory.read ?? machineMemory,
    reserveAfterMs: duration(options.reserveAfter ?? "1m", "reserveAfter"),
    poisonAfter: whole(options.poisonAfter ?? 3, "poisonAfter", 1, 1_000),
    payloadLimit: parseSize(options.payloadLimit ?? "1 MB", "payloadLimit"),
    tags: tagList(options.tags, "tags"),
    knownTags: options.knownTags === undefined ? undefined : new Set(tagList(options.knownTags, "knownTags")),
    claimBatch: whole(options.claimBatch ?? 250, "claimBatch", 1, 500),
    keepMs: options.keep === undefined ? undefined : duration(options.keep, "keep"),
    ageLimitMs: duration(options.ageLimit ?? defaultAgeLimitMs, "ageLimit", 1),
    callTimeoutMs:
      options.callTimeout === undefined ? undefined : duration(options.callTimeout, "callTimeout", 1),
    schema: options.schema,
    telemetry: telemetryApi(options.telemetry),
    classify: options.classify ?? (() => undefined),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    log: options.log ?? silentLog,
  };
  if (settings.warning > settings.critical) {
    throw invalid("memory.warning", `at most memory.critical (${settings.critical})`, settings.warning);
  }
  queueName(settings.name);
  // It stands in logs and in the record, one line each.
  // oxlint-disable-next-line no-control-regex -- what it refuses
  if (options.workerId !== undefined && !/^[^\0-\x1f\x7f]{1,200}$/.test(asText(options.workerId)))
    throw invalid("workerId", "a text of 1–200 printable characters", options.workerId);
  refuseUnknownTags(settings.tags, settings.knownTags, "tags");
  return settings;
}

const noTags: readonly string[] = [];

/** Sorted, each once. @throws CUTOVER_QUEUE_INVALID naming the field */
export function tagList(value: readonly string[] | undefined, field: string): readonly string[] {
  if (value === undefined) return noTags;
  if (!Array.isArray(value) || value.length > 100) throw invalid(field, "a list of at most 100 tags", value);
  for (const tag of value) {
    if (typeof tag !== "string" || !/^[\w.:/=-]{1,100}$/.test(tag))
      throw invalid(field, "tags of 1–100 letters, digits and . : / = _ -", tag);
  }
  return value.length === 0 ? noTags : [...new Set<string>(value)].toSorted();
}

/** @throws CUTOVER_QUEUE_UNKNOWN_TAG */
export function refuseUnknownTags(
  tags: readonly string[],
  known: ReadonlySet<string> | undefined,
  field: string,
): void {
  const unknown = known === undefined ? undefined : tags.find((tag) => !known.has(tag));
  if (unknown === undefined || known === undefined) return;
  throw new CutoverError("CUTOVER_QUEUE_UNKNOWN_TAG", {
    message: `${field}: no worker offers the tag ${JSON.stringify(unknown)}; known are ${[...known].join(", ") || "none"}`,
    place: field,
    details: { field, tag: unknown, known: [...known] },
  });
}

/**
 * The name of a queue, as it may be.
 * @throws CUTOVER_QUEUE_INVALID
 */
export function queueName(name: string): string {
  if (/^[\w.:-]{1,100}$/.test(asText(name))) return name;
  throw invalid("name", "1–100 letters, digits and . : _ -", name);
}

/** Why somebody asked for something, as it stands in the record. @throws CUTOVER_QUEUE_INVALID */
export function reasonText(reason: string): string {
  if (asText(reason).trim() !== "" && reason.length <= longestReason) return reason;
  throw invalid("reason", `a text of 1–${longestReason} characters`, reason);
}

const longestReason = 4_000;

/** Plain JavaScript may hand in a number or a list, which a pattern would read as a text. */
const asText = (value: unknown): string => (typeof value === "string" ? value : "");

/** @throws CUTOVER_QUEUE_INVALID naming the field */
export function callable(value: unknown, field: string): void {
  if (typeof value !== "function") throw invalid(field, "a function", value);
}

function methods(value: object | undefined, field: string, names: readonly string[]): void {
  if (value === undefined) return;
  const given = (value as unknown) ?? {};
  if (names.some((each) => typeof (given as Readonly<Record<string, unknown>>)[each] !== "function"))
    throw invalid(field, `an object with the methods ${names.join(", ")}`, value);
}

function telemetryApi(value: TelemetryApi | undefined): TelemetryApi | undefined {
  if (value === undefined || isTelemetryApi(value)) return value;
  throw invalid("telemetry", 'the object of `import * as otel from "@opentelemetry/api"`', value);
}

/** A duration in whole milliseconds, rounded up, that is at least `least`: times are stored as whole numbers. @throws CUTOVER_QUEUE_INVALID naming the field */
export function duration(value: Duration, field: string, least = 0): number {
  let ms: number;
  try {
    ms = parseDuration(value);
  } catch (error) {
    if (!hasCode(error, "CUTOVER_DURATION_INVALID")) throw error;
    throw invalid(field, 'a duration such as "250ms" or "10m"', value);
  }
  if (ms < least) throw invalid(field, `at least ${least} ms`, value);
  return Math.ceil(ms);
}

/** @throws CUTOVER_QUEUE_INVALID naming the field */
export function whole(value: number, field: string, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(field, `a whole number from ${least} to ${most}`, value);
}

function between(value: number, field: string, least: number, most: number): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw invalid(field, `a number from ${least} to ${most}`, value);
}

/**
 * Refuses all but plain objects, to be asked before one is spread: of a Map, a list, a number or an instance of a class
 * that leaves nothing, or half of what it was to say.
 * @throws CUTOVER_QUEUE_INVALID
 */
export function plainObject(value: unknown, field: string, expected: string): void {
  if (typeof value !== "object" || value === null) throw invalid(field, expected, value);
  if (isPlain(value)) return;
  const remedy =
    value instanceof Map
      ? "make a plain object of it: Object.fromEntries(map)"
      : "write what it is to say into a plain object: { … }";
  throw invalid(field, expected, value, remedy);
}

/**
 * Refuses what is no plain object, and members nobody reads: a mistyped option would silently do nothing.
 * @throws CUTOVER_QUEUE_INVALID naming the member
 */
export function onlyKnown<T extends object>(
  value: T,
  known: Readonly<Record<keyof T, true>>,
  field: string,
): void {
  const names = (): string => Object.keys(known).join(", ");
  // The text is made for a refusal only: each order that is submitted comes by here.
  if (typeof value !== "object" || (value as unknown) === null || !isPlain(value))
    plainObject(value, field, `an object with ${names()}`);
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(known, key)) continue;
    const meant = nearest(key, Object.keys(known));
    const remedy = meant === undefined ? `leave out ${JSON.stringify(key)}` : `did you mean "${meant}"?`;
    throw invalid(field, `no members but ${names()}`, key, remedy);
  }
}

/** @throws CUTOVER_QUEUE_INVALID naming the field */
export function isText(value: unknown, field: string): void {
  if (typeof value !== "string") throw invalid(field, "a text", value);
}

/** @param remedy where there is more to say than that the named field or option is to be corrected */
export function invalid(field: string, expected: string, found: unknown, remedy?: string): CutoverError {
  const shown = shortly(found);
  return new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `${field}: expected ${expected}, found ${shown}`,
    place: field,
    details: { field, expected, found: shown },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function shortly(found: unknown): string {
  if (typeof found === "string") return JSON.stringify(found.slice(0, 80));
  if (Array.isArray(found)) return found.length === 0 ? "an empty list" : "a list";
  if (typeof found === "object" && found !== null && !isPlain(found))
    return `an instance of ${found.constructor?.name || "a class"}`;
  if (typeof found === "object" && found !== null)
    return Object.keys(found).length === 0 ? "an empty object" : "an object";
  return typeof found === "function" ? "a function" : String(found);
}
