import type { Capacity } from "../order-records.ts";
import { byRank, type OrderRow } from "../orders/row.ts";
import { sizeClass } from "../size-class.ts";

/**
 * An order whose time has come may be let in by another process without an event, and so unseen here: none is passed
 * over for longer than this.
 */
const freshMs = 250;
/** A line that goes on from another one is as old as that: from here on a look at everything is better. */
const youngMs: number = freshMs / 2;
/** As many characters of payloads are worth their memory. */
const mostText = 4_000_000;

/**
 * Whether a claim reads only what fits into exactly its room. One that asks for many reads as many as it looks at anyway, and
 * is given what may fit by its class: it is still known when a little more room is free.
 */
export const isExact = ({ max }: Capacity): boolean => max <= 100;

/**
 * The orders that the next claims of a queue will take, best first: those a claim has read and not taken, as the commits
 * of this process have left them since. What it does not hold is known to come after all it holds.
 */
export class ClaimLine {
  readonly #asked: Capacity;
  /** When everything was looked at. */
  readonly #seenAt: number;
  /** The best of what was read, while nothing better and nothing of another class is known to wait. */
  #front: OrderRow | undefined;
  readonly #began: number;
  readonly #weight: number;
  /** Best first. */
  #rows: Map<string, OrderRow>;
  /** Unknown orders come after this one; undefined when there are none. */
  #beyond: OrderRow | undefined;

  /**
   * @param asked what the claim asked for; `max` is how many orders of a class it would have been given
   * @param read what it was given, before anything of it was taken
   * @param seenAt when everything was looked at, by the store: where only what comes from a front on was read, when that was found
   * @param known how long the payloads are as text, when that is known to be little
   */
  constructor(asked: Capacity, read: readonly OrderRow[], seenAt: number, known?: number) {
    this.#asked = asked;
    this.#seenAt = seenAt;
    const classes = Map.groupBy(read, classOf);
    for (const rows of classes.values()) {
      const last = rows.toSorted(byRank).at(-1);
      // Fewer than asked for are all there are.
      if (rows.length >= asked.max && last !== undefined) this.#ends(last);
    }
    this.#rows = new Map();
    const given = known !== undefined && known <= mostText ? known : undefined;
    let text = given ?? 0;
    const ranked = read.toSorted(byRank);
    if (classes.size === 1 && !isExact(asked)) this.#front = ranked[0];
    for (const row of ranked) {
      if (given === undefined) text += JSON.stringify(row.payload).length;
      // Of a limit key only the store knows how far it is used up.
      if (text > mostText || row.limitKey !== null) {
        this.#ends(row);
        break;
      }
      this.#rows.set(row.id, row);
    }
    this.#trim();
    this.#began = this.#rows.size;
    this.#weight = text / Math.max(1, this.#rows.size);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Nobody is left, here or beyond. */
  get isOver(): boolean {
    return this.#rows.size === 0 && this.#beyond === undefined;
  }

  /** Most of it was taken by claims. */
  get isUsed(): boolean {
    return this.#rows.size * 2 <= this.#began;
  }

  /** So many orders like these may be kept in memory. */
  get worth(): number {
    return Math.floor(mostText / Math.max(1, this.#weight));
  }

  /** What a claim gets; undefined when that is not certain. */
  best(capacity: Capacity, now: number): readonly OrderRow[] | undefined {
    if (now > this.#seenAt + freshMs || this.#rows.size === 0 || !this.#covers(capacity)) return undefined;
    const { max } = capacity;
    let { slots, memory } = capacity;
    const chosen: OrderRow[] = [];
    for (const row of this.#rows.values()) {
      if (chosen.length >= max) break;
      if (row.slots > slots || row.memory > memory) continue;
      slots -= row.slots;
      memory -= row.memory;
      chosen.push(row);
    }
    // With room left, one beyond may fit.
    return chosen.length >= max || this.#beyond === undefined ? chosen : undefined;
  }

  /**
   * Where the look for the next claim may begin, and when everything before that was looked at; undefined when that is not
   * certain. A commit that is under way may still take it back: see `leads`.
   */
  front(capacity: Capacity, now: number): { readonly row: OrderRow; readonly seenAt: number } | undefined {
    if (this.#front === undefined || now > this.#seenAt + youngMs || !this.#covers(capacity))
      return undefined;
    return { row: this.#front, seenAt: this.#seenAt };
  }

  /** Nothing came before its front, or in another class. */
  get leads(): boolean {
    return this.#front !== undefined;
  }

  /** An order of the queue was written by a commit of this process. */
  wrote(row: OrderRow): void {
    this.#rows.delete(row.id);
    if (row.waits !== "room") return;
    const front = this.#front;
    if (front !== undefined && (classOf(row) !== classOf(front) || byRank(row, front) < 0))
      this.#front = undefined;
    // Its payload may be in the hands of others, who may change it: it is read when its turn comes.
    this.#ends(row);
    this.#trim();
  }

  #ends(row: OrderRow): void {
    if (this.#beyond === undefined || byRank(row, this.#beyond) < 0) this.#beyond = row;
  }

  /** Beyond the first that is not known, others may come in between. */
  #trim(): void {
    const beyond = this.#beyond;
    if (beyond === undefined) return;
    const [last] = [...this.#rows.values()].slice(-1);
    if (last === undefined || byRank(last, beyond) <= 0) return;
    this.#rows = new Map([...this.#rows].filter(([, row]) => byRank(row, beyond) <= 0));
  }

  /** Orders of a class, kind or tag that was not asked for are not known, nor those that were too large. */
  #covers({ slots, memory, kinds, tags }: Capacity): boolean {
    const asked = this.#asked;
    if (isExact(asked) && (slots > asked.slots || memory > asked.memory)) return false;
    const [mine, other] = [
      sizeClass(Math.floor(asked.slots), asked.memory),
      sizeClass(Math.floor(slots), memory),
    ];
    return (
      Math.floor(other / 64) <= Math.floor(mine / 64) &&
      other % 64 <= mine % 64 &&
      isSame(kinds, asked.kinds) &&
      isSame(tags, asked.tags)
    );
  }
}

const classOf = ({ kind, tags, sizeClass: size }: OrderRow): string => `${size}\0${kind}\0${tags.join("\0")}`;

const isSame = (some: readonly string[], others: readonly string[]): boolean =>
  some === others || (some.length === others.length && some.every((one, index) => one === others[index]));
