import { CutoverError, type Side } from "../../core/index.ts";
import {
  type RoutableFunction,
  type RoutedFunction,
  type RouteLimits,
  type RouteOptions,
  readRouteOptions,
} from "./options.ts";
import type { Write } from "./write-ids.ts";

type Key = string | number | bigint;

/** Decided by what the operation is, a read or a write, and not by options. */
type Decided =
  "old" | "new" | "key" | "effects" | "shadow" | "idempotent" | "unsent" | "operation" | "operations";

/** A function of a read answers without changing anything, so that both sides may be asked. */
export interface ReadOperation<F extends RoutableFunction> extends Omit<RouteOptions<F>, Decided> {
  readonly old: F;
  readonly new: NoInfer<F>;
  /** Default: the entity's. */
  readonly key?: (...args: Parameters<F>) => Key;
}

/**
 * A write may reach a side more than once (after a failure, a timeout or a crash), with the same input and the same
 * `this.id`; to take it again must do no harm. The input is plain data.
 */
export interface WriteOperation<F extends RoutableFunction> {
  readonly old: F;
  readonly new: (this: Write, ...args: Parameters<NoInfer<F>>) => ReturnType<NoInfer<F>>;
  /** Default: the entity's. */
  readonly key?: (...args: Parameters<F>) => Key;
}

type FirstArgument<F> = F extends (first: infer A, ...rest: never[]) => unknown ? A : never;

export type Functions = Readonly<Record<string, RoutableFunction>>;

/** What an entity needs to know. `R` and `W` are the types of the old functions, by operation. */
export interface EntityOptions<R extends Functions, W extends Functions> extends Omit<
  RouteOptions<RoutableFunction>,
  Decided
> {
  /**
   * The key of the one thing that a call reads or writes, from its first argument. All that happens to one key happens
   * in order. An operation may have its own, which sees all arguments. A read without a key belongs to the old side; a write without one stands in no line.
   */
  readonly key?: (first: FirstArgument<R[keyof R] | W[keyof W]>) => Key;
  readonly reads?: { readonly [K in keyof R]: ReadOperation<R[K]> };
  readonly writes?: { readonly [K in keyof W]: WriteOperation<W[K]> };
  /**
   * Tells that this error of the first side leaves open whether it took the write (a timeout, a broken connection). The
   * caller sees the error; the write is made again until the first side takes it, or it is set aside. Default: an error is a
   * refusal, and the other side is not called.
   */
  readonly unsure?: (error: unknown) => boolean;
  /** Failed attempts of a second write after which it is set aside, 1 to 1,000. Default 10, over about 50 s. */
  readonly attempts?: number;
  /** Second writes behind their first that a stage may still advance with. Default 0. */
  readonly backlogLimit?: number;
  /** Folder of the journals. Default: `journal` in the `.cutover` folder; without one they are in memory only. */
  readonly journal?: string;
  /**
   * What an intent survives before the first side is called: `"crash"` of the process, the default, or loss of `"power"`
   * too, at the price of a wait for the disk, which writes at the same time share. With `"crash"` a loss of power can
   * take the intents of the last 50 ms with it.
   */
  readonly survives?: "crash" | "power";
}

type Unbound<F> = OmitThisParameter<F> extends infer G extends RoutableFunction ? G : never;

/** One function for each operation, with the type of its old one. */
export type Entity<R extends Functions, W extends Functions> = {
  readonly [K in keyof R]: RoutedFunction<R[K]>;
} & {
  readonly [K in keyof W]: RoutedFunction<Unbound<W[K]>>;
};

type AnyEntityOptions = EntityOptions<Functions, Functions>;

/** Options with their defaults. */
export interface EntityLimits {
  readonly reads: ReadonlyMap<
    string,
    { readonly options: RouteOptions<RoutableFunction>; readonly limits: RouteLimits }
  >;
  readonly writes: ReadonlyMap<
    string,
    { readonly sides: Readonly<Record<Side, unknown>>; readonly key: unknown }
  >;
  /** Of calls that a caller waits for, and of all that is common to the operations. */
  readonly limits: RouteLimits;
  readonly attempts: number;
  readonly backlogLimit: number;
}

/** Members that are the entity's own; all others are those of a route. */
const own: ReadonlySet<string> = new Set([
  "key",
  "reads",
  "writes",
  "unsure",
  "attempts",
  "backlogLimit",
  "journal",
  "survives",
]);
const decided: ReadonlySet<string> = new Set<Decided>([
  "old",
  "new",
  "effects",
  "shadow",
  "idempotent",
  "unsent",
  "operation",
  "operations",
]);

