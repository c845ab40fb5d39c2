import type { JournalDisk } from "./journal-disk.ts";
import { type JournalRecord, recordLine } from "./journal-record.ts";

/** Where a line lies, in bytes. */
export interface LinePlace {
  at: number;
  length: number;
}

/** An open write in a journal. Its place changes when the journal is written anew. */
export interface KeptWrite extends LinePlace {
  readonly id: string;
  readonly file: JournalFile;
  /** The line without its end; undefined when too much would lie in memory, then it is read again. */
  line: string | undefined;
  taken: boolean;
  aside: string | undefined;
}

/** A journal that has grown to this many bytes, most of them of ended writes, is written anew. */
const compactAt = 4 * 1024 * 1024;
/** Time in which appended lines share one wait for the disk, milliseconds. */
export const syncEvery = 50;

/**
 * One journal that this door writes: its own, or one it took over. Lines of intents go to the system at once; marks wait
 * for the end of the turn or the next intent and go with it, for a lost mark only means that a write is done again.
 */
export class JournalFile {
  readonly path: string;
  readonly #disk: JournalDisk;
  readonly #lock: { release(): void };
  readonly #failed: (error: unknown) => void;
  #fd: number;
  #size: number;
  #marks = "";
  #flushing = false;
  /** The last append failed halfway: its rest must not run into the next line. */
  #torn = false;
  /** Appends so far, and how many of them have reached the disk. */
  #appends = 0;
  #syncedTo = 0;
  #syncing: Promise<void> | undefined;
  #closed = false;
  /** Open writes in it, in the order of their lines. */
  readonly kept: Set<KeptWrite> = new Set<KeptWrite>();
  /** Writes of this journal's door that could not be held or read. */
  lost = 0;
  #live = 0;

  /** @param size bytes of whole lines; what follows them is cut off */
  constructor(
    disk: JournalDisk,
    path: string,
    lock: { release(): void },
    size: number,
    failed: (error: unknown) => void,
  ) {
    this.path = path;
    this.#disk = disk;
    this.#lock = lock;
    this.#failed = failed;
    this.#size = size;
    this.#fd = disk.open(path);
    if ((disk.look(path)?.size ?? 0) > size) disk.truncate(this.#fd, size);
  }

  get size(): number {
    return this.#size;
  }

  /** Writes a line now, together with the marks that wait. @throws what the disk says; then nothing was written. */
  append(line: string): LinePlace {
    const marks = this.#torn ? `\n${this.#marks}` : this.#marks;
    this.#marks = "";
    try {
      this.#disk.append(this.#fd, marks + line);
    } catch (error) {
      this.#repair();
      throw error;
    }
    this.#torn = false;
    this.#appends++;
    const length = Buffer.byteLength(line);
    const at = this.#size + Buffer.byteLength(marks);
    this.#size = at + length;
    return { at, length };
  }

  /** Adds a mark to the next write, at the latest at the end of this turn of the event loop. */
  mark(record: JournalRecord): void {
    if (this.#closed) return;
    this.#marks += recordLine(record);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#marks === "" || this.#closed) return;
    try {
      this.append("");
    } catch (error) {
      this.#failed(error);
    }
  }

  readLine(place: LinePlace): string {
    return this.#disk.read(this.#fd, place.at, place.length - 1).toString("utf8");
  }

  /** Resolves when all that was appended before is on the disk; calls at the same time share one wait. */
  async synced(): Promise<void> {
    // What is appended while somebody waits is not his to wait for.
    const mine = this.#appends;
    while (this.#syncedTo < mine && !this.#closed) await (this.#syncing ?? this.#sync());
  }

  #sync(): Promise<void> {
    const upTo = this.#appends;
    this.#syncing = this.#disk.sync(this.#fd).then(
      () => {
        this.#syncing = undefined;
        this.#syncedTo = upTo;
      },
      (error: unknown) => {
        this.#syncing = undefined;
        // Told, and not waited for again: a caller would wait for ever on a disk that is gone.
        this.#syncedTo = upTo;
        this.#failed(error);
      },
    );
    return this.#syncing;
  }

  syncNow(): void {
    this.#disk.syncNow(this.#fd);
    this.#syncedTo = this.#appends;
  }

  keep(write: KeptWrite): void {
    this.kept.add(write);
    this.#live += write.length;
  }

  drop(write: KeptWrite): void {
    if (this.kept.delete(write)) this.#live -= write.length;
  }

  get longAndMostlyEnded(): boolean {
    return this.#size > compactAt && this.#size > 4 * this.#live;
  }

  /**
   * Writes the journal anew with what is open in it, and puts it in the place of the old one in one step: whoever reads
   * it sees the one or the other.
   */
  rewrite(head: JournalRecord): void {
    const next = `${this.path}.next`;
    this.#disk.remove(next);
    const fd = this.#disk.open(next);
    const places = new Map<KeptWrite, LinePlace>();
    let text = recordLine(head) + (this.lost > 0 ? recordLine({ t: "lost", count: this.lost }) : "");
    let size = Buffer.byteLength(text);
    const add = (line: string): number => {
      text += line;
      size += Buffer.byteLength(line);
      return size;
    };
    try {
      for (const write of this.kept) {
        const at = size;
        places.set(write, { at, length: add(`${write.line ?? this.readLine(write)}\n`) - at });
        if (write.taken) add(recordLine({ t: "taken", id: write.id }));
        if (write.aside !== undefined) add(recordLine({ t: "aside", id: write.id, why: write.aside }));
      }
      this.#disk.append(fd, text);
      this.#disk.syncNow(fd);
      this.#disk.rename(next, this.path);
    } catch (error) {
      this.#disk.close(fd);
      throw error;
    }
    for (const [write, place] of places) Object.assign(write, place);
    const before = this.#fd;
    this.#fd = fd;
    this.#size = size;
    this.#marks = "";
    this.#torn = false;
    // A wait for the disk may still be under way on it.
    void (this.#syncing ?? Promise.resolve()).then(() => this.#disk.close(before));
  }

  /** Lets go of it. With `remove` it is gone; without, the next door takes it over. */
  async close(remove: boolean): Promise<void> {
    if (this.#closed) return;
    if (!remove) this.flush();
    this.#closed = true;
    try {
      await this.#syncing;
      this.#disk.close(this.#fd);
      if (remove) this.#disk.remove(this.path);
      // Last, and while the lock is held: a lock file is never removed under somebody who holds it.
      if (remove) this.#disk.remove(lockPath(this.path));
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#lock.release();
    }
  }

  /** Cuts off what a failed append has left; where even that fails, a line end keeps it from the next line. */
  #repair(): void {
    try {
      this.#disk.truncate(this.#fd, this.#size);
    } catch {
      this.#torn = true;
    }
  }
}

export function lockPath(journal: string): string {
  return journal.replace(/\.journal$/, ".lock");
}
