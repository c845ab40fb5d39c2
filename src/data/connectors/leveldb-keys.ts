import { reserved } from "../capture-engine.ts";

/**
 * Records of capture lie behind all keys of applications. Numbers of 64 and 128 bits whose bits are all set are keys that
 * occur; twenty-four such bytes and a word are not, and text has no such byte at all.
 */
export const firstReserved: Buffer = Buffer.concat([Buffer.alloc(24, 0xff), Buffer.from("cutover\0")]);
/** The first key behind the records. */
export const endReserved: Buffer = Buffer.concat([Buffer.alloc(24, 0xff), Buffer.from("cutover\u0001")]);

/** A stretch of keys from `from` up to and not including `to`; without `to` to the end. */
export interface Stretch {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Where the rows of a collection lie: keys in these stretches, without the prefix. */
export interface Layout {
  readonly prefix: Uint8Array;
  readonly stretches: readonly Stretch[];
}

/**
 * `""` is everything that lies in no sublevel of its own; a named collection is the sublevel of that name, as abstract-level
 * writes it: `!name!key`.
 */
export function layoutsOf(names: readonly string[]): ReadonlyMap<string, Layout> {
  const sublevels = names
    .filter((name) => name !== "")
    .map((name) => {
      const prefix = Buffer.from(`!${name}!`);
      return { name, prefix, stretch: { from: prefix, to: Buffer.from(`!${name}"`) } };
    })
    .toSorted((a, b) => Buffer.compare(a.prefix, b.prefix));
  const layouts = new Map<string, Layout>(
    sublevels.map(({ name, prefix, stretch }) => [name, { prefix, stretches: [stretch] }]),
  );
  const rest: Stretch[] = [];
  let from: Uint8Array = Buffer.alloc(0);
  for (const { stretch } of sublevels) {
    rest.push({ from, to: stretch.from });
    from = stretch.to;
  }
  if (names.includes(""))
    layouts.set("", { prefix: Buffer.alloc(0), stretches: [...rest, { from, to: firstReserved }] });
  layouts.set(reserved, { prefix: firstReserved, stretches: [{ from: firstReserved, to: endReserved }] });
  return layouts;
}

/** The collection a key of the database belongs to, and its key there; undefined: it is in none. */
export function placeIn(
  layouts: ReadonlyMap<string, Layout>,
  key: Uint8Array,
): { readonly collection: string; readonly key: Uint8Array } | undefined {
  for (const [collection, { prefix, stretches }] of layouts) {
    const inside = stretches.some(
      ({ from, to }) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0,
    );
    if (inside) return { collection, key: prefix.length === 0 ? key : key.subarray(prefix.length) };
  }
  return undefined;
}

export function keyIn({ prefix }: Layout, key: Uint8Array): Uint8Array {
  return prefix.length === 0 ? key : Buffer.concat([prefix, key]);
}
