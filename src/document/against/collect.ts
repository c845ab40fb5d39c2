import type { FoundValues } from "../lint/facts.ts";

/** More values than this are names, texts or ids, not states. */
const mostValues = 200;
const longest = 64;

/** Gathers the values of fields over many files, and lets go of fields that are no enumeration. */
export class Collected {
  readonly #fields: Map<string, Field | null> = new Map();

  /** `line` is asked only for a value that is new. */
  add(
    from: FoundValues["from"],
    field: string,
    value: string,
    file: string,
    line: () => number,
    times = 1,
  ): void {
    if (value.length > longest || value === "" || /[\n\r]/.test(value)) return;
    const key = `${from} ${field}`;
    const known = this.#fields.get(key);
    if (known === null) return;
    const own = known ?? { from, field, values: new Map<string, Seen>() };
    if (known === undefined) this.#fields.set(key, own);
    const seen = own.values.get(value);
    if (seen !== undefined) seen.count += times;
    else if (own.values.size >= mostValues) this.#fields.set(key, null);
    else own.values.set(value, { count: times, first: { file, line: line() } });
  }

  /** Fields with at least one value, by name. */
  found(): readonly FoundValues[] {
    return [...this.#fields.values()]
      .flatMap((field) => field ?? [])
      .map(({ from, field, values }) => ({
        field,
        from,
        values: [...values].map(([value, { count, first }]) => ({ value, count, first })),
      }))
      .toSorted((a, b) => (a.field < b.field ? -1 : a.field > b.field ? 1 : a.from < b.from ? -1 : 1));
  }
}

interface Field {
  readonly from: FoundValues["from"];
  readonly field: string;
  readonly values: Map<string, Seen>;
}

interface Seen {
  count: number;
  readonly first: { readonly file: string; readonly line: number };
}
