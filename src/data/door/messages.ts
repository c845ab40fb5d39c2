import { CutoverError } from "../../core/index.ts";
import type { Change, Collection, LogBatch, Range, Row, TargetWrite, Transaction } from "../connector.ts";
import type { Fence } from "../fence.ts";
import { damaged, Packer, type Unpacker } from "./packing.ts";

/** What calls and answers hold, field by field; `docs/spec/data-door.md` lists them. */

export function packRange(out: Packer, { collection, after, upTo }: Range): Packer {
  return out.text(collection).optional(after).optional(upTo);
}

export function unpackRange(input: Unpacker): Range {
  const collection = input.text();
  const after = input.optional();
  const upTo = input.optional();
  return {
    collection,
    ...(after === undefined ? {} : { after }),
    ...(upTo === undefined ? {} : { upTo }),
  };
}

/** Bytes of a batch that go into one part: little enough to make in under a millisecond. */
const partBytes = 131_072;

/** Rows one after the other, in parts of about `partBytes`, each of whole rows. */
export function* partsOfRows(rows: readonly Row[]): Generator<Buffer> {
  for (let at = 0; at < rows.length;) {
    let size = 0;
    let end = at;
    while (end < rows.length && (size < partBytes || end === at)) {
      const { key, value } = rows[end++] as Row;
      size += 8 + key.length + value.length;
    }
    const out = new Packer(size);
    for (; at < end; at++) {
      const { key, value } = rows[at] as Row;
      out.bytes(key).bytes(value);
    }
    yield out.done();
  }
}

export function rowsIn(input: Unpacker): Row[] {
  const rows: Row[] = [];
  while (!input.isEmpty) {
    const key = input.bytes();
    rows.push({ key, value: input.bytes() });
  }
  return rows;
}

/** Values in the order asked for, as parts like those of rows. */
export function* partsOfValues(values: readonly (Uint8Array | undefined)[]): Generator<Buffer> {
  for (let at = 0; at < values.length;) {
    const out = new Packer(partBytes);
    do out.optional(values[at++]);
    while (at < values.length && out.length < partBytes);
    yield out.done();
  }
}

/** Names of collections: the first time as text, later as the number of the text. */
class Names {
  readonly #numbers = new Map<string, number>();

  pack(out: Packer, name: string): void {
    const number = this.#numbers.get(name);
    if (number !== undefined) out.word(number);
    else {
      out.word(this.#numbers.size).text(name);
      this.#numbers.set(name, this.#numbers.size);
    }
  }
}

class NamesRead {
  readonly #names: string[] = [];
  readonly #place: string;

  constructor(place: string) {
    this.#place = place;
  }

