import { CutoverError } from "../../core/index.ts";
import type { Position, Range } from "../connector.ts";
import type { WindowContents, WindowEntry } from "./applied-window.ts";

/** Where the copy is: in which range, after which key. All ranges before are copied. */
export interface CopyPlace {
  readonly range: number;
  readonly after: Uint8Array | undefined;
}

/** What a move has done since it began, over all its runs. */
export interface MoveCounts {
  /** Rows and their bytes that were copied. */
  readonly rows: number;
  readonly bytes: number;
  /** Changes of the log that were applied. */
  readonly changes: number;
  /** Copied rows that were left out because a newer change had been applied. */
  readonly dropped: number;
  /** Changes of keys that this move does not carry. */
  readonly outside: number;
  /** Times that a row was put in quarantine. */
  readonly aside: number;
}

/** Everything a move has to know after a crash. */
export interface Checkpoint {
  readonly ranges: readonly Range[];
  readonly position: Position;
  readonly place: CopyPlace;
  readonly counts: MoveCounts;
  readonly window: WindowContents;
}

/** First bytes of every checkpoint: "move", then the version of what follows. */
const mark = Buffer.from("move", "latin1");
const version = 1;

const countNames = ["rows", "bytes", "changes", "dropped", "outside", "aside"] as const;

/** docs/spec/data.md, section 3. */
export function encodeCheckpoint({ ranges, position, place, counts, window }: Checkpoint): Uint8Array {
  const out = new ByteWriter();
  out.number(ranges.length);
  for (const { collection, after, upTo } of ranges) {
    out.text(collection);
    out.optional(after);
    out.optional(upTo);
  }
  out.text(position);
  out.number(place.range);
  out.optional(place.after);
  for (const name of countNames) out.number(counts[name]);
  out.number(window.entries.length);
  for (const { range, key, tx } of window.entries) {
    out.number(range);
    out.bytes(key);
    out.text(tx);
  }
  out.number(window.transactions.length);
  for (const tx of window.transactions) out.text(tx);
  out.optional(window.upTo === undefined ? undefined : Buffer.from(window.upTo, "utf8"));
  return Buffer.concat([mark, Buffer.from([version]), ...out.parts]);
}

/** @throws CUTOVER_DATA_FORMAT */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  if (Buffer.compare(bytes.subarray(0, mark.length), mark) !== 0)
    throw unreadable('that begins with "move"', "other bytes");
  const found = bytes[mark.length];
  if (found !== version) throw unreadable(`of version ${version}`, `version ${found ?? "none"}`);
  const from = new ByteReader(bytes, mark.length + 1);
  const ranges = from.list((): Range => {
    const collection = from.text();
    const after = from.optional();
    const upTo = from.optional();
    return { collection, ...(after === undefined ? {} : { after }), ...(upTo === undefined ? {} : { upTo }) };
  });
  const position = from.text();
  const place = { range: from.number(), after: from.optional() };
  const counts = Object.fromEntries(countNames.map((name) => [name, from.number()])) as unknown as MoveCounts;
  const entries = from.list((): WindowEntry => ({
    range: from.number(),
    key: from.bytes(),
    tx: from.text(),
  }));
  const transactions = from.list(() => from.text());
  const upTo = from.optional();
  from.end();
  const window = {
    entries,
    transactions,
    upTo: upTo === undefined ? undefined : Buffer.from(upTo).toString("utf8"),
  };
  return { ranges, position, place, counts, window };
}

function unreadable(expected: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_FORMAT", {
    message: `expected a checkpoint ${expected}, found ${found}`,
    remedy: "go on with the version of Cutover that began the move, or forget the job and begin anew",
  });
}

/** Numbers as groups of 7 bits, lowest first; bytes and texts after their length. */
class ByteWriter {
  readonly parts: Uint8Array[] = [];

  number(value: number): void {
    const groups: number[] = [];
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) groups.push((rest % 128) + 128);
    groups.push(rest);
    this.parts.push(Uint8Array.from(groups));
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    this.parts.push(value);
  }

  text(value: string): void {
    this.bytes(Buffer.from(value, "utf8"));
  }

  /** 0 for what is not there, otherwise one more than the length: nothing and no bytes are two things. */
  optional(value: Uint8Array | undefined): void {
    this.number(value === undefined ? 0 : value.length + 1);
    if (value !== undefined) this.parts.push(value);
  }
}

class ByteReader {
  readonly #from: Uint8Array;
  #at: number;

  constructor(from: Uint8Array, at: number) {
    this.#from = from;
    this.#at = at;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const group = this.#from[this.#at++];
      if (group === undefined || factor > 2 ** 49)
        throw unreadable("that is whole", "one that was cut or changed");
      value += (group % 128) * factor;
      if (group < 128) return value;
    }
  }

  bytes(): Uint8Array {
    return this.#take(this.number());
  }

  text(): string {
    return Buffer.from(this.bytes()).toString("utf8");
  }

  optional(): Uint8Array | undefined {
    const length = this.number();
    return length === 0 ? undefined : this.#take(length - 1);
  }

  list<T>(item: () => T): T[] {
    const items: T[] = [];
    for (let left = this.number(); left > 0; left--) items.push(item());
    return items;
  }

  end(): void {
    if (this.#at !== this.#from.length)
      throw unreadable("that ends here", `${this.#from.length - this.#at} more bytes`);
  }

  /** A copy: the buffer it came in may be the store's own. */
  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#from.length) throw unreadable("that is whole", "one that was cut");
    const part = this.#from.slice(this.#at, end);
    this.#at = end;
    return part;
  }
}
