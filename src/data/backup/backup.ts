import { onlyKnown } from "../known-options.ts";
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, faultPoint, type RandomBytes } from "../../core/index.ts";
import type { Collection, Reader, Row } from "../connector.ts";
import { addDigests, emptyDigest } from "../digest/digest.ts";
import { leafRows } from "../digest/leaves.ts";
import { RowCursor } from "../digest/row-cursor.ts";
import { newSeed, type RowHash, rowHash, seedText } from "../digest/row-hash.ts";
import { freeHuge, giveBack } from "../huge-rows.ts";
import { chooseCollections } from "../verify/collections.ts";
import {
  type BackupCollection,
  type BackupManifest,
  leafLine,
  manifestName,
  manifestText,
} from "./format.ts";
import { newFolder, tellFiles } from "./folder.ts";
import { encodeBlock } from "./row-block.ts";

export interface BackupOptions {
  readonly source: Reader;
  /** A folder that is not there yet, or an empty one. */
  readonly dir: string;
  /** Default: all. */
  readonly collections?: readonly string[];
  readonly clock: Clock;
  /** Where the seed of the hashes comes from. */
  readonly random: RandomBytes;
  readonly signal?: AbortSignal;
  /** Rows and bytes written since the last call. */
  readonly onRead?: (rows: number, bytes: number) => void;
}

export interface Backup {
  readonly dir: string;
  readonly manifest: BackupManifest;
  /** Folders of attempts that were killed; nobody needs them. */
  readonly leftovers: readonly string[];
}

/** A block ends here, so that memory stays bounded however large values are. */
const blockBytes = 4_194_304;
/** What lengths and leaves take beside a row. */
const overheadPerRow = 9;

const known: Readonly<Record<keyof BackupOptions, true>> = {
  source: true,
  dir: true,
  collections: true,
  clock: true,
  random: true,
  signal: true,
  onRead: true,
};

/**
 * Writes all rows into a folder, with the digests of all leaves. The folder has its name only when everything in it is on
 * disk; a failure or the signal removes what was begun. A backup counts when it was restored and compared: see `restoreData`.
 *
 * @throws CUTOVER_DATA_NOT_EMPTY, CUTOVER_DATA_FULL, CUTOVER_DATA_DENIED, CUTOVER_DATA_COLLECTION, CUTOVER_DATA_ORDER
 */
export async function backupData(options: BackupOptions): Promise<Backup> {
  onlyKnown("backupData", options, known);
  const { source, clock } = options;
  await using moment = await source.snapshot?.();
  const reader = moment ?? source;
  const chosen = await chooseCollections(reader, options.collections);
  const folder = await newFolder(options.dir, bytesNeeded(chosen));
  try {
    const hash = await rowHash(newSeed(options.random));
    const madeAt = clock.now();
    const collections: BackupCollection[] = [];
    for (const [index, collection] of chosen.entries())
      collections.push(
        await tellFiles(options.dir, () =>
          writeCollection(reader, collection, index, folder.dir, hash, options),
        ),
      );
    const manifest = {
      source: source.name,
      madeAt,
      seed: seedText(hash.seed),
      oneSnapshot: moment !== undefined || chosen.length <= 1,
      collections,
    };
    const { text, checksum } = manifestText(manifest);
    await tellFiles(options.dir, async () => {
      await writeWhole(join(folder.dir, manifestName), text);
      faultPoint("data.backup.before-publish");
      options.signal?.throwIfAborted();
      await folder.publish();
    });
    return { dir: options.dir, manifest: { ...manifest, checksum }, leftovers: folder.leftovers };
  } catch (error) {
    await folder.discard();
    throw error;
  }
}

/** About what a backup of these takes; undefined when the store cannot say how much it holds. */
export function bytesNeeded(collections: readonly Collection[]): number | undefined {
  let sum = 0;
  for (const { rows, bytes } of collections) {
    if (rows === undefined || bytes === undefined) return undefined;
    sum += bytes + rows * overheadPerRow;
  }
  return sum;
}

async function writeCollection(
  reader: Reader,
  { name, columns }: Collection,
  index: number,
  dir: string,
  hash: RowHash,
  { signal, onRead }: BackupOptions,
): Promise<BackupCollection> {
  const number = String(index).padStart(4, "0");
  const [rowsFile, leavesFile] = [`${number}.rows`, `${number}.leaves`];
  await using rowsOut = await open(join(dir, rowsFile), "wx");
  await using leavesOut = await open(join(dir, leavesFile), "wx");
  const leavesHash = createHash("sha256");
  const lines = new Lines(leavesOut, leavesHash);
  await using rows = new RowCursor(
    reader.scan({ collection: name }, signal === undefined ? {} : { signal }),
    reader.name,
  );
  const sum = hash.sum();
  let [at, leaves, digest] = [0, 0, emptyDigest];
  while (await rows.filled()) {
    signal?.throwIfAborted();
    const held: Row[] = [];
    let bytes = 0;
    while (
      held.length < leafRows &&
      bytes < blockBytes &&
      (rows.at < rows.rows.length || (await rows.filled()))
    ) {
      const row = rows.rows[rows.at++] as Row;
      held.push(row);
      bytes += row.key.length + row.value.length;
    }
    const block = encodeBlock(held);
    sum.addAll(held);
    if (reader.givesCopies === true) freeHuge(held);
    const leaf = sum.take();
    digest = addDigests(digest, leaf);
    await writeAll(rowsOut, block);
    const upTo = (held.at(-1) as Row).key;
    await lines.add(leafLine({ ...leaf, at, bytes: block.length, upTo, sum: hash.key(block) }));
    at += block.length;
    giveBack(block);
    leaves++;
    onRead?.(held.length, bytes);
  }
  await lines.end();
  await rowsOut.sync();
  await leavesOut.sync();
  return {
    name,
    ...(columns === undefined ? {} : { columns }),
    rowsFile,
    leavesFile,
    leaves,
    bytes: at,
    digest,
    leavesSum: leavesHash.digest("hex"),
  };
}

/** Lines written many at a time. */
class Lines {
  readonly #file: FileHandle;
  readonly #hash: Hash;
  #waiting = "";

  constructor(file: FileHandle, hash: Hash) {
    this.#file = file;
    this.#hash = hash;
  }

  async add(line: string): Promise<void> {
    this.#waiting += line;
    if (this.#waiting.length >= 65_536) await this.end();
  }

  async end(): Promise<void> {
    const bytes = Buffer.from(this.#waiting, "utf8");
    this.#waiting = "";
    this.#hash.update(bytes);
    await writeAll(this.#file, bytes);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

/** A small file, on disk when this resolves. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx");
  await writeAll(file, Buffer.from(text, "utf8"));
  await file.sync();
}
