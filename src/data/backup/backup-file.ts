import { createHash } from "node:crypto";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { keyText } from "../bytes.ts";
import type { Row } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests } from "../digest/digest.ts";
import type { RowHash } from "../digest/row-hash.ts";
import { type BackupCollection, type BackupLeaf, damaged, readLeafLine } from "./format.ts";
import { decodeBlock } from "./row-block.ts";

/** The rows of one collection of a backup. Leaves are held in memory, about 200 bytes for 1000 rows. */
export class BackupFile {
  readonly leaves: readonly BackupLeaf[];
  readonly rows: number;
  readonly #name: string;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash: RowHash;

  private constructor(
    { name, digest }: BackupCollection,
    path: string,
    leaves: readonly BackupLeaf[],
    file: FileHandle,
    hash: RowHash,
  ) {
    this.leaves = leaves;
    this.rows = digest.count;
    this.#name = name;
    this.#path = path;
    this.#file = file;
    this.#hash = hash;
  }

  /** @throws CUTOVER_DATA_BACKUP when leaves are not those the manifest tells of, or the rows are cut off */
  static async open(dir: string, collection: BackupCollection, hash: RowHash): Promise<BackupFile> {
    const leaves = await readLeaves(join(dir, collection.leavesFile), collection);
    const path = join(dir, collection.rowsFile);
    const file = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
      throw damaged(path, `expected the rows of "${collection.name}", found ${cause.code ?? cause.message}`);
    });
    const { size } = await file.stat();
    if (size === collection.bytes) return new BackupFile(collection, path, leaves, file, hash);
    await file.close();
    const whole = leaves.filter(({ at, bytes }) => at + bytes <= size).length;
    const what =
      size < collection.bytes
        ? `it is cut off in leaf ${whole + 1} of ${leaves.length}`
        : "something was added";
    throw damaged(
      path,
      `expected ${collection.bytes} bytes of rows of "${collection.name}", found ${size}: ${what}`,
      {
        collection: collection.name,
        expected: collection.bytes,
        found: size,
      },
    );
  }

  /** Rows of a leaf, after its bytes and its digest were proven. @throws CUTOVER_DATA_BACKUP naming the leaf */
  async read(index: number): Promise<readonly Row[]> {
    const leaf = this.leaves[index] as BackupLeaf;
    const block = Buffer.allocUnsafeSlow(leaf.bytes);
    let got = 0;
    for (let more = true; more && got < block.length;) {
      const { bytesRead } = await this.#file.read(block, got, block.length - got, leaf.at + got);
      got += bytesRead;
      more = bytesRead > 0;
    }
    if (got < block.length) throw this.#damaged(index, `it has ${got} of ${block.length} bytes`);
    if (this.#hash.key(block) !== leaf.sum)
      throw this.#damaged(index, "its bytes are not those that were written");
    const rows = decodeBlock(block);
    if (rows === undefined) throw this.#damaged(index, "its bytes are no rows");
    const sum = this.#hash.sum();
    sum.addAll(rows);
    if (!equalDigests(sum.take(), leaf)) throw this.#damaged(index, "its rows have another digest");
    return rows;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #damaged(index: number, what: string): Error {
    const before = this.leaves[index - 1];
    const { upTo, at } = this.leaves[index] as BackupLeaf;
    const where = `${before === undefined ? "" : `after ${keyText(before.upTo)} `}up to ${keyText(upTo)}`;
    return damaged(
      this.#path,
      `leaf ${index + 1} of ${this.leaves.length} of collection "${this.#name}" is damaged (keys ${where}, from byte ${at}): ${what}`,
      { collection: this.#name, leaf: index + 1, at },
    );
  }
}

async function readLeaves(
  path: string,
  { name, leavesSum, digest, leaves }: BackupCollection,
): Promise<readonly BackupLeaf[]> {
  const text = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw damaged(path, `expected the digests of "${name}", found ${cause.code ?? cause.message}`);
  });
  if (createHash("sha256").update(text).digest("hex") !== leavesSum)
    throw damaged(
      path,
      `expected the digests of "${name}" as the manifest knows them, found others: the file was changed`,
    );
  const found: BackupLeaf[] = [];
  let [at, whole] = [0, emptyDigest];
  for (const line of text.toString("utf8").split("\n")) {
    if (line === "") continue;
    const leaf = readLeafLine(line);
    if (leaf === undefined || leaf.at !== at)
      throw damaged(
        path,
        `expected line ${found.length + 1} to tell of the leaf at byte ${at}, found something else`,
      );
    found.push(leaf);
    at += leaf.bytes;
    whole = addDigests(whole, leaf);
  }
  if (found.length === leaves && equalDigests(whole, digest)) return found;
  throw damaged(
    path,
    `expected ${leaves} leaves of "${name}" whose digests add up to the collection's, found ${found.length}`,
  );
}
