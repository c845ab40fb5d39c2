/** A part begins with so many slots, doubles when it is three quarters full, and is chosen by the top 6 bits of a place's hash. */
const firstSlots = 64;
const fullest = 0.75;
const parts = 64;
const empty = 0n;

/**
 * Pairs of hashes: of a place, and of a row that has its image there; a place may have several rows. 16 bytes a slot, in parts that grow
 * one at a time, as doubling all of it at once would need half as much again for a moment.
 */
export class OwnerTable {
  #parts: BigUint64Array[] = [];
  #counts: number[] = [];
  size = 0;

  constructor() {
    this.clear();
  }

  clear(): void {
    this.#parts = Array.from({ length: parts }, () => new BigUint64Array(2 * firstSlots));
    this.#counts = Array.from({ length: parts }, () => 0);
    this.size = 0;
  }

  add(place: bigint, row: bigint): void {
    const index = Number(place >> 58n);
    let part = this.#parts[index] as BigUint64Array;
    const count = this.#counts[index] as number;
    if ((count + 1) * 2 > part.length * fullest) part = this.#parts[index] = doubled(part);
    if (!put(part, place, row === empty ? 1n : row)) return;
    this.#counts[index] = count + 1;
    this.size++;
  }

  /** Rows whose image lies there. */
  *rowsAt(place: bigint): Generator<bigint> {
    const part = this.#parts[Number(place >> 58n)] as BigUint64Array;
    for (let at = slotOf(part, place); part[at + 1] !== empty; at = (at + 2) % part.length)
      if (part[at] === place) yield part[at + 1] as bigint;
  }
}

/** False when it is there already. */
function put(part: BigUint64Array, place: bigint, row: bigint): boolean {
  let at = slotOf(part, place);
  for (; part[at + 1] !== empty; at = (at + 2) % part.length)
    if (part[at] === place && part[at + 1] === row) return false;
  part[at] = place;
  part[at + 1] = row;
  return true;
}

function doubled(part: BigUint64Array): BigUint64Array {
  const larger = new BigUint64Array(2 * part.length);
  for (let at = 0; at < part.length; at += 2)
    if (part[at + 1] !== empty) put(larger, part[at] as bigint, part[at + 1] as bigint);
  return larger;
}

const slotOf = (part: BigUint64Array, place: bigint): number =>
  2 * (Number((place >> 16n) & 0xffff_ffffn) & (part.length / 2 - 1));
