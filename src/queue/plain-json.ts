import { CutoverError, type Json } from "../core/index.ts";

/**
 * A copy of `value` when it survives JSON unchanged (`undefined` members are left out, a bare `undefined` is `null`). It is
 * written later: whoever uses one object for many calls, or goes on with it, must not change what was handed in before.
 * @param what place for the error, e.g. `payload`
 * @param limit most bytes of its JSON text
 * @throws CUTOVER_QUEUE_INVALID with the path of the part that would be changed or lost
 */
export function plainJson(value: unknown, what: string, limit: number): Json {
  if (value === undefined) return null;
  const copy = copied(value, what, []);
  const text = JSON.stringify(copy);
  // Length in UTF-16 units first: most values are far below the limit and need no second pass.
  if (text.length > limit || (text.length * 3 > limit && Buffer.byteLength(text) > limit)) {
    throw refusal(what, `at most ${limit} bytes of JSON`, `${Buffer.byteLength(text)} bytes`);
  }
  return copy;
}

function copied(value: unknown, path: string, above: readonly object[]): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    if (Number.isFinite(value)) return value;
    throw refusal(path, "a finite number", String(value));
  }
  if (typeof value !== "object")
    throw refusal(path, "a JSON value", value === undefined ? "nothing" : `a ${typeof value}`);
  if (above.includes(value)) throw refusal(path, "a tree", "a circle");
  if (above.length >= deepest) throw refusal(what(path), `at most ${deepest} levels`, "more");
  const inside = [...above, value];
  if (Array.isArray(value)) {
    // By number: `forEach` passes over holes, which JSON makes null.
    const copy: Json[] = [];
    for (let i = 0; i < value.length; i++) copy.push(copied(value[i], `${path}[${i}]`, inside));
    return copy;
  }
  if (!isPlain(value)) {
    throw refusal(path, "a plain object", `a ${value.constructor?.name ?? "class instance"}`);
  }
  const copy: Record<string, Json> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const kept = copied(member, `${path}.${key}`, inside);
    // Assigned, it would become the prototype.
    if (key === "__proto__") Object.defineProperty(copy, key, { value: kept, ...plainMember });
    else copy[key] = kept;
  }
  return copy;
}

/** True for what `{ … }` makes, here or in another realm (`node:vm`), and for objects without a prototype. */
export function isPlain(value: object): boolean {
  if (Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const plainMember = { enumerable: true, configurable: true, writable: true };

/** Whoever reads the record walks it too, and has only so much stack. */
const deepest = 500;

/** The part that all of a path begins with: the path to such a depth is of no use to anybody. */
const what = (path: string): string => /^[^.[]*/.exec(path)?.[0] ?? path;

const refusal = (place: string, expected: string, found: string): CutoverError =>
  new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `${place}: expected ${expected}, found ${found}`,
    place,
    details: { field: place, expected, found },
  });
