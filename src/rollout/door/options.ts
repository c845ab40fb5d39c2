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
import type { Difference, Tolerance } from "./compare.ts";

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
}

/** Why an operation must only ever reach one side. */
export type RefusalReason = "non-idempotent" | "personal";

export interface OperationOptions {
  /** Absent: it may be shadowed and written twice, as the route's stage says. */
  readonly never?: RefusalReason;
}

/** Called like the old function, and answers like it. Synchronous sides stay synchronous. */
export type RoutedFunction<F extends RoutableFunction> = F & {
  /** Stage, share and epoch in this process now. */
  state(): RouteState;
  /** Which side answers this key now. */
  side(key: string | number | bigint): Side;
};

/** Options with their defaults. */
export interface RouteLimits {
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
  const deadline = parseDuration(options.deadline ?? 10_000);
  return {
    deadline: number("deadline", deadline, 1, 86_400_000),
    shadowDeadline: number(
      "shadowDeadline",
      options.shadowDeadline === undefined ? 2 * deadline : parseDuration(options.shadowDeadline),
      1,
      172_800_000,
    ),
    shadowConcurrency: number("shadowConcurrency", options.shadowConcurrency ?? 10, 1, 10_000),
    sample: number("sample", options.sample ?? 100, 0, 100),
    copyLimit: number("copyLimit", options.copyLimit ?? 2_000, 1, 10_000_000),
    operations,
    never,
    cohorts: [...new Set(options.cohorts)],
    stages: stages.filter((stage) => stage !== "shadow" || bearsShadow(options, operations, never)),
  };
}

/** Calling the new side besides must do no harm, and some operation must be left that may be called there. */
function bearsShadow<F extends RoutableFunction>(
  options: RouteOptions<F>,
  operations: readonly string[],
  never: ReadonlyMap<string, RefusalReason>,
): boolean {
  if (never.size > 0 && operations.length === 0) return false;
  return options.effects === "none" || options.shadow !== undefined;
}

const reasons: readonly RefusalReason[] = ["non-idempotent", "personal"];

function readOperations(
  given: unknown,
  refuse: (place: string, expected: string, found: unknown, remedy?: string) => never,
): { readonly operations: readonly string[]; readonly never: ReadonlyMap<string, RefusalReason> } {
  const expected = "at most 500 names of 1 to 200 characters, as a list or as a record";
  if (given === undefined) return { operations: [], never: new Map() };
  if (typeof given !== "object" || given === null) return refuse("operations", expected, given);
  const names: readonly unknown[] = Array.isArray(given) ? given : Object.keys(given);
  if (names.length > 500 || !names.every((item) => isName(item)))
    return refuse("operations", expected, given);
  const never = new Map<string, RefusalReason>();
  if (!Array.isArray(given)) {
    for (const [name, options] of Object.entries(given as Readonly<Record<string, unknown>>)) {
      const place = `operations.${name.slice(0, 60)}`;
      if (typeof options !== "object" || options === null || Array.isArray(options))
        return refuse(place, 'an object: {} or { never: "non-idempotent" }', options);
      const unknown = Object.keys(options).find((option) => option !== "never");
      if (unknown !== undefined)
        return refuse(`${place}.${unknown.slice(0, 60)}`, "left out: an operation knows only never", unknown);
      const { never: reason } = options as { readonly never?: unknown };
      if (reason === undefined) continue;
      const known = reasons.find((each) => each === reason);
      if (known === undefined) return refuse(`${place}.never`, '"non-idempotent" or "personal"', reason);
      never.set(name, known);
    }
  }
  const all = [...new Set(names as readonly string[])];
  return { operations: all.filter((name) => !never.has(name)), never };
}

const isName = (item: unknown): boolean => typeof item === "string" && item.length > 0 && item.length <= 200;

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return String(value).slice(0, 60);
}
