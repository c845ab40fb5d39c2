import {
  CutoverError,
  type Duration,
  nameOneOf,
  parseDuration,
  type RouteState,
  type Side,
  type Stage,
  stages,
} from "../../core/index.ts";
import { type Captured, isCaptured } from "./captured.ts";
import type { Difference, Tolerance } from "./compare.ts";
import { type ComparisonLimits, readComparisonOptions } from "./comparison-options.ts";
import type { StreamOptions } from "./stream-record.ts";
import { isName, type OperationOptions, readOperations, type RefusalReason } from "./operations.ts";
import type { WorkerOptions } from "./worker-side.ts";

// `never[]` accepts every function: parameters are contravariant.
export type RoutableFunction = (...args: never[]) => unknown;

/** What a route needs to know about its two sides. `F` is the type of the old function. */
export interface RouteOptions<F extends RoutableFunction> {
  readonly old: F;
  readonly new: NoInfer<F>;
  /**
   * What is spread over the two sides: an id that stays with the work, so that it always meets the same side.
   * A key that throws or is empty counts as one for the old side.
   */
  readonly key: (...args: Parameters<F>) => string | number | bigint;
  /**
   * `"none"` when calling both sides does no harm (a read), else `"writes"`, the default: then stage `shadow` is
   * refused unless `shadow` is given, because it would do the work twice.
   */
  readonly effects?: "none" | "writes";
  /**
   * The port through which both sides do their effects, as `captured` gave it: at stage `shadow` the new side's are not made
   * but compared with those of the old side, field by field (`effects.insert.0.0.total`). Such a route has no stages
   * `dualwrite` and `rampdown`: both sides would act through the same port.
   */
  readonly captures?: Captured<object>;
  /** Answers as `new` would, without acting. Called instead of `new` at stage `shadow`. */
  readonly shadow?: NoInfer<F>;
  /**
   * True when repeating a call on the other side does no harm, for instance because both sides refuse a second
   * order with the same id. Then a call that fails on the new side, or is not answered within `deadline`, is
   * answered by the old side. Default false.
   */
  readonly idempotent?: boolean;
  /** For a route that is not idempotent: tells that this error came before anything was sent, so the old side may answer. */
  readonly unsent?: (error: unknown) => boolean;
  /** Errors that are answers ("not found"), on either side: passed on, not counted as failures. */
  readonly expected?: (error: unknown) => boolean;
  /** A call of either side open for longer counts as failed. Default 10 s. */
  readonly deadline?: Duration;
  /** Deadline of calls off the caller's path: shadow calls and second writes. Default: twice `deadline`. */
  readonly shadowDeadline?: Duration;
  /** Shadow calls under way at once; more are skipped and counted. Default 10. */
  readonly shadowConcurrency?: number;
  /** Percentage of keys that stage `shadow` calls the new side for. Default 100. */
  readonly sample?: number;
  /** Fields that may differ: names at any depth (`createdAt`) or paths from the root (`items.*.id`). */
  readonly ignore?: readonly string[];
  /** How far numbers may be apart. Default: not at all. */
  readonly tolerance?: Tolerance;
  /** Brings an answer into the form that is compared; sees a copy. */
  readonly normalize?: (answer: Awaited<ReturnType<F>>) => unknown;
  /** Own comparison of two answers (normalised): true, or the differences. */
  readonly compare?: (old: unknown, other: unknown) => boolean | readonly Difference[];
  /** Name of the operation a call belongs to, for coverage. */
  readonly operation?: (...args: Parameters<F>) => string;
  /**
   * All operations, so that one never seen is missed: a list of names, or a record that also says which of them must only
   * ever reach one side: `{ submit: {}, charge: { never: "non-idempotent" }, profile: { never: "personal" } }`. Calls of
   * those are not shadowed and not written to the other side; each is counted as refused. A call that is
   * `non-idempotent` does not fail over either, unless `unsent` says that nothing was sent.
   */
  readonly operations?: readonly string[] | Readonly<Record<string, OperationOptions>>;
  /** Name of the group of callers a call belongs to (`"eu"`, `"premium"`), for coverage. */
  readonly cohort?: (...args: Parameters<F>) => string;
  /** All cohorts, so that one never seen is missed. */
  readonly cohorts?: readonly string[];
  /** Field names to redact in kept mismatches, besides passwords, tokens, e-mail addresses and their like. */
  readonly redact?: readonly string[];
  /** Members of an input or answer that are copied for a comparison; a call with more is not compared. Default 2,000. */
  readonly copyLimit?: number;
  /** How answers that are streams (async iterables, `ReadableStream`, Node's streams, `Response`) are compared. */
  readonly stream?: StreamOptions;
  /**
   * Percentage of shadow calls for which the old side is called a second time, to learn which fields it does not repeat
   * itself (ids, times); such differences are passed over. The first 20 calls are all made twice. Needs
   * `effects: "none"`. Default 0: nothing is learned.
   */
  readonly learnNoise?: number;
  /**
   * A module whose default export is called at stage `shadow` in place of `new`, in a thread of its own: one that
   * blocks, or floods the memory, ends with its thread. Inputs and answers are copied between threads. Needs
   * `effects: "none"`.
   */
  readonly worker?: URL | WorkerOptions;
}

