import type { Outcome } from "./apart.ts";
import { errorFacts } from "./error-facts.ts";
import { type IgnoreRules, ignoreRules, isIgnored } from "./ignore.ts";
import { bytesOf, haveScalarKeys, type Kind, kindOf, numbersOf, stated } from "./kinds.ts";

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
  /**
   * False when something was not looked at: what lies deeper than 64 levels or after 100,000 members, and instances
   * that show nothing of what they hold.
   */
  readonly complete: boolean;
}

/**
 * Is told of a difference before it counts, with its path in which `*` stands for every array index; true passes over
 * it.
 */
export type Pass = (pattern: string, old: unknown, other: unknown) => boolean;

const deepest = 64;
const mostMembers = 100_000;

/**
 * Compares two values by what they hold, not by class: plain members, arrays, Date, Map, Set, buffers, typed arrays, errors (with their causes), URLs and what else says what it is by `toJSON`.
 * A member that is undefined equals a missing one, a hole equals undefined, NaN equals NaN, 0 equals -0, symbols equal
 * by their description; functions are not compared, nor are members named by symbols, where libraries keep their books. Cycles end it.
 */
export function compare(oldValue: unknown, newValue: unknown, options: CompareOptions = {}): Comparison {
  return new Comparer(options).compare(oldValue, newValue);
}

/** The same for two outcomes: answers by content, errors by name, code, message and cause, at paths below `error`. */
export function compareOutcomes(comparer: Comparer, old: Outcome, other: Outcome): Comparison {
  if (old.ok && other.ok) return comparer.compare(old.value, other.value);
  if (!old.ok && !other.ok) {
    return comparer.compare({ error: errorFacts(old.error) }, { error: errorFacts(other.error) });
  }
  const shown = (side: Outcome): unknown => (side.ok ? side.value : { error: errorFacts(side.error) });
  return { differences: [{ path: "$", old: shown(old), new: shown(other) }], complete: true };
}

/** A comparison with its rules read once. */
export class Comparer {
  readonly #rules: IgnoreRules;
  readonly #ignores: boolean;
  readonly #absolute: number;
  readonly #relative: number;
  readonly #most: number;
  readonly #pass: Pass | undefined;
  readonly #path: string[] = [];
  /** As the path, with `*` for array indexes. */
  readonly #pattern: string[] = [];
  #differences: readonly Difference[] = none;
  #members = 0;
  #complete = true;
  #pairs: Map<object, object> | undefined;

  constructor(options: CompareOptions, pass?: Pass) {
    this.#rules = ignoreRules(options.ignore ?? []);
    this.#ignores = this.#rules.names.size + this.#rules.paths.length > 0;
    this.#absolute = options.tolerance?.absolute ?? 0;
    this.#relative = options.tolerance?.relative ?? 0;
    this.#most = options.most ?? 20;
    this.#pass = pass;
  }

