import type { Outcome } from "./apart.ts";
import { type IgnoreRules, ignoreRules, isIgnored } from "./ignore.ts";

/** One place where old and new differ. Paths are dotted: `items.2.price`; the whole answer is `$`. */
export interface Difference {
  readonly path: string;
  readonly old: unknown;
  readonly new: unknown;
}

/** How far two numbers may be apart: by `absolute`, or by `relative` times the larger of the two. */
export interface Tolerance {
  readonly absolute?: number;
  readonly relative?: number;
}

export interface CompareOptions {
  /** Names (at any depth) or dotted paths (`items.*.id`) left out. */
  readonly ignore?: readonly string[];
  readonly tolerance?: Tolerance;
  /** Most differences listed. Default 20. */
  readonly most?: number;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  /** False when the values go deeper than 64 levels or have more than 100,000 members: the rest was not looked at. */
  readonly complete: boolean;
}

const deepest = 64;
const mostMembers = 100_000;

/**
 * Compares two values by what they hold, not by class: plain members, arrays, Date, Map, Set, buffers, errors.
 * A member that is undefined equals a missing one, NaN equals NaN, functions are not compared. Cycles end it.
 */
export function compare(oldValue: unknown, newValue: unknown, options: CompareOptions = {}): Comparison {
  return new Comparer(options).compare(oldValue, newValue);
}

/** The same for two outcomes: answers by content, errors by name, code and message, at paths below `error`. */
export function compareOutcomes(comparer: Comparer, old: Outcome, other: Outcome): Comparison {
  if (old.ok && other.ok) return comparer.compare(old.value, other.value);
  if (!old.ok && !other.ok) {
    return comparer.compare({ error: errorFacts(old.error) }, { error: errorFacts(other.error) });
  }
  const shown = (side: Outcome): unknown => (side.ok ? side.value : { error: errorFacts(side.error) });
  return { differences: [{ path: "$", old: shown(old), new: shown(other) }], complete: true };
}

/** What of an error is compared and shown. */
export function errorFacts(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = (error as { code?: unknown }).code;
  return { name: error.name, ...(code === undefined ? {} : { code }), message: error.message };
}

/** A comparison with its rules read once. */
export class Comparer {
  readonly #rules: IgnoreRules;
  readonly #ignores: boolean;
  readonly #absolute: number;
  readonly #relative: number;
  readonly #most: number;
  #path: string[] = [];
  #differences: Difference[] = [];
  #members = 0;
  #complete = true;
  #pairs: Map<object, object> | undefined;

  constructor(options: CompareOptions) {
    this.#rules = ignoreRules(options.ignore ?? []);
    this.#ignores = this.#rules.names.size + this.#rules.paths.length > 0;
    this.#absolute = options.tolerance?.absolute ?? 0;
    this.#relative = options.tolerance?.relative ?? 0;
    this.#most = options.most ?? 20;
  }

