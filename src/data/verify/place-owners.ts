import { equalBytes } from "../bytes.ts";
import type { Place } from "../map.ts";
import type { Wanted } from "./expected.ts";
import { OwnerTable } from "./owner-table.ts";
import type { PlaceHashes } from "./place-hashes.ts";

/** Images that lie elsewhere than their rows: some 70 MB of them. */
const mostKept = 3_000_000;
/** Rows looked at since: some 40 MB. */
const mostLooked = 250_000;

/**
 * Which rows of the source have their image at which place of the target: what a verification through a map read, and what later looks at
 * rows that were touched have seen since. A row that was written where the image of another one lies took it away, also when it
 * is itself gone again, and the other one need not have been touched: only here is it known to be there.
 *
 * Hashes of 64 bits. Images with the key of their row are not kept: which rows may have theirs at a place is told by its key.
 */
export class PlaceOwners {
  readonly #table = new OwnerTable();
  readonly #most: number;
  #hashes: PlaceHashes | undefined;
  /** Collections of images → of the rows with the same keys that they are of. */
  #sameKey = new Map<string, Set<string>>();
  /** Rows that were looked at since, with their images then: what was read of them before is of no account. */
  #looked = new Map<bigint, readonly bigint[]>();
  #claims = new Map<bigint, readonly bigint[]>();
  #complete = false;

  /** `most`: images elsewhere than their rows that are remembered. Default 3,000,000. */
  constructor(options: { readonly most?: number } = {}) {
    this.#most = options.most ?? mostKept;
  }

  /** All images are known: false before the first verification, and when there are more than are remembered. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Begins anew; everything touched from before this on is looked at later. */
  begin(hashes: PlaceHashes): void {
    this.#hashes = hashes;
    this.#table.clear();
    this.#sameKey = new Map();
    this.#looked = new Map();
    this.#claims = new Map();
    this.#complete = true;
  }

  /** An image that the verification has read; `place`: its hash. */
  add(wanted: Wanted, place: bigint): void {
    const { from, aside } = wanted;
    if (!this.#complete || from === undefined || aside !== undefined) return;
    if (this.#isSameKey(from, wanted)) return;
    this.#table.add(place, this.hash(from));
    if (this.#table.size > this.#most) this.#giveUp();
  }

  /** A row was read again, and had its images there, or none. */
  look(row: Place, images: readonly Place[]): void {
    if (!this.#complete) return;
    const id = this.hash(row);
    for (const place of this.#looked.get(id) ?? []) {
      const left = (this.#claims.get(place) ?? []).filter((other) => other !== id);
      if (left.length === 0) this.#claims.delete(place);
      else this.#claims.set(place, left);
    }
    const elsewhere = images.filter((image) => !this.#isSameKey(row, image)).map((image) => this.hash(image));
    this.#looked.set(id, elsewhere);
    for (const place of elsewhere) this.#claims.set(place, [...(this.#claims.get(place) ?? []), id]);
    if (this.#looked.size > mostLooked) this.#giveUp();
  }

  /** Rows that have their image at this place when they have one with their own key. */
  namesakes({ collection, key }: Place): readonly Place[] {
    return [...(this.#sameKey.get(collection) ?? [])].map((from) => ({ collection: from, key }));
  }

  /** Whether a row not among these (`hash`) had its image there when it was seen last. */
  isOthers(place: Place, rows: ReadonlySet<bigint>): boolean {
    const id = this.hash(place);
    if (this.#claims.get(id)?.some((row) => !rows.has(row)) === true) return true;
    for (const row of this.#table.rowsAt(id)) if (!rows.has(row) && !this.#looked.has(row)) return true;
    return false;
  }

  hash(place: Place): bigint {
    const hash = this.#hashes?.key(place) ?? 0n;
    return hash === 0n ? 1n : hash;
  }

  #isSameKey(row: Place, image: Place): boolean {
    if (!equalBytes(row.key, image.key)) return false;
    const known = this.#sameKey.get(image.collection);
    if (known === undefined) this.#sameKey.set(image.collection, new Set([row.collection]));
    else known.add(row.collection);
    return true;
  }

  #giveUp(): void {
    this.#complete = false;
    this.#table.clear();
    this.#looked.clear();
    this.#claims.clear();
  }
}
