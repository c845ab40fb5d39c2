import { type Side } from "../../core/index.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { readRecord, type WriteRecord } from "./journal-record.ts";

/** A write that its journal has no end of. */
export interface RecordedWrite {
  readonly id: string;
  readonly operation: string;
  readonly key: string | null;
  readonly first: Side;
  readonly epoch: number;
  readonly salt: string;
  /** False: the input could not be written down. */
  readonly replayable: boolean;
  taken: boolean;
  /** Why it was set aside. */
  aside: string | undefined;
  /** Where its line lies, in bytes. */
  readonly at: number;
  readonly length: number;
}

const chunk = 1 << 20;

/**
 * What is open in one journal, read on from where it was left. A last line without an end is left for the next look: its
 * writer is at it, or died there, and then nothing had begun that the line tells of.
 */
export class JournalReader {
  readonly path: string;
  readonly open: Map<string, RecordedWrite> = new Map<string, RecordedWrite>();
  /** Open writes by key, in the order of their ids. */
  readonly byKey: Map<string, RecordedWrite[]> = new Map<string, RecordedWrite[]>();
  /** Writes that the journal's door could not hold. */
  lost = 0;
  /** Numbers of lines that cannot be read, from 1. */
  damaged: number[] = [];
  /** Bytes of whole lines read so far. */
  size = 0;
  readonly #disk: JournalDisk;
  #file = -1;
  #lines = 0;

  constructor(disk: JournalDisk, path: string) {
    this.#disk = disk;
    this.path = path;
  }

  /** Reads what is new; false when the journal is gone. */
  poll(): boolean {
    const found = this.#disk.look(this.path);
    if (found === undefined) return false;
    // A journal that has grown long is written anew under the same name.
    if (found.file !== this.#file || found.size < this.size) this.#restart(found.file);
    if (found.size > this.size) this.#read();
    return true;
  }

  #restart(file: number): void {
    this.#file = file;
    this.open.clear();
    this.byKey.clear();
    this.damaged = [];
    this.lost = this.size = this.#lines = 0;
  }

  #read(): void {
    const fd = this.#disk.openToRead(this.path);
    try {
      let rest: Buffer = Buffer.alloc(0);
      for (;;) {
        const bytes = this.#disk.read(fd, this.size + rest.length, chunk);
        rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
        let from = 0;
        for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10, from)) {
          this.#take(rest.toString("utf8", from, end), end + 1 - from);
          from = end + 1;
        }
        rest = rest.subarray(from);
        if (bytes.length < chunk) return;
      }
    } finally {
      this.#disk.close(fd);
    }
  }

  #take(line: string, length: number): void {
    const at = this.size;
    this.size += length;
    this.#lines++;
    const record = readRecord(line);
    if (record === undefined) {
      if (line !== "") this.damaged.push(this.#lines);
      return;
    }
    switch (record.t) {
      case "journal":
        return; // for people who open the file
      case "lost":
        this.lost = record.count;
        return;
      case "write":
        return this.#add(record, at, length);
      case "ended":
        return this.#remove(record.id);
      case "taken":
      case "aside":
      case "again": {
        const write = this.open.get(record.id);
        if (write === undefined) return;
        if (record.t === "taken") write.taken = true;
        else write.aside = record.t === "aside" ? record.why : undefined;
        return;
      }
    }
  }

  #add(record: WriteRecord, at: number, length: number): void {
    const { id, operation, key, first, epoch, salt } = record;
    const replayable = record.json !== undefined || record.v8 !== undefined;
    const write = {
      id,
      operation,
      key,
      first,
      epoch,
      salt,
      replayable,
      taken: false,
      aside: undefined,
      at,
      length,
    };
    this.open.set(id, write);
    if (key === null) return;
    const line = this.byKey.get(key);
    if (line === undefined) this.byKey.set(key, [write]);
    else line.push(write);
  }

  #remove(id: string): void {
    const write = this.open.get(id);
    if (write === undefined) return;
    this.open.delete(id);
    const line = write.key === null ? undefined : this.byKey.get(write.key);
    if (line === undefined) return;
    if (line[0] === write) line.shift();
    else line.splice(line.indexOf(write), 1);
    if (line.length === 0) this.byKey.delete(write.key ?? "");
  }
}
