import type { OrdersTold } from "./order-events.ts";

interface Members {
  readonly [member: string]: unknown;
}

/**
 * Several orders with what most of them have alike named once: of a thousand orders that were claimed together, each
 * else repeats worker, states, attempt and fence, three quarters of the text that is hashed, packed and stored.
 * Members keep their sequence, so entries in the order of canonical JSON stay in it.
 */
export function toldOnce<Entry extends { readonly id: string }>(
  entries: readonly Entry[],
): OrdersTold<Entry> {
  if (entries.length < 2) return { orders: entries };
  const every = alike(entries as unknown as readonly Members[]);
  if (every === undefined) return { orders: entries };
  const orders = entries.map((entry) => without(entry as unknown as Members, every));
  return { every, orders } as unknown as OrdersTold<Entry>;
}

/** Orders of an event, each with all its members. */
export function ordersTold<Entry extends { readonly id: string }>({
  every,
  orders,
}: OrdersTold<Entry>): readonly Entry[] {
  if (every === undefined) return orders as unknown as readonly Entry[];
  const { set } = every as Members;
  return orders.map((order) => {
    const own = (order as Members)["set"];
    const whole = { ...every, ...order };
    const both = set !== undefined && own !== undefined;
    return (both
      ? { ...whole, set: { ...(set as Members), ...(own as Members) } }
      : whole) as unknown as Entry;
  });
}

/** What more than half of them have, and all of them have in some way; undefined when that is nothing. */
function alike(entries: readonly Members[]): Members | undefined {
  const [first] = entries as readonly [Members];
  let every: Record<string, unknown> | undefined;
  for (const name of Object.keys(first)) {
    const value = first[name];
    if (name === "id" || value === undefined) continue;
    const shared = isNested(name, value) ? alikeInside(entries, name) : mostHave(entries, name, value);
    if (shared !== undefined) (every ??= {})[name] = shared;
  }
  return every;
}

const isNested = (name: string, value: unknown): value is Members =>
  name === "set" && typeof value === "object" && value !== null;

function alikeInside(entries: readonly Members[], name: string): Members | undefined {
  const inside: Members[] = [];
  for (const entry of entries) {
    const value = entry[name];
    if (!isNested(name, value)) return undefined;
    inside.push(value);
  }
  return alike(inside);
}

function mostHave(entries: readonly Members[], name: string, value: unknown): unknown {
  let same = 0;
  for (const entry of entries) {
    const other = entry[name];
    if (other === undefined) return undefined;
    if (isSame(value, other)) same++;
  }
  return same * 2 > entries.length ? value : undefined;
}

function without(entry: Members, every: Members): Members {
  const own: Record<string, unknown> = {};
  // Entries are plain objects; their keys as a list would be garbage for each of hundreds.
  for (const name in entry) {
    const value = entry[name];
    const shared = every[name];
    if (shared === undefined) own[name] = value;
    else if (isNested(name, shared)) {
      const rest = without(value as Members, shared);
      if (Object.keys(rest).length > 0) own[name] = rest;
    } else if (!isSame(value, shared)) own[name] = value;
  }
  return own;
}

/** Names in lists are compared, objects are not: they are payloads and results, which seldom are alike. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
  return one.every((item, index) => item === (other as readonly unknown[])[index]);
}