  compare(oldValue: unknown, newValue: unknown): Comparison {
    if (Object.is(oldValue, newValue)) return equal;
    this.#path = [];
    this.#differences = [];
    this.#members = 0;
    this.#complete = true;
    this.#pairs = undefined;
    this.#values(oldValue, newValue);
    return { differences: this.#differences, complete: this.#complete };
  }

  #values(a: unknown, b: unknown): void {
    if (a === b || this.#differences.length >= this.#most) return;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
      if (!this.#sameScalars(a, b)) this.#differ(a, b);
      return;
    }
    if (this.#path.length >= deepest || this.#members > mostMembers) {
      this.#complete = false;
      return;
    }
    if (this.#path.length > 8) {
      // Cycles are deep by nature: only there is it worth remembering what is being compared already.
      this.#pairs ??= new Map();
      if (this.#pairs.get(a) === b) return;
      this.#pairs.set(a, b);
    }
    if (Array.isArray(a) || Array.isArray(b)) {
      if (!Array.isArray(a) || !Array.isArray(b)) return this.#differ(a, b);
      return this.#arrays(a, b);
    }
    const kind = kindOf(a);
    if (kind !== kindOf(b)) return this.#differ(a, b);
    switch (kind) {
      case "object":
        return this.#membersOf(a as Members, b as Members);
      case "date":
        if (!Object.is((a as Date).getTime(), (b as Date).getTime())) this.#differ(a, b);
        return;
      case "regexp":
        if ((a as RegExp).toString() !== (b as RegExp).toString()) this.#differ(a, b);
        return;
      case "bytes":
        if (Buffer.compare(bytes(a), bytes(b)) !== 0) this.#differ(a, b);
        return;
      case "error":
        return this.#membersOf(errorFacts(a) as Members, errorFacts(b) as Members);
      case "map":
        return this.#membersOf(
          mapMembers(a as Map<unknown, unknown>),
          mapMembers(b as Map<unknown, unknown>),
        );
      case "set":
        return this.#sets(a as Set<unknown>, b as Set<unknown>);
    }
  }

  #arrays(a: readonly unknown[], b: readonly unknown[]): void {
    this.#members += a.length;
    if (a.length !== b.length) this.#at("length", a.length, b.length);
    const shared = Math.min(a.length, b.length);
    for (let i = 0; i < shared; i++) if (a[i] !== b[i]) this.#at(String(i), a[i], b[i]);
  }

  #membersOf(a: Members, b: Members): void {
    let shared = 0;
    for (const name in a) {
      this.#members++;
      const found = Object.hasOwn(b, name);
      if (found) shared++;
      const other = found ? b[name] : undefined;
      if (a[name] !== other) this.#at(name, a[name], other);
    }
    let inB = 0;
    for (const _ in b) inB++;
    if (inB === shared) return;
    for (const name in b) if (!Object.hasOwn(a, name)) this.#at(name, undefined, b[name]);
  }

  /** Sets of scalars by membership; whatever else they hold in the order of insertion. */
  #sets(a: Set<unknown>, b: Set<unknown>): void {
    const rest = (from: Set<unknown>, other: Set<unknown>): unknown[] =>
      [...from].filter((item) => !other.has(item));
    this.#arrays(rest(a, b), rest(b, a));
  }

  #at(name: string, a: unknown, b: unknown): void {
    if (typeof a === "function" || typeof b === "function") return;
    if (this.#ignores && isIgnored(this.#rules, this.#path, name)) return;
    this.#path.push(name);
    this.#values(a, b);
    this.#path.pop();
  }

  #sameScalars(a: unknown, b: unknown): boolean {
    if (typeof a !== "number" || typeof b !== "number") return Object.is(a, b);
    if (Number.isNaN(a) && Number.isNaN(b)) return true;
    const distance = Math.abs(a - b);
    return distance <= this.#absolute || distance <= this.#relative * Math.max(Math.abs(a), Math.abs(b));
  }

  #differ(a: unknown, b: unknown): void {
    this.#differences.push({ path: this.#path.length === 0 ? "$" : this.#path.join("."), old: a, new: b });
  }
}

type Members = Record<string, unknown>;

const equal: Comparison = { differences: [], complete: true };

function kindOf(value: object): "object" | "date" | "regexp" | "bytes" | "error" | "map" | "set" {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return "object";
  if (value instanceof Date) return "date";
  if (value instanceof Map) return "map";
  if (value instanceof Set) return "set";
  if (value instanceof Error) return "error";
  if (value instanceof RegExp) return "regexp";
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? "bytes" : "object";
}

function bytes(value: object): Uint8Array {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return new Uint8Array(value as ArrayBuffer);
}

function mapMembers(map: Map<unknown, unknown>): Members {
  const members: Members = Object.create(null) as Members;
  for (const [key, value] of map) members[String(key)] = value;
  return members;
}