  unpack(input: Unpacker): string {
    const number = input.word();
    if (number === this.#names.length) this.#names.push(input.text());
    const name = this.#names[number];
    if (name === undefined) throw damaged(this.#place, `collection ${number} before it was named`);
    return name;
  }
}

function packChanges(out: Packer, names: Names, changes: readonly Change[]): void {
  out.word(changes.length);
  for (const { collection, key, value } of changes) {
    names.pack(out, collection);
    out.bytes(key).optional(value);
  }
}

function unpackChanges(input: Unpacker, names: NamesRead): Change[] {
  const changes: Change[] = [];
  for (let left = input.word(); left > 0; left--) {
    const collection = names.unpack(input);
    const key = input.bytes();
    changes.push({ collection, key, value: input.optional() ?? null });
  }
  return changes;
}

export function encodeLogBatch({ transactions, head }: LogBatch): Buffer {
  let size = 64;
  for (const { changes } of transactions) {
    size += 64;
    for (const { key, value } of changes) size += 12 + key.length + (value?.length ?? 0);
  }
  const out = new Packer(size).text(head).word(transactions.length);
  const names = new Names();
  for (const { tx, position, at, changes } of transactions) {
    out.text(tx).text(position).float(at);
    packChanges(out, names, changes);
  }
  return out.done();
}

export function decodeLogBatch(input: Unpacker, place: string): LogBatch {
  const head = input.text();
  const transactions: Transaction[] = [];
  const names = new NamesRead(place);
  for (let left = input.word(); left > 0; left--) {
    const tx = input.text();
    const position = input.text();
    const at = input.float();
    transactions.push({ tx, position, at, changes: unpackChanges(input, names) });
  }
  input.end();
  return { transactions, head };
}

/** Bytes the write takes as a message, about: looked at before it is made. */
export function sizeOfWrite({ job, origin, changes, rows, checkpoint }: TargetWrite): number {
  let size = 64 + 4 * (job.length + origin.length) + (checkpoint?.length ?? 0);
  for (const { collection, key, value } of changes) {
    size += 12 + key.length + (value?.length ?? 0);
    if (collection.length > 64) size += collection.length;
  }
  for (const { key, value } of rows) size += 12 + key.length + value.length;
  return size;
}

export function packWrite(out: Packer, write: TargetWrite): Packer {
  const { job, fence, origin, changes, rows, checkpoint } = write;
  const names = new Names();
  out.text(job).float(fence).text(origin).optional(checkpoint);
  packChanges(out, names, changes);
  out.word(rows.length);
  for (const { collection, key, value } of rows) {
    names.pack(out, collection);
    out.bytes(key).bytes(value);
  }
  return out;
}

export function unpackWrite(input: Unpacker, place: string): TargetWrite {
  const job = input.text();
  const fence = input.float();
  const origin = input.text();
  const checkpoint = input.optional();
  const names = new NamesRead(place);
  const changes = unpackChanges(input, names);
  const rows: (Row & { readonly collection: string })[] = [];
  for (let left = input.word(); left > 0; left--) {
    const collection = names.unpack(input);
    const key = input.bytes();
    rows.push({ collection, key, value: input.bytes() });
  }
  input.end();
  return { job, fence, origin, changes, rows, ...(checkpoint === undefined ? {} : { checkpoint }) };
}

export function packFence(out: Packer, fence: Fence): Packer {
  if (fence.kind === "sequence") return out.byte(0).text(fence.upTo);
  out.byte(1).text(fence.xmin).text(fence.xmax).word(fence.running.length);
  for (const tx of fence.running) out.text(tx);
  return out;
}

export function unpackFence(input: Unpacker, place: string): Fence {
  const kind = input.byte();
  if (kind === 0) return { kind: "sequence", upTo: input.text() };
  if (kind !== 1) throw damaged(place, `a fence of kind ${kind}`);
  const xmin = input.text();
  const xmax = input.text();
  return { kind: "snapshot", xmin, xmax, running: textsIn(input) };
}

export function packTexts(out: Packer, texts: readonly string[]): Packer {
  out.word(texts.length);
  for (const text of texts) out.text(text);
  return out;
}

export function textsIn(input: Unpacker): string[] {
  const texts: string[] = [];
  for (let left = input.word(); left > 0; left--) texts.push(input.text());
  return texts;
}

/** Collections go as JSON: they are few, and gain fields now and then. */
export const encodeCollections = (collections: readonly Collection[]): Buffer =>
  Buffer.from(JSON.stringify(collections));

export function decodeCollections(input: Buffer, place: string): readonly Collection[] {
  try {
    const found = JSON.parse(input.toString()) as unknown;
    if (Array.isArray(found) && found.every((one) => typeof (one as Collection | null)?.name === "string"))
      return found as readonly Collection[];
  } catch {
    // Told below like every other text that is no list of collections.
  }
  throw damaged(place, "no list of collections");
}

/** CUTOVER_DATA_UNAVAILABLE: the application does not answer, or ended the connection. */
export function unavailable(place: string, found: string, cause?: unknown): CutoverError {
  return new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
    message: `expected the application behind ${place} to answer, found ${found}`,
    place,
    remedy: "start the application that serves the door, then resume: what was acknowledged is there",
    cause,
  });
}
