import { join } from "node:path";
import type { Side } from "../../core/index.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { lockPath } from "./journal-file.ts";
import { JournalReader } from "./journal-reader.ts";

export interface Orphan {
  readonly reader: JournalReader;
  readonly lock: { release(): void };
}

/** Two changes of a folder this far apart, in milliseconds, have two times on every file system that is in use. */
const stampsDiffer = 2_500;

/**
 * The journals of a route that other doors of this host write, or died over. They are read on from where they were left;
 * the lock beside each tells whether its door lives.
 */
export class JournalPeers {
  readonly #disk: JournalDisk;
  readonly #folder: string;
  readonly #prefix: string;
  readonly #readers = new Map<string, JournalReader>();
  readonly #own = new Set<string>();
  /** Journals of doors that are gone which this one cannot finish, as of the last `orphans`. */
  stranded: JournalReader[] = [];
  /** When the folder had last changed at the last listing. */
  #listed = Number.NaN;

  /** @param prefix how the names of this route's journals begin */
  constructor(disk: JournalDisk, folder: string, prefix: string) {
    this.#disk = disk;
    this.#folder = folder;
    this.#prefix = prefix;
  }

  /** Journals that this door writes itself. */
  own(path: string): void {
    this.#own.add(path);
    this.#readers.delete(path);
  }

  disown(path: string): void {
    this.#own.delete(path);
    this.#listed = Number.NaN;
  }

  /**
   * Reads what the others have written since the last look.
   * @param now wall-clock milliseconds
   */
  look(now: number): void {
    const changed = this.#disk.changedAt(this.#folder);
    // Listing costs ten times a look at the folder's own time. Times that are this young may stand for two changes.
    if (changed !== this.#listed || !(now - changed > stampsDiffer)) {
      this.#listed = changed;
      this.#list();
    }
    for (const [path, reader] of this.#readers) if (!reader.poll()) this.#readers.delete(path);
  }

  #list(): void {
    for (const name of this.#disk.list(this.#folder)) {
      const path = join(this.#folder, name);
      if (!name.startsWith(this.#prefix) || !name.endsWith(".journal")) continue;
      if (!this.#own.has(path) && !this.#readers.has(path))
        this.#readers.set(path, new JournalReader(this.#disk, path));
    }
  }

  /**
   * Journals whose doors are gone, each with its lock held now. Of several doors that look at once exactly one gets it.
   * @param knows whether the door that asks has an operation; a journal with others is left to one that has them all
   */
  orphans(knows: (operation: string) => boolean): readonly Orphan[] {
    const found: Orphan[] = [];
    this.stranded = [];
    for (const [path, reader] of this.#readers) {
      const lock = this.#disk.lock(lockPath(path));
      if (lock === undefined) continue;
      // Somebody else may have finished and removed it between the look and the lock.
      if (!reader.poll()) {
        this.#readers.delete(path);
        this.#disk.remove(lockPath(path));
        lock.release();
      } else if ([...reader.open.values()].every(({ operation }) => knows(operation))) {
        this.own(path);
        found.push({ reader, lock });
      } else {
        this.stranded.push(reader);
        lock.release();
      }
    }
    return found;
  }

  /** Writes that others have open. */
  get open(): number {
    let open = 0;
    for (const reader of this.#readers.values()) open += reader.open.size + reader.lost;
    return open;
  }

  /** The side that has the newest state of a key, when another door has a write of it open. */
  sideOf(key: string): Side | undefined {
    let oldest: { readonly id: string; readonly first: Side } | undefined;
    for (const reader of this.#readers.values()) {
      const write = reader.byKey.get(key)?.[0];
      if (write !== undefined && (oldest === undefined || write.id < oldest.id)) oldest = write;
    }
    return oldest?.first;
  }

  newestOf(key: string): string {
    let newest = "";
    for (const reader of this.#readers.values()) {
      const id = reader.byKey.get(key)?.at(-1)?.id ?? "";
      if (id > newest) newest = id;
    }
    return newest;
  }

  hasEarlier(key: string, id: string): boolean {
    for (const reader of this.#readers.values()) {
      if (reader.byKey.get(key)?.some((write) => write.id < id) === true) return true;
    }
    return false;
  }

  /** A later write of the key that its first side has taken. */
  hasLater(key: string, id: string): boolean {
    for (const reader of this.#readers.values()) {
      if (reader.byKey.get(key)?.some((write) => write.id > id && write.taken) === true) return true;
    }
    return false;
  }
}