/** Called like the old function, and answers like it. Synchronous sides stay synchronous. */
export type RoutedFunction<F extends RoutableFunction> = F & {
  /** Stage, share and epoch in this process now. */
  state(): RouteState;
  /** Which side answers this key now. */
  side(key: string | number | bigint): Side;
};

/** Options with their defaults. */
export interface RouteLimits extends ComparisonLimits {
  readonly deadline: number;
  readonly shadowDeadline: number;
  readonly shadowConcurrency: number;
  readonly sample: number;
  readonly copyLimit: number;
  /** Operations that may be repeated, and those that may not, with the reason. */
  readonly operations: readonly string[];
  readonly never: ReadonlyMap<string, RefusalReason>;
  readonly cohorts: readonly string[];
  /** Stages that the call site can bear. */
  readonly stages: readonly Stage[];
}

/** A member that is none of these would do nothing. */
const known: Readonly<Record<keyof RouteOptions<RoutableFunction>, true>> = {
  old: true,
  new: true,
  key: true,
  effects: true,
  captures: true,
  shadow: true,
  idempotent: true,
  unsent: true,
  expected: true,
  deadline: true,
  shadowDeadline: true,
  shadowConcurrency: true,
  sample: true,
  ignore: true,
  tolerance: true,
  normalize: true,
  compare: true,
  operation: true,
  operations: true,
  cohort: true,
  cohorts: true,
  redact: true,
  copyLimit: true,
  stream: true,
  learnNoise: true,
  worker: true,
};

