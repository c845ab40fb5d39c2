import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type ByteEngine, type ByteView, type Put, reserved, type WriteBody } from "../capture-engine.ts";
import { decodeRecordOf, encodeRecordOf } from "../capture-journal.ts";
import { keys } from "../capture-records.ts";
import type { Change, ChunkLimit, Collection, Range, Row } from "../connector.ts";
import { giveBack } from "../huge-rows.ts";
import { type FileRow, FilesFolder, firstFrom, rowOf, type StrangeFile } from "./files-folder.ts";
import { fileOf, inNames, nameRefusal } from "./files-names.ts";
import { stageFiles } from "./files-staging.ts";
import { closedStore, storeError } from "./place.ts";

/** In the folder, beside the collections: our records, and the transaction that is being written. */
export const ownFolder = ".cutover-data";

/**
 * A folder of files. The files of a durable transaction are written beside first and synced, several at once, where nobody sees them. Then
 * the transaction is written whole into one file, synced and given its name; from then on it has happened: whoever opens the folder after
 * a crash carries it out. Then each file is renamed. From the second step on everything here is synchronous, so that what one call reads
 * is of one moment of this process.
 */
export class FilesEngine implements ByteEngine {
  readonly name: string;
  readonly copies: boolean = true;
  readonly viewsMove: boolean = true;
  readonly #root: string;
  readonly #folders: ReadonlyMap<string, FilesFolder>;
  readonly #strangers: readonly string[];
  readonly #release: () => void;
  readonly #listeners = new Set<() => void>();
  /** Writes come one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** `folders`: by the names of collections, and those whose names can be none. */
  constructor(
    name: string,
    root: string,
    folders: { readonly collections: ReadonlyMap<string, string>; readonly strangers: readonly string[] },
    release: () => void,
  ) {
    this.name = name;
    this.#root = root;
    this.#strangers = folders.strangers;
    this.#release = release;
    this.#folders = new Map(
      [...folders.collections, [reserved, join(root, ownFolder, "records")] as const].map(
        ([collection, path]) => [collection, new FilesFolder(path, { root: collection === "" })],
      ),
    );
    // Left by a process that was killed before its transaction had happened.
    rmSync(this.#staging, { recursive: true, force: true });
    this.#finish();
  }

