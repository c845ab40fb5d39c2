import type { Collection, Range, Reader, Row } from "../connector.ts";
import { closedStore } from "../connectors/place.ts";
import type { DoorConnection } from "./door-connection.ts";
import { decodeCollections, packRange, rowsIn } from "./messages.ts";
import { type Packer, Unpacker } from "./packing.ts";

/** The reading calls over one connection, of the store itself (`number` 0) or of one of its snapshots. */
export class DoorReader {
  readonly #connection: DoorConnection;
  readonly #number: number;
  readonly #place: string;

  constructor(connection: DoorConnection, number: number, place: string) {
    this.#connection = connection;
    this.#number = number;
    this.#place = place;
  }

  async collections(): Promise<readonly Collection[]> {
    const pack = this.#pack();
    return decodeCollections(await this.#connection.call({ operation: "collections", pack }), this.#place);
  }

  async get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = [];
    const part = (payload: Buffer): void => {
      for (const input = new Unpacker(payload, this.#place); !input.isEmpty;) values.push(input.optional());
    };
    let size = 16 + collection.length;
    for (const key of keys) size += 4 + key.length;
    const pack = this.#pack((out) => {
      out.text(collection);
      for (const key of keys) out.bytes(key);
    });
    await this.#connection.call({ operation: "get", pack, size }, { part });
    return values;
  }

  async *scan(range: Range, signal: AbortSignal | undefined): AsyncGenerator<readonly Row[], void, void> {
    const pack = this.#pack((out) => packRange(out, range));
    for await (const part of this.#connection.stream({ operation: "scan", pack }, signal))
      yield rowsIn(new Unpacker(part, this.#place));
  }

  async count(range: Range): Promise<number> {
    const pack = this.#pack((out) => packRange(out, range));
    const answer = await this.#connection.call({ operation: "count", pack });
    return new Unpacker(answer, this.#place).float();
  }

  #pack(rest?: (out: Packer) => unknown): (out: Packer) => void {
    return (out) => {
      out.word(this.#number);
      rest?.(out);
    };
  }
}

/** One moment of a store behind a door. It lives as long as its connection: nothing of it is asked a second time. */
export class DoorSnapshot implements Reader {
  readonly name: string;
  readonly #connection: DoorConnection;
  readonly #number: number;
  readonly #reader: DoorReader;
  #closed = false;

  constructor(connection: DoorConnection, number: number, name: string) {
    this.name = name;
    this.#connection = connection;
    this.#number = number;
    this.#reader = new DoorReader(connection, number, name);
  }

  async collections(): Promise<readonly Collection[]> {
    return this.#open().collections();
  }

  async get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#open().get(collection, keys);
  }

  async *scan(
    range: Range,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly Row[], void, void> {
    yield* this.#open().scan(range, options.signal);
  }

  async count(range: Range): Promise<number> {
    return this.#open().count(range);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // With its connection it has ended already.
    if (!this.#connection.isOpen) return;
    const number = this.#number;
    await this.#connection
      .call({ operation: "endSnapshot", pack: (out) => out.word(number) })
      .catch(() => {});
  }

  #open(): DoorReader {
    if (this.#closed) throw closedStore(this.name);
    return this.#reader;
  }
}
