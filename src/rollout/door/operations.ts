/** Why an operation must only ever reach one side. */
export type RefusalReason = "non-idempotent" | "personal";

export interface OperationOptions {
  /** Absent: it may be shadowed and written twice, as the route's stage says. */
  readonly never?: RefusalReason;
}

const reasons: readonly RefusalReason[] = ["non-idempotent", "personal"];

/** The operations of a route that may be repeated, and those that may not. */
export function readOperations(
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

/** A name of an operation, a cohort, a field. */
export const isName = (item: unknown): boolean =>
  typeof item === "string" && item.length > 0 && item.length <= 200;
