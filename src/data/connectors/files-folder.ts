import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
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
  #rows: readonly FileRow[] = [];
  #strange: readonly StrangeFile[] = [];
  #seen = "";

  constructor(path: string) {
    this.path = path;
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
    for (const entry of readdirSync(this.path, { withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const path = join(this.path, entry.name);
      const key = keyOfFile(entry.name);
      if (!entry.isFile()) strange.push({ path, reason: "it is no plain file" });
      else if (key === undefined)
        strange.push({ path, reason: "its name does not end in .json, or begins with a dot" });
      else rows.push({ key, name: entry.name });
    }
    rows.sort((a, b) => compareBytes(a.key, b.key) || (a.name < b.name ? -1 : 1));
    this.#rows = rows.filter(({ key, name }, index) => {
      const before = rows[index - 1];
      if (before === undefined || compareBytes(before.key, key) !== 0) return true;
      strange.push({ path: join(this.path, name), reason: `it stands for the same key as ${before.name}` });
      return false;
    });
    this.#strange = strange;
    this.#seen = seen;
  }
}

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
