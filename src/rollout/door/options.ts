import { CutoverError, type Duration, parseDuration, type Side, type RouteState } from "../../core/index.ts";
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
  /** All operations, so that one never seen is missed. */
  readonly operations?: readonly string[];
  /** Field names to redact in kept mismatches, besides passwords, tokens, e-mail addresses and their like. */
  readonly redact?: readonly string[];
  /** Members of an input or answer that are copied for a comparison; a call with more is not compared. Default 2,000. */
  readonly copyLimit?: number;
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
  redact: true,
  copyLimit: true,
};

/** @throws CUTOVER_ROUTE_INVALID for the first option that makes no sense. */
export function readRouteOptions<F extends RoutableFunction>(
  name: string,
  options: RouteOptions<F>,
): RouteLimits {
  const refuse = (place: string, expected: string, found: unknown): never => {
    throw new CutoverError("CUTOVER_ROUTE_INVALID", {
      message: `expected ${place} of route ${JSON.stringify(name)} to be ${expected}, found ${describe(found)}`,
      details: { route: name, option: place },
      place: `route(${JSON.stringify(name)}).${place}`,
    });
  };
  if (typeof name !== "string" || !/^[\w.:/@-]{1,200}$/.test(name)) {
    refuse("name", "1 to 200 letters, digits and . _ : / @ -", name);
  }
  if (typeof options !== "object" || options === null)
    refuse("options", "an object with old, new and key", options);
  for (const option of Object.keys(options)) {
    if (!Object.hasOwn(known, option))
      refuse(option.slice(0, 60), "left out: a route knows no such option", options[option as "key"]);
  }
  for (const place of ["old", "new", "key"] as const) {
    if (typeof options[place] !== "function") refuse(place, "a function", options[place]);
  }
  for (const place of ["shadow", "unsent", "expected", "normalize", "compare", "operation"] as const) {
    if (options[place] !== undefined && typeof options[place] !== "function")
      refuse(place, "a function", options[place]);
  }
  if (!["none", "writes", undefined].includes(options.effects))
    refuse("effects", '"none" or "writes"', options.effects);
  for (const place of ["operations", "ignore", "redact"] as const) {
    const list: unknown = options[place] ?? [];
    const good = Array.isArray(list) && list.length <= 500 && list.every((item) => isName(item));
    if (!good) refuse(place, "a list of at most 500 names of 1 to 200 characters", list);
  }
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
  };
}

const isName = (item: unknown): boolean => typeof item === "string" && item.length > 0 && item.length <= 200;

function describe(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value).slice(0, 60);
}
