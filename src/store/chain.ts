import { canonicalJson, sha256 } from "../core/index.ts";

/** What precedes the first event of a store. */
export const genesis: string = "0".repeat(64);

/** An event before it has its place: `data` is canonical JSON text already. */
export interface LinkInput {
  readonly seq: number;
  readonly at: number;
  readonly stream: string;
  readonly type: string;
  readonly data: string;
}

/** The hashed text of an event but for what the event before it decides: its hash, `beforeSeq` and the position stand between the two. */
export interface LinkText {
  readonly before: string;
  readonly after: string;
}

export const beforeSeq: string = `","seq":`;

/**
 * Canonical JSON of `{ at, data, previous, seq, stream, type }`. The text is put together by hand because `data` is
 * canonical already: serialising it twice would double the cost of an event.
 */
export function linkText(event: Omit<LinkInput, "seq">): LinkText {
  return {
    before: `{"at":${canonicalJson(event.at)},"data":${event.data},"previous":"`,
    after: `,"stream":${JSON.stringify(event.stream)},"type":${JSON.stringify(event.type)}}`,
  };
}

/** SHA-256 over its `linkText`, with the hash of the event before and its position. */
export function linkHash(event: LinkInput, previous: string): string {
  const { before, after } = linkText(event);
  return sha256(`${before}${previous}${beforeSeq}${event.seq}${after}`);
}

export interface Break {
  readonly brokenAt: number;
  readonly reason: string;
}

/** Walks links in order and tells the first that does not fit. */
export class ChainWalk {
  #seq = 0;
  #previous = genesis;

  get seq(): number {
    return this.#seq;
  }

  /** Undefined while everything fits. */
  next(event: LinkInput & { readonly hash: string }): Break | undefined {
    const expected = this.#seq + 1;
    if (event.seq !== expected) {
      return {
        brokenAt: expected,
        reason: `event ${expected} is missing; the next one kept is ${event.seq}`,
      };
    }
    if (linkHash(event, this.#previous) !== event.hash) {
      return {
        brokenAt: event.seq,
        reason: `event ${event.seq} (${event.type} of ${event.stream}) is not what was written, or the one before it was exchanged`,
      };
    }
    this.#seq = event.seq;
    this.#previous = event.hash;
    return undefined;
  }

  /** Holds the end of the walk against the head that is kept apart from the events. */
  end(head: { readonly seq: number; readonly hash: string }): Break | undefined {
    if (head.seq > this.#seq) {
      return {
        brokenAt: this.#seq + 1,
        reason: `the chain ends at event ${this.#seq}, but ${head.seq} were written: the newest were removed`,
      };
    }
    if (head.seq < this.#seq) {
      return {
        brokenAt: head.seq + 1,
        reason: `event ${head.seq + 1} was added by another hand: the store wrote only ${head.seq}`,
      };
    }
    if (head.hash !== this.#previous) {
      return { brokenAt: this.#seq, reason: `the head record does not match event ${this.#seq}` };
    }
    return undefined;
  }
}