/** @throws CUTOVER_ROUTE_INVALID for the first option that makes no sense. */
export function readEntityOptions(name: string, given: object): EntityLimits {
  const options = given as AnyEntityOptions;
  if (typeof options !== "object" || options === null)
    throw refusal(name, "options", "an object with reads, writes and a key", options);
  const shared: Record<string, unknown> = {};
  for (const [member, value] of Object.entries(options)) {
    if (decided.has(member)) throw refusal(name, member, "left out: it belongs to an operation", value);
    if (!own.has(member)) shared[member] = value;
  }
  for (const place of ["key", "unsure"] as const) {
    if (options[place] !== undefined && typeof options[place] !== "function")
      throw refusal(name, place, "a function", options[place]);
  }
  const none = (): never => {
    throw refusal(name, "reads and writes", "at least one operation", "none");
  };
  // The options of a route are read once for the entity, so that a wrong one is refused though no operation uses it.
  const limits = readRouteOptions(name, { ...shared, old: none, new: none, key: none } as never);
  const reads: [string, { options: RouteOptions<RoutableFunction>; limits: RouteLimits }][] = [];
  for (const [operation, read] of operationsOf(name, "reads", options.reads)) {
    for (const member of Object.keys(read)) {
      if (member !== "old" && member !== "new" && decided.has(member))
        throw refusal(
          name,
          `reads.${operation}.${member}`,
          "left out: a read decides it itself",
          read[member],
        );
    }
    const key = keyOf(name, `reads.${operation}`, options, read);
    const composed = {
      ...shared,
      ...read,
      key,
      effects: "none",
      idempotent: true,
      operation: () => operation,
    };
    const route = composed as unknown as RouteOptions<RoutableFunction>;
    reads.push([operation, { options: route, limits: readRouteOptions(name, route) }]);
  }
  const writes: [string, { sides: Record<Side, unknown>; key: unknown }][] = [];
  for (const [operation, write] of operationsOf(name, "writes", options.writes)) {
    for (const member of Object.keys(write)) {
      if (!["old", "new", "key"].includes(member))
        throw refusal(
          name,
          `writes.${operation}.${member}`,
          "left out: a write has old, new and key",
          write[member],
        );
    }
    const key = keyOf(name, `writes.${operation}`, options, write);
    writes.push([operation, { sides: { old: write["old"], new: write["new"] }, key }]);
  }
  const twice = writes.find(([operation]) => reads.some(([other]) => other === operation));
  if (twice !== undefined)
    throw refusal(name, `writes.${twice[0]}`, "an operation that is not a read too", twice[0]);
  if (reads.length + writes.length === 0) none();
  const number = (place: "attempts" | "backlogLimit", value: unknown, low: number, high: number): number => {
    if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
    throw refusal(name, place, `a whole number between ${low} and ${high}`, value);
  };
  const { journal, survives } = options;
  if (journal !== undefined && (typeof journal !== "string" || journal === "" || journal.includes("\0")))
    throw refusal(name, "journal", "the path of a folder", journal);
  if (!["crash", "power", undefined].includes(survives))
    throw refusal(name, "survives", '"crash" or "power"', survives);
  return {
    reads: new Map(reads),
    writes: new Map(writes),
    limits,
    attempts: number("attempts", options.attempts ?? 10, 1, 1_000),
    backlogLimit: number("backlogLimit", options.backlogLimit ?? 0, 0, 1_000_000_000),
  };
}

function operationsOf(
  name: string,
  kind: "reads" | "writes",
  found: unknown,
): readonly (readonly [string, Readonly<Record<string, unknown>>])[] {
  if (found === undefined) return [];
  if (typeof found !== "object" || found === null || Array.isArray(found))
    throw refusal(name, kind, "an object of operations by name", found);
  return Object.entries(found).map(([operation, given]: [string, unknown]) => {
    const place = `${kind}.${operation.slice(0, 60)}`;
    if (!/^[\w$.:-]{1,200}$/.test(operation) || operation === "__proto__" || operation === "then")
      throw refusal(name, place, "named by 1 to 200 letters, digits and _ $ . : -, not then", operation);
    if (typeof given !== "object" || given === null)
      throw refusal(name, place, "an object with old and new", given);
    const sides = given as Readonly<Record<string, unknown>>;
    for (const side of ["old", "new"] as const) {
      if (typeof sides[side] !== "function")
        throw refusal(name, `${place}.${side}`, "a function", sides[side]);
    }
    return [operation, sides] as const;
  });
}

function keyOf(
  name: string,
  place: string,
  options: AnyEntityOptions,
  given: Readonly<Record<string, unknown>>,
): unknown {
  const key = given["key"] ?? options.key;
  if (typeof key === "function") return key;
  throw refusal(name, `${place}.key`, "a function, here or for the whole entity", key);
}

function refusal(name: string, place: string, expected: string, found: unknown): CutoverError {
  const shown = typeof found === "string" ? JSON.stringify(found.slice(0, 60)) : String(found).slice(0, 60);
  return new CutoverError("CUTOVER_ROUTE_INVALID", {
    message: `expected ${place} of entity ${JSON.stringify(name)} to be ${expected}, found ${shown}`,
    details: { route: typeof name === "string" ? name.slice(0, 200) : null, option: place },
    place: `entity(${JSON.stringify(name)}).${place}`,
    remedy: "see the docstring of entity() for the shape",
  });
}
