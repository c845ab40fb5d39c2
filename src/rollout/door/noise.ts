import { Comparer, type CompareOptions, compareOutcomes, type Pass } from "./compare.ts";
import type { Outcome } from "./apart.ts";
import { type Form, formOf } from "./value-form.ts";

/** The first shadow calls of a route are all called twice on the old side: until then nothing is known of its noise. */
export const firstPairs = 20;
/** Pairs in which a field must have differed before it is passed over in other calls too. */
const mostlyVolatile = 2;
/** A field equal in so many pairs in a row is forgotten. */
const forgottenAfter = 1_000;
/** Fields kept, those seen to differ once among them. */
const mostFields = 200;
/** Longer paths are not learned: reports would not carry them. */
const longestPath = 500;

interface Field {
  /** Forms in which the old side gave it. */
  readonly forms: Set<Form>;
  pairs: number;
  lastPair: number;
}

/** Fields that differed between two answers of the old side to one input, with the forms in which they came. */
export type OwnNoise = ReadonlyMap<string, ReadonlySet<Form>>;

/**
 * What the old side does not repeat when it is asked twice: ids, times, counters. A difference between the sides at
 * such a field means nothing, as long as the new side's value has a form that the old side's had there: a missing
 * field, a number for a text or an empty text for an id is still a mismatch.
 */
export class Noise {
  readonly #rules: CompareOptions;
  readonly #fields = new Map<string, Field>();
  #pairs = 0;
  #full = false;
  /** Paths passed over in every call, `*` for array indexes, sorted. Replaced when they change. */
  volatile: readonly string[] = [];

  /** @param rules those of the route: what it ignores and tolerates is no noise to learn */
  constructor(rules: CompareOptions) {
    this.#rules = rules;
  }

  get pairs(): number {
    return this.#pairs;
  }

  /** True once fields had to be left unlearned for want of room. */
  get full(): boolean {
    return this.#full;
  }

  /** Learns from two outcomes of the old side. What differed in them is known for this call at once. */
  learn(first: Outcome, second: Outcome): OwnNoise {
    const own = new Map<string, Set<Form>>();
    if (first.ok !== second.ok) return own;
    const note: Pass = (path, a, b) => {
      if (path.length > longestPath || (own.size >= mostFields && !own.has(path))) return true;
      const forms = own.get(path) ?? new Set();
      own.set(path, forms.add(formOf(a)).add(formOf(b)));
      return true;
    };
    compareOutcomes(new Comparer(this.#rules, note), first, second);
    this.#pairs++;
    for (const [path, forms] of own) this.#add(path, forms);
    this.#forget();
    return own;
  }

  /** Is a difference here the old side's own noise? */
  passes(path: string, old: unknown, other: unknown, own?: OwnNoise): boolean {
    const field = this.#fields.get(path);
    const known = field !== undefined && field.pairs >= mostlyVolatile ? field.forms : undefined;
    const fits = (forms: ReadonlySet<Form> | undefined): boolean =>
      forms !== undefined && forms.has(formOf(old)) && forms.has(formOf(other));
    return fits(known) || fits(own?.get(path));
  }

  #add(path: string, forms: ReadonlySet<Form>): void {
    let field = this.#fields.get(path);
    if (field === undefined) {
      if (this.#fields.size >= mostFields) {
        this.#full = true;
        return;
      }
      field = { forms: new Set(), pairs: 0, lastPair: 0 };
      this.#fields.set(path, field);
    }
    for (const form of forms) field.forms.add(form);
    field.pairs++;
    field.lastPair = this.#pairs;
    if (field.pairs === mostlyVolatile) this.#list();
  }

  #forget(): void {
    let listed = false;
    for (const [path, field] of this.#fields) {
      if (this.#pairs - field.lastPair < forgottenAfter) continue;
      this.#fields.delete(path);
      listed ||= field.pairs >= mostlyVolatile;
    }
    if (listed) this.#list();
  }

  #list(): void {
    const fields = [...this.#fields].filter(([, { pairs }]) => pairs >= mostlyVolatile);
    this.volatile = fields.map(([path]) => path).toSorted();
  }
}
