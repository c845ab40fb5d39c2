import { compareBytes } from "../bytes.ts";
import type { ChunkLimit, Range, Row } from "../connector.ts";

/** Rows in the order of their keys. A snapshot shares them until the next write, which then copies. */
export class SortedBytes {
  #keys: Uint8Array[];
  #values: Uint8Array[];
  /** Snapshots that look at the arrays as they are. */
  #sharers = { count: 0 };
  #bytes = 0;

  constructor(keys: Uint8Array[] = [], values: Uint8Array[] = []) {
    this.#keys = keys;
    this.#values = values;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Keys and values together. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const at = this.#from(key);
    const found = this.#keys[at];
    return found !== undefined && compareBytes(found, key) === 0 ? this.#values[at] : undefined;
  }

  set(key: Uint8Array, value: Uint8Array | null): void {
    if (this.#sharers.count > 0) {
      this.#keys = [...this.#keys];
      this.#values = [...this.#values];
      this.#sharers = { count: 0 };
    }
    const at = this.#from(key);
    const there = this.#keys[at];
    const same = there !== undefined && compareBytes(there, key) === 0;
    if (same) this.#bytes -= key.length + (this.#values[at]?.length ?? 0);
    if (value !== null) this.#bytes += key.length + value.length;
    if (value === null) {
      if (same) this.#keys.splice(at, 1);
      if (same) this.#values.splice(at, 1);
    } else if (same) this.#values[at] = value;
    else if (at === this.#keys.length) {
      this.#keys.push(key);
      this.#values.push(value);
    } else {
      this.#keys.splice(at, 0, key);
      this.#values.splice(at, 0, value);
    }
  }

  /** What is there now, until `end` is called. */
  snapshot(): { readonly table: SortedBytes; readonly end: () => void } {
    const sharers = this.#sharers;
    sharers.count++;
    let open = true;
    const end = (): void => {
      if (open) sharers.count--;
      open = false;
    };
    return { table: new SortedBytes(this.#keys, this.#values), end };
  }

  rows(range: Range, limit: ChunkLimit): { readonly rows: readonly Row[]; readonly end: boolean } {
    const [from, to] = this.#span(range);
    const rows: Row[] = [];
    let bytes = 0;
    let at = from;
    for (; at < to && rows.length < limit.rows; at++) {
      const key = this.#keys[at] as Uint8Array;
      const value = this.#values[at] as Uint8Array;
      bytes += key.length + value.length;
      if (bytes > limit.bytes && rows.length > 0) break;
      rows.push({ key, value });
    }
    return { rows, end: at >= to };
  }

  count(range: Range): number {
    const [from, to] = this.#span(range);
    return Math.max(0, to - from);
  }

  #span({ after, upTo }: Range): readonly [number, number] {
    const past = (key: Uint8Array): number => this.#from(key) + (this.get(key) === undefined ? 0 : 1);
    return [after === undefined ? 0 : past(after), upTo === undefined ? this.#keys.length : past(upTo)];
  }

  /** Place of the first key that is not before `key`. */
  #from(key: Uint8Array): number {
    let low = 0;
    let high = this.#keys.length;
    // Copies come in order of keys: the end is looked at first.
    if (high > 0 && compareBytes(this.#keys[high - 1] as Uint8Array, key) < 0) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.#keys[middle] as Uint8Array, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
