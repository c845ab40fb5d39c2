import { CutoverError } from "../../core/index.ts";
import type {
  Chunk,
  ChunkLimit,
  Collection,
  DataStore,
  LogBatch,
  Position,
  Range,
  Reader,
  Row,
  TargetWrite,
} from "../connector.ts";
import { packedRefused } from "../packed-write.ts";
import type { Welcome } from "./calls.ts";
import type { Asked, CallOptions } from "./door-connection.ts";
import type { DoorLink } from "./door-link.ts";
import { DoorReader, DoorSnapshot } from "./door-reader.ts";
import {
  decodeLogBatch,
  packRange,
  packTexts,
  packWrite,
  rowsIn,
  sizeOfWrite,
  unpackFence,
} from "./messages.ts";
import { type Packer, Unpacker } from "./packing.ts";

/**
 * A store that another process has open. Calls are asked again while the application is away for a moment: all of them may be,
 * as a write applies by key and carries its fence and checkpoint. A log goes on after what it gave last. A scan that has given
 * rows and a snapshot are of one moment and end with their connection.
 */
export class DoorStore implements DataStore {
  readonly name: string;
  readonly snapshot?: () => Promise<Reader>;
  readonly retained?: (slot: string) => Promise<number>;
  readonly #link: DoorLink;
  readonly #largestCall: number;

  constructor(name: string, link: DoorLink, { snapshot, retained, largestCall }: Welcome) {
    this.name = name;
    this.#link = link;
    this.#largestCall = largestCall;
    if (snapshot) this.snapshot = () => this.#snapshot();
    if (retained)
      this.retained = (slot) => this.#number({ operation: "retained", pack: (out) => out.text(slot) });
  }

  collections(): Promise<readonly Collection[]> {
    return this.#read((reader) => reader.collections());
  }

  get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#read((reader) => reader.get(collection, keys));
  }

  async *scan(
    range: Range,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly Row[], void, void> {
    const { signal } = options;
    const patience = this.#link.patience(signal);
    for (let given = false; ;) {
      try {
        const reader = new DoorReader(await this.#link.connected(), 0, this.name);
        for await (const rows of reader.scan(range, signal)) {
          given = true;
          yield rows;
        }
        return;
      } catch (error) {
        // What comes after an interruption is of another moment than the rows before it.
        if (given) throw error;
        await patience.after(error);
      }
    }
  }

  count(range: Range): Promise<number> {
    return this.#read((reader) => reader.count(range));
  }

  capture(slot: string): Promise<Position> {
    return this.#text({ operation: "capture", pack: (out) => out.text(slot) });
  }

  async snapshotChunk(range: Range, limit: ChunkLimit): Promise<Chunk> {
    const pack = (out: Packer): void => {
      packRange(out.word(Math.min(limit.rows, 0xffff_ffff)).float(limit.bytes), range);
    };
    return this.#link.run(async (connection) => {
      const rows: Row[] = [];
      const part = (payload: Buffer): void => {
        for (const row of rowsIn(new Unpacker(payload, this.name))) rows.push(row);
      };
      const answer = new Unpacker(await connection.call({ operation: "chunk", pack }, { part }), this.name);
      const end = answer.byte() === 1;
      return { rows, end, fence: unpackFence(answer, this.name) };
    });
  }

  async *log(
    slot: string,
    from: Position,
    options: { readonly signal: AbortSignal; readonly without?: readonly string[] },
  ): AsyncGenerator<LogBatch, void, void> {
    const { signal, without = [] } = options;
    const patience = this.#link.patience(signal);
    let at = from;
    while (!signal.aborted) {
      try {
        const connection = await this.#link.connected();
        const pack = (out: Packer): unknown => packTexts(out.text(slot).text(at), without);
        for await (const part of connection.stream({ operation: "log", pack }, signal)) {
          const batch = decodeLogBatch(new Unpacker(part, this.name), this.name);
          patience.calm();
          at = batch.head;
          yield batch;
        }
        return;
      } catch (error) {
        if (signal.aborted) return;
        await patience.after(error).catch((final: unknown) => {
          if (!signal.aborted) throw final;
        });
      }
    }
  }

  async acknowledge(slot: string, position: Position): Promise<void> {
    await this.#ask({ operation: "acknowledge", pack: (out) => out.text(slot).text(position) });
  }

  async release(slot: string): Promise<void> {
    await this.#ask({ operation: "release", pack: (out) => out.text(slot) });
  }

  head(): Promise<Position> {
    return this.#text({ operation: "head" });
  }

  fence(epoch: number, options: { readonly signal: AbortSignal }): Promise<Position> {
    return this.#text({ operation: "fence", pack: (out) => out.float(epoch) }, options);
  }

  async lift(epoch: number): Promise<void> {
    await this.#ask({ operation: "lift", pack: (out) => out.float(epoch) });
  }

  async applyTxn(write: TargetWrite): Promise<void> {
    if (write.packed !== undefined) throw packedRefused(this.name, write.packed);
    const size = sizeOfWrite(write);
    if (size > this.#largestCall) throw tooLarge(this.name, size, this.#largestCall);
    await this.#ask({ operation: "apply", size, pack: (out) => packWrite(out, write) });
  }

  async checkpoint(job: string): Promise<Uint8Array | undefined> {
    const answer = await this.#ask({ operation: "checkpoint", pack: (out) => out.text(job) });
    return new Unpacker(answer, this.name).optional();
  }

  async forget(job: string): Promise<void> {
    await this.#ask({ operation: "forget", pack: (out) => out.text(job) });
  }

  // oxlint-disable-next-line require-await -- the interface is one of stores that wait
  async [Symbol.asyncDispose](): Promise<void> {
    this.#link.close();
  }

  #snapshot(): Promise<Reader> {
    return this.#link.run(async (connection) => {
      const answer = new Unpacker(await connection.call({ operation: "snapshot" }), this.name);
      return new DoorSnapshot(connection, answer.word(), this.name);
    });
  }

  #read<T>(read: (reader: DoorReader) => Promise<T>): Promise<T> {
    return this.#link.run((connection) => read(new DoorReader(connection, 0, this.name)));
  }

  #ask(asked: Asked, options: CallOptions = {}): Promise<Buffer> {
    return this.#link.run((connection) => connection.call(asked, options), options.signal);
  }

  async #text(asked: Asked, options: CallOptions = {}): Promise<string> {
    return new Unpacker(await this.#ask(asked, options), this.name).text();
  }

  async #number(asked: Asked): Promise<number> {
    return new Unpacker(await this.#ask(asked), this.name).float();
  }
}

function tooLarge(place: string, size: number, most: number): CutoverError {
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `expected a write of at most ${most} bytes, found one of ${size}`,
    place,
    details: { size, most },
    remedy: "let `serveData` take larger calls by `largestCall`, or write in smaller transactions",
  });
}
