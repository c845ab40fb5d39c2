import type { RowHash } from "../digest/row-hash.ts";
import type { Place } from "../map.ts";
import type { Wanted } from "./expected.ts";

/** Hashes of places, and of what stands there; one seed for each collection. */
export class PlaceHashes {
  readonly #hash: RowHash;
  readonly #within = new Map<string, RowHash>();

  constructor(hash: RowHash) {
    this.#hash = hash;
  }

  key({ collection, key }: Place): bigint {
    return this.#of(collection).key(key);
  }

  row({ collection, key, value }: Wanted): bigint {
    return this.#of(collection).row(key, value);
  }

  #of(collection: string): RowHash {
    let hash = this.#within.get(collection);
    if (hash === undefined) this.#within.set(collection, (hash = this.#hash.within(collection)));
    return hash;
  }
}