  collections(): Promise<readonly Collection[]> {
    return this.#mapped(() => [
      ...[...this.#folders]
        .filter(([name]) => name !== reserved)
        .map(([name, folder]) => {
          const problem = folder.problem();
          return { name, rows: folder.rows().length, ...(problem === undefined ? {} : { problem }) };
        }),
      ...this.#strangers.map((name) => ({
        name,
        problem: `the name of the folder has other than ${inNames}`,
      })),
    ]);
  }

  strange(): Promise<readonly StrangeFile[]> {
    return this.#mapped(() =>
      [...this.#folders].flatMap(([name, folder]) => (name === reserved ? [] : folder.strange())),
    );
  }

  has(collection: string): boolean {
    return this.#folders.has(collection);
  }

  refusal({ key }: Change): string | undefined {
    return nameRefusal(key);
  }

  view(): ByteView {
    this.#open();
    // Read now, in the turn in which the rows will be read: the number that the chunk's fence says.
    const sequence = this.#read(reserved, keys.sequence);
    return {
      record: (key) => (Buffer.compare(key, keys.sequence) === 0 ? sequence : this.#read(reserved, key)),
      get: (collection, wanted) => this.#mapped(() => wanted.map((key) => this.#read(collection, key))),
      rows: (range, limit) => this.#mapped(() => this.#rows(range, limit)),
      count: (range) =>
        this.#mapped(() => {
          const [from, to] = this.#span(range);
          return Math.max(0, to - from);
        }),
      close: () => Promise.resolve(),
    };
  }

  // oxlint-disable-next-line require-await -- what is thrown has to become a rejection
  async write(body: WriteBody, durable: boolean, rows: readonly Put[] = []): Promise<void> {
    // What was asked for before it was closed is still made.
    this.#open();
    const done = this.#last.then(() => this.#write(body, durable, rows));
    this.#last = done.catch(() => {});
    return done;
  }

  async #write(body: WriteBody, durable: boolean, rows: readonly Put[]): Promise<void> {
    try {
      const puts = [...rows, ...body((key) => this.#read(reserved, key))];
      if (puts.length === 0) return;
      const staged = durable ? await stageFiles(this.#staging, puts) : [];
      this.#begin(puts, durable);
      this.#finish(staged);
    } catch (error) {
      throw storeError(error, this.name);
    }
    for (const listener of this.#listeners) listener();
  }

  onWrite(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    rmSync(this.#staging, { recursive: true, force: true });
    this.#release();
  }

  /** Files of a transaction that has not happened yet. */
  get #staging(): string {
    return join(this.#root, ownFolder, "staging");
  }

  get #pending(): string {
    return join(this.#root, ownFolder, "transaction");
  }

  #begin(puts: readonly Put[], durable: boolean): void {
    const record = encodeRecordOf({ at: 0, origin: durable ? "durable" : "", changes: puts });
    replaceFile(this.#pending, record, durable);
    giveBack(record);
    if (durable) syncFolder(join(this.#root, ownFolder));
  }

  /** Carries out the transaction that has happened, if there is one. Doing it twice gives the same. */
  #finish(staged: readonly (string | undefined)[] = []): void {
    if (!existsSync(this.#pending)) return;
    const record = readFileSync(this.#pending);
    const { changes, origin } = decodeRecordOf(record, this.#pending);
    // Listed once: a folder that was written to would be listed again for every row.
    const listed = new Map<string, { readonly folder: FilesFolder; readonly rows: readonly FileRow[] }>();
    for (const [index, { collection, key, value }] of changes.entries()) {
      let there = listed.get(collection);
      if (there === undefined) {
        const folder = this.#folderOf(collection);
        listed.set(collection, (there = { folder, rows: folder.rows() }));
      }
      const path = join(there.folder.path, rowOf(there.rows, key)?.name ?? fileOf(key));
      const ready = staged[index];
      if (value === null) rmSync(path, { force: true });
      else if (ready !== undefined) renameSync(ready, path);
      else replaceFile(path, value, origin === "durable", join(this.#root, ownFolder, "next"));
    }
    for (const { folder } of listed.values()) {
      folder.changed();
      if (origin === "durable") syncFolder(folder.path);
    }
    rmSync(this.#pending);
    giveBack(record);
  }

  /** After a crash the folder may be opened with other collections than it was written with. */
  #folderOf(collection: string): FilesFolder {
    const folder = this.#folders.get(collection);
    if (folder !== undefined) return folder;
    mkdirSync(join(this.#root, collection), { recursive: true });
    return new FilesFolder(join(this.#root, collection));
  }

  #read(collection: string, key: Uint8Array): Buffer | undefined {
    const folder = this.#folders.get(collection) as FilesFolder;
    const row = folder.find(key);
    return row === undefined ? undefined : contents(join(folder.path, row.name));
  }

  #rows(range: Range, limit: ChunkLimit): { readonly rows: readonly Row[]; readonly end: boolean } {
    const folder = this.#folders.get(range.collection) as FilesFolder;
    const [from, to] = this.#span(range);
    const rows: Row[] = [];
    let bytes = 0;
    for (const { key, name } of folder.rows().slice(from, to)) {
      if (rows.length >= limit.rows) return { rows, end: false };
      const value = contents(join(folder.path, name));
      // Another program has removed it since the folder was listed.
      if (value === undefined) continue;
      bytes += key.length + value.length;
      if (bytes > limit.bytes && rows.length > 0) {
        giveBack(value);
        return { rows, end: false };
      }
      // The listing keeps its own.
      rows.push({ key: Buffer.from(key), value });
      // Full: to see whether more lies behind would read a row that is thrown away, and one row may be huge.
      if (bytes >= limit.bytes) return { rows, end: false };
    }
    return { rows, end: true };
  }

  #span({ collection, after, upTo }: Range): readonly [number, number] {
    const rows = (this.#folders.get(collection) as FilesFolder).rows();
    const past = (key: Uint8Array): number => {
      const at = firstFrom(rows, key);
      const row = rows[at];
      return row !== undefined && Buffer.compare(row.key, key) === 0 ? at + 1 : at;
    };
    return [after === undefined ? 0 : past(after), upTo === undefined ? rows.length : past(upTo)];
  }

  #open(): void {
    if (this.#closed) throw closedStore(this.name);
  }

  // oxlint-disable-next-line require-await -- what is thrown has to become a rejection
  async #mapped<T>(body: () => T): Promise<T> {
    this.#open();
    try {
      return body();
    } catch (error) {
      throw storeError(error, this.name);
    }
  }
}

function contents(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** A reader sees the old contents or the new, never a part. */
function replaceFile(
  path: string,
  data: Uint8Array,
  durable: boolean,
  beside: string = `${path}.next`,
): void {
  const file = openSync(beside, "w");
  try {
    for (let done = 0; done < data.length;) done += writeSync(file, data, done);
    if (durable) fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
