import { found } from "./scope.ts";

/**
 * Why `value` is not JSON, with the place of the first offending part, or undefined when it is. What JSON would
 * silently change (undefined, NaN, dates, class instances, bigints) is refused, for the record must hold what ran.
 */
export function jsonProblem(
  value: unknown,
  place: string,
  above: readonly object[] = [],
): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number" && Number.isFinite(value)) return undefined;
  if (typeof value !== "object") return `expected \`${place}\` to be JSON, found ${found(value)}`;
  if (above.includes(value)) return `expected \`${place}\` to be JSON, found a circle of references`;
  const inside = [...above, value];
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const problem = jsonProblem(item, `${place}[${index}]`, inside);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    return `expected \`${place}\` to be JSON, found an instance of ${className(value)}`;
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const problem = jsonProblem(member, `${place}.${key}`, inside);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const className = (value: object): string => value.constructor?.name ?? "a class";
