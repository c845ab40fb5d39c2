/** Keys remembered at most; 2 MB at that number. */
const mostKeys = 100_000;
const fewestSlots = 256;
/** Hashes are whole numbers from 1 to 2⁵³ − 1: among 100,000 keys two share one with a probability of 6 · 10⁻⁷. */
const hashes = 2 ** 53;

/**
 * A set of hashes in bounded memory. When it is full, it forgets the upper half of all hashes and from then on
 * takes no notice of them: what is left is a sample of keys drawn by their hash alone, so it favours no side, and it
 * still hears of new keys. (Refused: taking no more when full, which is blind to a fault that begins later; forgetting the
 * oldest, which counts keys twice that always fail.)
 */
export class FailedKeys {
  /** Open addressing, linear probing; 0 is a free slot. At most half full. */
  #slots = new Float64Array(fewestSlots);
  #size = 0;
  #ceiling = hashes;
  readonly #most: number;

  constructor(most: number = mostKeys) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Part of all keys that is noticed, 1 until the memory is full. */
  get sampled(): number {
    return this.#ceiling / hashes;
  }

  /** True when the hash was not there and is one that is noticed. */
  add(hash: number): boolean {
    if (hash >= this.#ceiling || !insert(this.#slots, hash)) return false;
    this.#size++;
    while (this.#size > this.#most) {
      this.#ceiling /= 2;
      this.#rebuild(this.#slots.length);
    }
    if (this.#size * 2 > this.#slots.length) this.#rebuild(this.#slots.length * 2);
    return hash < this.#ceiling;
  }

  clear(): void {
    this.#slots = new Float64Array(fewestSlots);
    this.#size = 0;
    this.#ceiling = hashes;
  }

  #rebuild(slots: number): void {
    const kept = this.#slots.filter((hash) => hash !== 0 && hash < this.#ceiling);
    this.#slots = new Float64Array(slots);
    this.#size = kept.length;
    for (const hash of kept) insert(this.#slots, hash);
  }
}

/** The upper bits, that decide whether a key is sampled, are mixed into the lower ones, that choose the slot. */
function insert(slots: Float64Array, hash: number): boolean {
  const mask = slots.length - 1;
  for (let slot = (hash ^ (hash / 4_294_967_296)) & mask; ; slot = (slot + 1) & mask) {
    if (slots[slot] === hash) return false;
    if (slots[slot] === 0) {
      slots[slot] = hash;
      return true;
    }
  }
}
