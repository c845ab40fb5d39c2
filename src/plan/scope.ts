import { type Duration, type ErrorCode, type JsonObject, nameOneOf } from "../core/index.ts";
import { parseDurationOrNaN } from "./durations.ts";
import { placeOf } from "./place.ts";
import type { Problem } from "./problem.ts";

/** Ids are made of names with `/`, `@` and `:` between them, so a name holds none of these. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * A place in the definition while it is read: notes problems there and goes on, so that one look shows them all.
 * The readers trust no type: a definition in plain JavaScript, or with a cast, must not end in a TypeError.
 */
export class Scope {
  readonly problems: Problem[];
  readonly place: string;
  readonly #root: string;
  /** Where it was written becomes text only for a problem: a stack costs 10 µs to read, and most scopes have none. */
  readonly #at: () => string | undefined;

  constructor(problems: Problem[], root: string, place = "", at: () => string | undefined = () => undefined) {
    this.problems = problems;
    this.#root = root;
    this.place = place;
    this.#at = at;
  }

  /** A place inside this one; `value` may know the line it was written on. */
  in(segment: string, value?: unknown): Scope {
    const place = this.place === "" ? segment : `${this.place} › ${segment}`;
    return new Scope(this.problems, this.#root, place, () => placeOf(value) ?? this.#at());
  }

  /** The place of the `index`-th entry of a list, with its name when it has one: `phases[2] "move"`. */
  entry(list: string, index: number, value: unknown): Scope {
    const name = typeof value === "string" ? value : isObject(value) ? value["name"] : undefined;
    return this.in(`${list}[${index}]${typeof name === "string" ? ` "${name}"` : ""}`, value);
  }

  problem(
    code: ErrorCode,
    message: string,
    more: { readonly remedy?: string; readonly facts?: JsonObject } = {},
  ): void {
    const place = this.place === "" ? this.#root : this.place;
    this.problems.push({ code, message, place, at: this.#at(), ...more });
  }

  /** The list itself, or an empty one after noting what was found instead. */
  list<T>(value: readonly T[] | undefined, key: string): readonly T[] {
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.problem("CUTOVER_PLAN_INVALID", `expected \`${key}\` to be a list, found ${found(value)}`, {
      remedy: `write ${key}: [ … ]`,
    });
    return [];
  }

  /** True when `value` is an object; a member that is not in `known` is a problem, for it would do nothing. */
  object(value: unknown, what: string, known: readonly string[]): boolean {
    if (!isObject(value)) {
      this.problem("CUTOVER_PLAN_INVALID", `expected ${what}, found ${found(value)}`, {
        remedy: `write an object with ${known.slice(0, 4).join(", ")} …`,
      });
      return false;
    }
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      this.problem("CUTOVER_PLAN_INVALID", `${what} knows no \`${key}\``, {
        remedy: nameOneOf(key, known, `remove \`${key}\``),
      });
    }
    return true;
  }

  name(value: unknown, what: string): void {
    if (typeof value === "string" && namePattern.test(value)) return;
    this.problem(
      "CUTOVER_PLAN_INVALID",
      `expected the name of ${what} to be letters, digits, ".", "_" or "-", found ${found(value)}`,
      { remedy: 'use a short name such as "copy-orders"; put words for people into `title`' },
    );
  }

  /** A title or another text for people. */
  text(value: unknown, key: string, required = false): void {
    if (value === undefined && !required) return;
    if (typeof value === "string" && value.trim() !== "") return;
    this.problem("CUTOVER_PLAN_INVALID", `expected \`${key}\` to be a text, found ${found(value)}`, {
      remedy: `write a few words for people, or leave \`${key}\` out`,
    });
  }

  duration(value: Duration | undefined, key: string): number | undefined {
    if (value === undefined) return undefined;
    const ms = parseDurationOrNaN(value);
    if (Number.isNaN(ms))
      this.problem(
        "CUTOVER_DURATION_INVALID",
        `expected \`${key}\` to be a duration such as "250ms" or "1h 30m", found ${found(value)}`,
      );
    return ms;
  }

  /** Notes every entry of `names` that stands there twice. */
  unique(names: readonly unknown[], what: string): void {
    const seen = new Set<unknown>();
    const told = new Set<unknown>();
    for (const name of names) {
      if (seen.has(name) && !told.has(name) && typeof name === "string") {
        told.add(name);
        this.problem("CUTOVER_PLAN_DUPLICATE", `expected each ${what} once, found "${name}" twice`, {
          facts: { name },
        });
      }
      seen.add(name);
    }
  }

  /** Notes every entry of `names` that is not known. */
  known(
    code: ErrorCode,
    names: readonly unknown[],
    known: readonly string[],
    what: string,
    otherwise: string,
  ): void {
    for (const name of names) {
      if (typeof name === "string" && known.includes(name)) continue;
      this.problem(code, `expected a known ${what}, found ${found(name)}`, {
        remedy: nameOneOf(String(name), known, otherwise),
        facts: { name: String(name) },
      });
    }
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What stood there instead, short: never a whole object. */
export function found(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  if (typeof value === "function") return "a function";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value as number | boolean | bigint);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