  compare(oldValue: unknown, newValue: unknown): Comparison {
    if (Object.is(oldValue, newValue)) return equal;
    this.#path.length = 0;
    this.#pattern.length = 0;
    this.#differences = none;
    this.#members = 0;
    this.#complete = true;
    this.#pairs = undefined;
    this.#values(oldValue, newValue);
    if (this.#complete && this.#differences === none) return equal;
    return { differences: this.#differences, complete: this.#complete };
  }

  #values(a: unknown, b: unknown): void {
    if (a === b || this.#full) return;
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
    const otherKind = kindOf(b);
    if (kind === "instance" || otherKind === "instance") {
      const own = (value: object, its: Kind): Members | undefined =>
        its === "object" || its === "instance" ? { ...(value as Members) } : undefined;
      const [left, right] = [own(a, kind), own(b, otherKind)];
      return left === undefined || right === undefined ? this.#differ(a, b) : this.#membersOf(left, right);
    }
    if (kind !== otherKind) return this.#differ(a, b);
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
        if (Buffer.compare(bytesOf(a), bytesOf(b)) !== 0) this.#differ(a, b);
        return;
      case "numbers": {
        const [left, right] = [numbersOf(a), numbersOf(b)];
        if (left.type !== right.type) return this.#differ(a, b);
        return this.#arrays(left.list, right.list);
      }
      case "error":
        return this.#membersOf(errorFacts(a) as Members, errorFacts(b) as Members);
      case "map":
        return this.#maps(a as Map<unknown, unknown>, b as Map<unknown, unknown>);
      case "set":
        return this.#sets(a as Set<unknown>, b as Set<unknown>);
      case "stated": {
        const [left, right] = [stated(a), stated(b)];
        return left?.type === right?.type ? this.#values(left?.value, right?.value) : this.#differ(a, b);
      }
      case "opaque":
        this.#complete = false;
    }
  }

  /** Enough was found, or looked at: an enormous answer must not hold up the process. */
  get #full(): boolean {
    if (this.#differences.length >= this.#most) return true;
    if (this.#members <= mostMembers) return false;
    this.#complete = false;
    return true;
  }

  #arrays(a: ArrayLike<unknown>, b: ArrayLike<unknown>): void {
    if (a.length !== b.length) this.#at("length", a.length, b.length);
    const shared = Math.min(a.length, b.length);
    for (let i = 0; i < shared; i++) {
      this.#members++;
      if (a[i] !== b[i]) this.#at(String(i), a[i], b[i], "*");
      if (this.#full) return;
    }
  }

  #membersOf(a: Members, b: Members): void {
    let shared = 0;
    for (const name in a) {
      this.#members++;
      const found = Object.hasOwn(b, name);
      if (found) shared++;
      const other = found ? b[name] : undefined;
      const own = a[name];
      if (own !== other) this.#at(name, own, other);
      if (this.#full) return;
    }
    let inB = 0;
    for (const _ in b) if (++inB > mostMembers) break;
    if (inB !== shared)
      for (const name in b) {
        this.#members++;
        if (!Object.hasOwn(a, name)) this.#at(name, undefined, b[name]);
        if (this.#full) return;
      }
  }

  /** By key; when a key is an object, which nothing finds again, pair by pair in the order of insertion. */
  #maps(a: Map<unknown, unknown>, b: Map<unknown, unknown>): void {
    if (a.size + b.size > mostMembers || !haveScalarKeys(a, b)) return this.#arrays([...a], [...b]);
    for (const [key, value] of a) {
      this.#members++;
      this.#at(String(key), value, b.get(key));
      if (this.#full) return;
    }
    for (const [key, value] of b) if (!a.has(key)) this.#at(String(key), undefined, value);
  }

  /** Sets of scalars by membership; whatever else they hold in the order of insertion. */
  #sets(a: Set<unknown>, b: Set<unknown>): void {
    const rest = (from: Set<unknown>, other: Set<unknown>): unknown[] =>
      [...from].filter((item) => !other.has(item));
    this.#arrays(rest(a, b), rest(b, a));
  }

  #at(name: string, a: unknown, b: unknown, pattern: string = name): void {
    if (typeof a === "function" ? typeof b === "function" || b === undefined : isMethod(a, b)) return;
    if (this.#ignores && isIgnored(this.#rules, this.#path, name)) return;
    this.#path.push(name);
    this.#pattern.push(pattern);
    this.#values(a, b);
    this.#path.pop();
    this.#pattern.pop();
  }

  #sameScalars(a: unknown, b: unknown): boolean {
    if (typeof a === "symbol" && typeof b === "symbol") return String(a) === String(b);
    if (typeof a !== "number" || typeof b !== "number") return Object.is(a, b);
    if (Number.isNaN(a) && Number.isNaN(b)) return true;
    const distance = Math.abs(a - b);
    return distance <= this.#absolute || distance <= this.#relative * Math.max(Math.abs(a), Math.abs(b));
  }

  #differ(a: unknown, b: unknown): void {
    const path = (segments: readonly string[]): string => (segments.length === 0 ? "$" : segments.join("."));
    // Decided here and not afterwards: what is passed over must not use up the differences that are listed.
    if (this.#pass?.(path(this.#pattern), a, b) === true) return;
    this.#differences = [...this.#differences, { path: path(this.#path), old: a, new: b }];
  }
}

type Members = Record<string, unknown>;

const none: readonly Difference[] = [];
const equal: Comparison = { differences: none, complete: true };

/** A function on one side and nothing on the other is how the answer is built, not what it holds. */
const isMethod = (a: unknown, b: unknown): boolean => typeof b === "function" && a === undefined;
