import {
  closeSync,
  copyFileSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { createRequire } from "node:module";
import type { DatabaseSync } from "node:sqlite";

/** What journals need of a disk, so that a test can stop it at any call as a crash would. */
export interface JournalDisk {
  makeFolder(dir: string): void;
  list(dir: string): readonly string[];
  /** Wall-clock milliseconds at which files last came or went; NaN where that is not known. */
  changedAt(dir: string): number;
  /** Which file lies at the path now, and how long it is; undefined when there is none. */
  look(path: string): { readonly file: number; readonly size: number } | undefined;
  /** Opens for reading and appending, making the file when it is missing. */
  open(path: string): number;
  openToRead(path: string): number;
  append(fd: number, text: string): void;
  read(fd: number, at: number, length: number): Buffer;
  truncate(fd: number, size: number): void;
  /** Waits for the disk in the background. */
  sync(fd: number): Promise<void>;
  syncNow(fd: number): void;
  close(fd: number): void;
  rename(from: string, to: string): void;
  copy(from: string, to: string): void;
  remove(path: string): void;
  /** A lock that the operating system frees with the process; undefined when another door holds it. */
  lock(path: string): { release(): void } | undefined;
}

// Loaded with the first journal: an application without one never pays for it, and Node 22 says at loading that the
// module is experimental.
const load = createRequire(import.meta.url);

export const journalDisk: JournalDisk = {
  makeFolder: (dir) => void mkdirSync(dir, { recursive: true }),
  list: (dir) => readdirSync(dir),
  changedAt: (dir) => statSync(dir).mtimeMs,
  look: (path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? undefined : { file: found.ino, size: found.size };
  },
  open: (path) => openSync(path, "a+", 0o600),
  openToRead: (path) => openSync(path, "r"),
  append: (fd, text) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  },
  read: (fd, at, length) => {
    const bytes = Buffer.allocUnsafe(length);
    let got = 0;
    while (got < length) {
      const more = readSync(fd, bytes, got, length - got, at + got);
      if (more === 0) break;
      got += more;
    }
    return bytes.subarray(0, got);
  },
  truncate: (fd, size) => ftruncateSync(fd, size),
  sync: (fd) =>
    new Promise((resolve, reject) => fdatasync(fd, (error) => (error === null ? resolve() : reject(error)))),
  syncNow: (fd) => fdatasyncSync(fd),
  close: (fd) => closeSync(fd),
  copy: (from, to) => copyFileSync(from, to),
  rename: (from, to) => renameSync(from, to),
  remove: (path) => rmSync(path, { force: true }),
  lock: (path) => {
    const { DatabaseSync: Database } = load("node:sqlite") as { DatabaseSync: typeof DatabaseSync };
    // An empty SQLite file in an exclusive transaction, as the store's own lock: nobody may open it with `fs`, closing
    // any handle would free the lock (POSIX).
    let lock: DatabaseSync | undefined;
    try {
      lock = new Database(path, { timeout: 0 });
      lock.exec("BEGIN EXCLUSIVE");
      const held = lock;
      return { release: () => held.close() };
    } catch (error) {
      lock?.close();
      if ((error as { errcode?: number }).errcode === busy) return undefined;
      throw error;
    }
  },
};

/** SQLITE_BUSY */
const busy = 5;