/** @throws CUTOVER_ROUTE_INVALID for the first option that makes no sense. */
export function readRouteOptions<F extends RoutableFunction>(
  name: string,
  options: RouteOptions<F>,
): RouteLimits {
  const refuse = (place: string, expected: string, found: unknown, remedy?: string): never => {
    throw new CutoverError("CUTOVER_ROUTE_INVALID", {
      message: `expected ${place} of route ${JSON.stringify(name)} to be ${expected}, found ${describe(found)}`,
      details: { route: name, option: place },
      place: `route(${JSON.stringify(name)}).${place}`,
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  if (typeof name !== "string" || !/^[\w.:/@-]{1,200}$/.test(name)) {
    refuse("name", "1 to 200 letters, digits and . _ : / @ -", name);
  }
  if (typeof options !== "object" || options === null)
    refuse("options", "an object with old, new and key", options);
  for (const option of Object.keys(options)) {
    if (!Object.hasOwn(known, option))
      refuse(
        option.slice(0, 60),
        "left out: a route knows no such option",
        options[option as "key"],
        nameOneOf(option.slice(0, 60), Object.keys(known), "leave it out"),
      );
  }
  for (const place of ["old", "new", "key"] as const) {
    if (typeof options[place] !== "function") refuse(place, "a function", options[place]);
  }
  for (const place of [
    "shadow",
    "unsent",
    "expected",
    "normalize",
    "compare",
    "operation",
    "cohort",
  ] as const) {
    if (options[place] !== undefined && typeof options[place] !== "function")
      refuse(place, "a function", options[place]);
  }
  if (!["none", "writes", undefined].includes(options.effects))
    refuse("effects", '"none" or "writes"', options.effects);
  if (options.captures !== undefined) {
    if (!isCaptured(options.captures)) refuse("captures", "what captured(port) gave", options.captures);
    if (options.effects === "none")
      refuse("effects", 'left out or "writes" where effects are captured', options.effects);
    if (options.worker !== undefined)
      refuse("worker", "left out where effects are captured: they are in this thread", options.worker);
  }
  for (const place of ["cohorts", "ignore", "redact"] as const) {
    const list: unknown = options[place] ?? [];
    const good = Array.isArray(list) && list.length <= 500 && list.every((item) => isName(item));
    if (!good) refuse(place, "a list of at most 500 names of 1 to 200 characters", list);
  }
  if (options.cohorts !== undefined && options.cohort === undefined)
    refuse("cohort", "a function that names the cohort of a call, since `cohorts` are given", undefined);
  const { operations, never } = readOperations(options.operations, refuse);
  if (never.size > 0 && options.operation === undefined)
    refuse(
      "operation",
      "a function that names the operation of a call, since `operations` says `never`",
      undefined,
    );
  const number = (place: keyof RouteOptions<F>, value: number, low: number, high: number): number =>
    value >= low && value <= high ? value : refuse(place, `between ${low} and ${high}`, value);
  const whole = (place: keyof RouteOptions<F>, value: number, low: number, high: number): number =>
    Number.isInteger(number(place, value, low, high)) ? value : refuse(place, "a whole number", value);
  const duration = (place: "deadline" | "shadowDeadline", otherwise: number, high: number): number => {
    const given = options[place] ?? otherwise;
    const ms = parseDurationOf(name, place, given);
    return number(place, ms, 1, high);
  };
  const deadline = duration("deadline", 10_000, 86_400_000);
  const copyLimit = whole("copyLimit", options.copyLimit ?? 2_000, 1, 10_000_000);
  return {
    deadline,
    shadowDeadline: duration("shadowDeadline", 2 * deadline, 172_800_000),
    shadowConcurrency: whole("shadowConcurrency", options.shadowConcurrency ?? 10, 1, 10_000),
    sample: number("sample", options.sample ?? 100, 0, 100),
    copyLimit,
    ...readComparisonOptions(options, copyLimit, refuse),
    operations,
    never,
    cohorts: [...new Set(options.cohorts)],
    stages: stages.filter((stage) => bears(stage, options, operations, never)),
  };
}

/** @throws CUTOVER_DURATION_INVALID with the place: which of a dozen routes is meant nobody could guess. */
function parseDurationOf(route: string, place: string, given: Duration): number {
  try {
    return parseDuration(given);
  } catch (cause) {
    throw new CutoverError("CUTOVER_DURATION_INVALID", {
      message: `expected ${place} of route ${JSON.stringify(route)} to be a duration such as "250ms" or "10s", found ${describe(given)}`,
      details: { route, option: place },
      place: `route(${JSON.stringify(route)}).${place}`,
      cause,
    });
  }
}

/**
 * Can the route be at this stage? In `shadow`, calling the new side besides must do no harm, and some operation must be
 * left that may be called there. Where both sides act through one port, a second write would be the same effect again.
 */
function bears<F extends RoutableFunction>(
  stage: Stage,
  options: RouteOptions<F>,
  operations: readonly string[],
  never: ReadonlyMap<string, RefusalReason>,
): boolean {
  const { effects, shadow, captures } = options;
  if (stage === "dualwrite" || stage === "rampdown") return captures === undefined;
  if (stage !== "shadow") return true;
  if (never.size > 0 && operations.length === 0) return false;
  return effects === "none" || shadow !== undefined || captures !== undefined;
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return String(value).slice(0, 60);
}
