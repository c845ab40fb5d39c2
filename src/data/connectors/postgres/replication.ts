import { type Clock, type Timer } from "../../../core/index.ts";
import type { Change, Position } from "../../connector.ts";
import { lsnText, type LogPlace, positionAt } from "./lsn.ts";
import { LogReader, type LogReaderOptions } from "./pgoutput.ts";
import { copyDataMessage } from "./raw-messages.ts";
import type { Session } from "./session.ts";
import type { Shape } from "./shape.ts";

/** A change whose new row the log does not give in full, or one that is whole. */
export type LoggedChange =
  Change | { readonly shape: Shape; readonly key: Uint8Array; readonly incomplete: true };

/** A transaction, or a part of one that is large. */
export interface LoggedTransaction {
  readonly tx: string;
  readonly position: Position;
  readonly at: number;
  readonly changes: readonly LoggedChange[];
}

export interface ReplicationOptions extends LogReaderOptions {
  readonly session: Session;
  readonly slot: string;
  readonly publication: string;
  readonly from: LogPlace;
  /** The server may forget what lies before. */
  readonly acknowledged: bigint;
  readonly without: ReadonlySet<string>;
  /** A transaction id of 64 bits not long before or after those that come. */
  readonly near: bigint;
  readonly clock: Clock;
  /** Something came, or the stream ended. */
  readonly rang: () => void;
}

/** A part of a transaction ends here, so that one of any size fits in memory. */
const part = { changes: 10_000, bytes: 1_048_576 };
/** What a change takes in memory beside its bytes. */
const overhead = 256;
/** What is held before nothing more is read. */
const most = 2_097_152;
/** How often the server is asked how far it has read. */
const askMs = 250;
/** Microseconds from 1970 to 2000. */
const epochMicros = 946_684_800_000_000n;

/** Follows one slot over one connection. */
export class Replication {
  readonly #options: ReplicationOptions;
  readonly #reader: LogReader;
  readonly #ended: Promise<void>;
  #acknowledged: bigint;
  #head: Position;
  #ready: { readonly transaction: LoggedTransaction; readonly bytes: number }[] = [];
  #held = 0;
  #failed: { readonly error: unknown } | undefined;
  #timer: Timer | undefined;
  #paused = false;

  #commit = 0n;
  #tx = "";
  #at = 0;
  #skips = false;
  #inside = false;
  /** Changes of the transaction so far, given out or not. */
  #count = 0;
  #changes: LoggedChange[] = [];
  #bytes = 0;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#reader = new LogReader(options);
    this.#acknowledged = options.acknowledged;
    this.#head = positionAt(options.from.lsn, options.from.done);
    const names = `"proto_version" '1', "publication_names" '${options.publication}', "messages" 'true'`;
    const command = `START_REPLICATION SLOT ${options.slot} LOGICAL ${lsnText(options.from.lsn)} (${names})`;
    this.#ended = options.session
      .receive(command, (data, at) => this.#message(data, at))
      .then(
        () => this.#end(new Error("Connection terminated: the server ended the stream")),
        (error: unknown) => this.#end(error),
      );
    this.#ask();
  }

  get failed(): { readonly error: unknown } | undefined {
    return this.#failed;
  }

  /** What came since, about a part of it at once, and up to where the log is read with it. */
  take(): { readonly transactions: readonly LoggedTransaction[]; readonly head: Position } {
    const ready: LoggedTransaction[] = [];
    let taken = 0;
    for (const next of this.#ready) {
      if (taken >= part.bytes) break;
      ready.push(next.transaction);
      taken += next.bytes;
    }
    this.#ready = this.#ready.slice(ready.length);
    this.#held -= taken;
    const head = this.#ready.length === 0 ? this.#head : (ready.at(-1)?.position ?? this.#head);
    if (this.#paused && this.#held <= most) {
      this.#paused = false;
      this.#options.session.resume();
    }
    return { transactions: ready, head };
  }

