/** Cells of one third; with three thirds some 600,000 rows that differ can be told apart, in 24 MB. */
const size = 2 ** 18;
const thirds = 3;
/** 32-bit numbers of a cell: count, hash of the row (2), hash of its key (2), check; two are free, so that a cell is half a cache line. */
const width = 8;

/** A row that one side has and the other has not. */
export interface SketchedRow {
  readonly keyHash: bigint;
  readonly rowHash: bigint;
  /** 1: the first side has it. -1: the second. */
  readonly sign: 1 | -1;
}

/**
 * Which rows two sides do not share, by one pass over each in any order, in memory that does not grow with them. An invertible Bloom
 * lookup table (Goodrich and Mitzenmacher, arXiv 1101.2245): each row is added to three cells, those of the second side are
 * taken away again, and what is left is read out of cells that hold one row. Nothing is ever lost in it: whatever cannot be
 * read out stays, as cells that are not zero.
 */
export class DifferenceSketch {
  readonly #cells = new Int32Array(thirds * size * width);
  readonly #wide = new BigUint64Array(2);
  readonly #halves = new Int32Array(this.#wide.buffer);

  add(keyHash: bigint, rowHash: bigint, sign: 1 | -1): void {
    this.#wide[0] = rowHash;
    this.#wide[1] = keyHash;
    // By index: a destructured array is walked by its iterator, for each row.
    const halves = this.#halves;
    this.#change(halves[0] as number, halves[1] as number, halves[2] as number, halves[3] as number, sign);
  }

  /** Reads out what it can, and takes it away. */
  open(): readonly SketchedRow[] {
    const cells = this.#cells;
    const found: SketchedRow[] = [];
    const waiting: number[] = [];
    for (let cell = 0; cell < thirds * size; cell++) {
      waiting.push(cell);
      while (waiting.length > 0) {
        const row = this.#single(waiting.pop() as number);
        if (row === undefined) continue;
        const { low, high, keyLow, keyHigh, sign } = row;
        this.#change(low, high, keyLow, keyHigh, sign === 1 ? -1 : 1);
        this.#halves.set([low, high, keyLow, keyHigh]);
        found.push({ keyHash: this.#wide[1] as bigint, rowHash: this.#wide[0] as bigint, sign });
        for (let third = 0; third < thirds; third++) {
          const next = cellOf(third, low, high);
          if (cells[next * width] !== 0) waiting.push(next);
        }
      }
    }
    return found;
  }

  /** Share of the cells that are not zero. */
  get filled(): number {
    let filled = 0;
    for (let cell = 0; cell < thirds * size; cell++) if (!this.#isZero(cell)) filled++;
    return filled / (thirds * size);
  }

  /** Whether a row may be among what is left: none of its cells is zero. */
  mayHold(rowHash: bigint): boolean {
    this.#wide[0] = rowHash;
    const [low, high] = [this.#halves[0] as number, this.#halves[1] as number];
    for (let third = 0; third < thirds; third++) if (this.#isZero(cellOf(third, low, high))) return false;
    return true;
  }

  #change(low: number, high: number, keyLow: number, keyHigh: number, sign: 1 | -1): void {
    const cells = this.#cells;
    const check = checkOf(low, high);
    for (let third = 0; third < thirds; third++) {
      const at = cellOf(third, low, high) * width;
      // Each half is a sum of its own modulo 2³²: no carry has to be passed on, as only single rows are read out.
      cells[at]! += sign;
      cells[at + 1]! += sign * low;
      cells[at + 2]! += sign * high;
      cells[at + 3]! += sign * keyLow;
      cells[at + 4]! += sign * keyHigh;
      cells[at + 5]! += sign * check;
    }
  }

  /** The row of a cell that holds one alone. */
  #single(cell: number):
    | {
        readonly low: number;
        readonly high: number;
        readonly keyLow: number;
        readonly keyHigh: number;
        readonly sign: 1 | -1;
      }
    | undefined {
    const at = cell * width;
    const sign = this.#cells[at];
    if (sign !== 1 && sign !== -1) return undefined;
    const part = (index: number): number => ((this.#cells[at + index] ?? 0) * sign) | 0;
    const [low, high] = [part(1), part(2)];
    // Several rows whose counts add up to one: 47 bits say that they are not one.
    if (part(5) !== checkOf(low, high) || cellOf(Math.trunc(cell / size), low, high) !== cell)
      return undefined;
    return { low, high, keyLow: part(3), keyHigh: part(4), sign };
  }

  #isZero(cell: number): boolean {
    const at = cell * width;
    for (let index = 0; index < 6; index++) if (this.#cells[at + index] !== 0) return false;
    return true;
  }
}

/** A row has one cell in each third. */
function cellOf(third: number, low: number, high: number): number {
  const hash = third === 0 ? low : third === 1 ? high : mixed(low, high, 0x2545f491);
  return third * size + (hash & (size - 1));
}

const checkOf = (low: number, high: number): number => mixed(low, high, 0x9e3779b1);

/** The finaliser of MurmurHash3 (Appleby, public domain) over both halves. */
function mixed(low: number, high: number, salt: number): number {
  let hash = Math.imul(low ^ salt, 0x85ebca6b) ^ Math.imul(high + salt, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
