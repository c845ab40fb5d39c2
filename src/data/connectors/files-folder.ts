import { isUtf8 } from "node:buffer";
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { compareBytes } from "../bytes.ts";
import { keyOfFile } from "./files-names.ts";

export interface FileRow {
  readonly key: Buffer;
  readonly name: string;
}

/** A file that is there and is no sound row. */
export interface StrangeFile {
  readonly path: string;
  readonly reason: string;
}

/** One folder of files, its names in the order of their keys; listed again only when the folder has changed. */
export class FilesFolder {
  readonly path: string;
  /** Folders in it are collections of their own. */
  readonly #root: boolean;
  #rows: readonly FileRow[] = [];
  #strange: readonly StrangeFile[] = [];
  #problem: string | undefined;
  #seen = "";

  constructor(path: string, { root = false }: { readonly root?: boolean } = {}) {
    this.path = path;
    this.#root = root;
  }

  rows(): readonly FileRow[] {
    this.#look();
    return this.#rows;
  }

  /** After a write of ours: a folder that changes twice within one tick of its clock would else seem to be the same. */
  changed(): void {
    this.#seen = "";
  }

  find(key: Uint8Array): FileRow | undefined {
    return rowOf(this.rows(), key);
  }

  /** Why rows would be left out if all that can be read were taken for all there is. */
  problem(): string | undefined {
    this.#look();
    return this.#problem;
  }

  /** Every file that is no row, or a row that is not JSON. Reads all of them. */
  strange(): readonly StrangeFile[] {
    this.#look();
    const damaged: StrangeFile[] = [];
    for (const { name } of this.#rows) {
      const path = join(this.path, name);
      const bytes = readFileSync(path);
      const reason = bytes.length === 0 ? "the file is empty" : jsonProblem(bytes);
      if (reason !== undefined) damaged.push({ path, reason });
    }
    return [...this.#strange, ...damaged];
  }

  #look(): void {
    const { mtimeNs, ctimeNs, ino } = statSync(this.path, { bigint: true });
    const seen = `${mtimeNs} ${ctimeNs} ${ino}`;
    if (seen === this.#seen) return;
    const rows: FileRow[] = [];
    const strange: StrangeFile[] = [];
    const left: string[] = [];
    const entries = readdirSync(this.path, { withFileTypes: true });
    const unreadable = unreadableNames(this.path, entries);
    for (const entry of entries) {
      const path = join(this.path, entry.name);
      if (entry.isDirectory()) {
        if (!this.#root && holdsRows(path)) left.push(`rows in a folder of it: ${entry.name}`);
        continue;
      }
      const key = keyOfFile(entry.name);
      if (key === undefined) {
        strange.push({ path, reason: "its name does not end in .json, or begins with a dot" });
        continue;
      }
      if (entry.isFile() && !unreadable.has(entry.name)) {
        rows.push({ key, name: entry.name });
        continue;
      }
      strange.push({ path, reason: entry.isFile() ? "its name is no UTF-8" : "it is no plain file" });
      left.push(`${entry.name}: ${entry.isFile() ? "its name is no UTF-8" : "it is no plain file"}`);
    }
    rows.sort((a, b) => compareBytes(a.key, b.key) || (a.name < b.name ? -1 : 1));
    this.#rows = rows.filter(({ key, name }, index) => {
      const before = rows[index - 1];
      if (before === undefined || compareBytes(before.key, key) !== 0) return true;
      strange.push({ path: join(this.path, name), reason: `it stands for the same key as ${before.name}` });
      left.push(`${before.name} and ${name} stand for the same key`);
      return false;
    });
    this.#problem = left.length < 2 ? left[0] : `${left[0]} (and ${left.length - 1} more)`;
    this.#strange = strange;
    this.#seen = seen;
  }
}

/** Names that Node reads with U+FFFD in the place of bytes that are no UTF-8: by them nothing can be opened. */
function unreadableNames(path: string, entries: readonly Dirent[]): ReadonlySet<string> {
  if (!entries.some(({ name }) => name.includes("\u{fffd}"))) return new Set();
  const names = readdirSync(path, { encoding: "buffer" });
  return new Set(names.filter((name) => !isUtf8(name)).map((name) => name.toString("utf8")));
}

const holdsRows = (path: string): boolean =>
  !basename(path).startsWith(".") && readdirSync(path).some((name) => keyOfFile(name) !== undefined);

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function jsonProblem(bytes: Uint8Array): string | undefined {
  try {
    JSON.parse(strictUtf8.decode(bytes));
    return undefined;
  } catch (error) {
    return `it is no JSON: ${(error as Error).message}`;
  }
}

/** Place of the first row whose key is not before `key`. */
export function firstFrom(rows: readonly FileRow[], key: Uint8Array): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes((rows[middle] as FileRow).key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function rowOf(rows: readonly FileRow[], key: Uint8Array): FileRow | undefined {
  const row = rows[firstFrom(rows, key)];
  return row !== undefined && compareBytes(row.key, key) === 0 ? row : undefined;
}