  /** The server need not keep what lies before. */
  acknowledge(lsn: bigint): void {
    if (lsn <= this.#acknowledged) return;
    this.#acknowledged = lsn;
    this.#status(false);
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#options.session.destroy("the log is not followed any more");
    await this.#ended;
  }

  #ask(): void {
    this.#timer = this.#options.clock.after(askMs, () => {
      if (this.#failed !== undefined) return;
      this.#status(true);
      this.#ask();
    });
    this.#timer.unref();
  }

  #end(error: unknown): void {
    this.#timer?.cancel();
    this.#failed ??= { error };
    this.#options.rang();
  }

  #message(data: Buffer, at: number): void {
    if (data[at] === 0x6b) {
      if (!this.#inside) this.#read(positionAt(data.readBigInt64BE(at + 1)));
      if (data[at + 17] === 1) this.#status(false);
      return;
    }
    if (data[at] !== 0x77) return;
    // Behind the places in the log and the time. What is made of it has bytes of its own.
    for (const message of this.#reader.read(data, at + 25)) {
      switch (message.kind) {
        case "begin":
          this.#begin(message.commit, message.xid, message.at);
          break;
        case "origin":
          this.#skips ||= this.#options.without.has(message.name);
          break;
        case "change":
          this.#add({ collection: message.shape.collection.name, key: message.key, value: message.value });
          break;
        case "incomplete":
          this.#add({ shape: message.shape, key: message.key, incomplete: true });
          break;
        case "commit":
          this.#inside = false;
          if (this.#changes.length > 0) this.#give(positionAt(message.end));
          this.#read(positionAt(message.end));
      }
    }
  }

  #begin(commit: bigint, xid: number, at: number): void {
    this.#inside = true;
    this.#commit = commit;
    this.#at = at;
    this.#tx = String(widened(xid, this.#options.near));
    this.#skips = false;
    this.#count = 0;
    this.#changes = [];
    this.#bytes = 0;
  }

  #add(change: LoggedChange): void {
    if (this.#skips) return;
    this.#count++;
    const { lsn, done } = this.#options.from;
    if (this.#commit === lsn && this.#count <= done) return;
    this.#changes.push(change);
    this.#bytes += overhead + change.key.length + ("value" in change ? (change.value?.length ?? 0) : 0);
    if (this.#changes.length >= part.changes || this.#bytes >= part.bytes)
      this.#give(positionAt(this.#commit, this.#count));
  }

  #give(position: Position): void {
    const transaction = { tx: this.#tx, position, at: this.#at, changes: this.#changes };
    this.#ready.push({ transaction, bytes: this.#bytes });
    this.#held += this.#bytes;
    this.#changes = [];
    this.#bytes = 0;
    this.#read(position);
    if (this.#held > most && !this.#paused) {
      this.#paused = true;
      this.#options.session.pause();
    }
  }

  #read(position: Position): void {
    if (position <= this.#head) return;
    this.#head = position;
    this.#options.rang();
  }

  #status(reply: boolean): void {
    const body = Buffer.alloc(34);
    body[0] = 0x72;
    // Written, flushed and applied are one: while less than all is, the server says by itself how far it has read.
    for (const at of [1, 9, 17]) body.writeBigInt64BE(this.#acknowledged, at);
    body.writeBigInt64BE(BigInt(Math.round(this.#options.clock.now() * 1_000)) - epochMicros, 25);
    body[33] = reply ? 1 : 0;
    this.#options.session.connection.stream.write(copyDataMessage(body));
  }
}

/** The 64-bit transaction id nearest to `near` that ends in these 32 bits: ids of a log lie within 2³¹ of each other. */
export function widened(xid: number, near: bigint): bigint {
  const distance = BigInt.asIntN(32, BigInt(xid) - BigInt.asUintN(32, near));
  return near + distance;
}
