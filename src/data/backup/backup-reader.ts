import { CutoverError } from "../../core/index.ts";
import { compareBytes, equalBytes } from "../bytes.ts";
import type { Collection, Range, Reader, Row } from "../connector.ts";
import { readSeed, rowHash } from "../digest/row-hash.ts";
import { BackupFile } from "./backup-file.ts";
import { type BackupLeaf, type BackupManifest, readManifest } from "./format.ts";

/** A backup as a store that can be read: compared with others, restored, looked into. */
export interface BackupReader extends Reader {
  readonly manifest: BackupManifest;
  /** Rows leaf by leaf, each leaf proven against its digest before any of it is given. */
  leaves(collection: string, from?: number): AsyncIterable<readonly Row[]>;
}

/**
 * Opens a backup. What is read of it is checked as it is read: a leaf that does not have its digest is named.
 * @throws CUTOVER_DATA_MISSING, CUTOVER_DATA_BACKUP, CUTOVER_DATA_FORMAT, CUTOVER_DATA_DENIED
 */
export async function openBackup(dir: string): Promise<BackupReader> {
  const manifest = await readManifest(dir);
  const hash = await rowHash(readSeed(manifest.seed));
  const held = new Map<string, BackupFile>();
  try {
    for (const collection of manifest.collections)
      held.set(collection.name, await BackupFile.open(dir, collection, hash));
  } catch (error) {
    for (const file of held.values()) await file.close();
    throw error;
  }
  return new OpenBackup(`backup:${dir}`, manifest, held);
}

class OpenBackup implements BackupReader {
  readonly name: string;
  readonly manifest: BackupManifest;
  readonly #held: ReadonlyMap<string, BackupFile>;

  constructor(name: string, manifest: BackupManifest, held: ReadonlyMap<string, BackupFile>) {
    this.name = name;
    this.manifest = manifest;
    this.#held = held;
  }

  collections(): Promise<readonly Collection[]> {
    return Promise.resolve(
      this.manifest.collections.map(({ name, columns, digest, bytes }) => ({
        name,
        rows: digest.count,
        bytes: bytes - 8 * digest.count,
        ...(columns === undefined ? {} : { columns }),
      })),
    );
  }

  async get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const held = this.#of(collection);
    const values: (Uint8Array | undefined)[] = [];
    let last: { readonly index: number; readonly rows: readonly Row[] } | undefined;
    for (const key of keys) {
      const index = firstLeaf(held.leaves, key, true);
      if (index < held.leaves.length && last?.index !== index) last = { index, rows: await held.read(index) };
      const row = last?.index === index ? last.rows.find((each) => equalBytes(each.key, key)) : undefined;
      values.push(row?.value);
    }
    return values;
  }

  async *scan(
    { collection, after, upTo }: Range,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly Row[]> {
    const held = this.#of(collection);
    const from = after === undefined ? 0 : firstLeaf(held.leaves, after, false);
    for (let index = from; index < held.leaves.length; index++) {
      options.signal?.throwIfAborted();
      const rows = await held.read(index);
      const inside = rows.filter(
        ({ key }) =>
          (after === undefined || compareBytes(key, after) > 0) &&
          (upTo === undefined || compareBytes(key, upTo) <= 0),
      );
      if (inside.length > 0) yield inside;
      if (upTo !== undefined && compareBytes((held.leaves[index] as BackupLeaf).upTo, upTo) >= 0) return;
    }
  }

  async *leaves(collection: string, from = 0): AsyncGenerator<readonly Row[]> {
    const held = this.#of(collection);
    for (let index = from; index < held.leaves.length; index++) yield await held.read(index);
  }

  async count(range: Range): Promise<number> {
    if (range.after === undefined && range.upTo === undefined) return this.#of(range.collection).rows;
    let count = 0;
    for await (const rows of this.scan(range)) count += rows.length;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#held.values()) await file.close();
  }

  #of(collection: string): BackupFile {
    const held = this.#held.get(collection);
    if (held !== undefined) return held;
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `expected a collection of ${this.name}, found "${collection}", which it does not have`,
      place: this.name,
      details: { collection },
    });
  }
}

/** First leaf that reaches to `key`, or beyond it. */
function firstLeaf(leaves: readonly BackupLeaf[], key: Uint8Array, including: boolean): number {
  let low = 0;
  let high = leaves.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareBytes((leaves[middle] as BackupLeaf).upTo, key);
    if (order < 0 || (order === 0 && !including)) low = middle + 1;
    else high = middle;
  }
  return low;
}
