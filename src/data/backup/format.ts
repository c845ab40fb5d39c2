import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  asError,
  canonicalJson,
  CutoverError,
  type Json,
  type JsonObject,
  sha256,
} from "../../core/index.ts";
import type { Column, Digest } from "../connector.ts";
import { digestForm, type DigestForm, readDigest } from "../digest/digest.ts";

/**
 * A backup is a folder: `manifest.json`, and for each collection a file of rows and one of leaves.
 *
 * Rows lie in blocks, one a leaf, one after the other: for each row the lengths of key and value (4 bytes each,
 * big-endian), then their bytes, in key order. The file of leaves has one line of JSON for each block. The manifest names
 * the files, holds the digest of each collection and the SHA-256 of each file of leaves, and its own over all the rest.
 */
export const formatVersion = 1;
export const manifestName = "manifest.json";
export const proofName = "proof.json";

export interface BackupCollection {
  readonly name: string;
  readonly columns?: readonly Column[];
  /** Names inside the folder. */
  readonly rowsFile: string;
  readonly leavesFile: string;
  readonly leaves: number;
  readonly bytes: number;
  readonly digest: Digest;
  /** SHA-256 of the file of leaves. */
  readonly leavesSum: string;
}

export interface BackupManifest {
  /** The store it was made of, without passwords. */
  readonly source: string;
  /** Wall-clock milliseconds. */
  readonly madeAt: number;
  /** Of the hashes in all digests: 16 hexadecimal digits. */
  readonly seed: string;
  /** All collections are of one moment; otherwise each is of a moment of its own. */
  readonly oneSnapshot: boolean;
  readonly collections: readonly BackupCollection[];
  /** SHA-256 of everything else in the manifest: what a proof refers to. */
  readonly checksum: string;
}

/** One block of rows. */
export interface BackupLeaf extends Digest {
  /** Where its block begins in the file of rows, and how long it is. */
  readonly at: number;
  readonly bytes: number;
  /** Last key in it. */
  readonly upTo: Uint8Array;
  /** Seeded 64-bit hash of the block's bytes. */
  readonly sum: bigint;
}

interface LeafForm extends DigestForm {
  readonly at: number;
  readonly bytes: number;
  readonly upTo: string;
  readonly sum: string;
}

export function leafLine({ at, bytes, upTo, sum, ...digest }: BackupLeaf): string {
  const form: LeafForm = {
    at,
    bytes,
    ...digestForm(digest),
    upTo: Buffer.from(upTo).toString("hex"),
    sum: sum.toString(16).padStart(16, "0"),
  };
  return `${JSON.stringify(form)}\n`;
}

/** Undefined when the line is none. */
export function readLeafLine(line: string): BackupLeaf | undefined {
  let form: Partial<LeafForm>;
  try {
    form = JSON.parse(line) as Partial<LeafForm>;
  } catch {
    return undefined;
  }
  const digest = readDigest(form);
  const { at, bytes, upTo, sum } = form;
  if (digest === undefined || typeof at !== "number" || typeof bytes !== "number") return undefined;
  if (typeof upTo !== "string" || typeof sum !== "string" || !/^[0-9a-f]{16}$/.test(sum)) return undefined;
  return { ...digest, at, bytes, upTo: Buffer.from(upTo, "hex"), sum: BigInt(`0x${sum}`) };
}

export function manifestText(manifest: Omit<BackupManifest, "checksum">): {
  readonly text: string;
  readonly checksum: string;
} {
  const form = {
    kind: "cutover-backup",
    format: formatVersion,
    ...manifest,
    collections: manifest.collections.map(({ digest, ...rest }) => ({ ...rest, digest: digestForm(digest) })),
  } as unknown as JsonObject;
  const checksum = sha256(canonicalJson(form));
  return { text: `${JSON.stringify({ ...form, checksum }, null, 2)}\n`, checksum };
}

/**
 * The manifest of a backup, checked.
 * @throws CUTOVER_DATA_MISSING, CUTOVER_DATA_BACKUP when it was changed or is incomplete, CUTOVER_DATA_FORMAT
 */
export async function readManifest(dir: string): Promise<BackupManifest> {
  const place = join(dir, manifestName);
  const text = await readFile(place, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw noManifest(dir, cause);
  });
  let form: Json;
  try {
    form = JSON.parse(text) as Json;
  } catch (cause) {
    throw damaged(place, `expected JSON, found something else (${asError(cause).message})`);
  }
  if (typeof form !== "object" || form === null || Array.isArray(form))
    throw damaged(place, "expected an object, found something else");
  const { checksum, ...rest } = form as JsonObject;
  if (rest["kind"] !== "cutover-backup")
    throw damaged(place, "expected a backup's manifest, found another document");
  if (typeof rest["format"] === "number" && rest["format"] > formatVersion)
    throw new CutoverError("CUTOVER_DATA_FORMAT", {
      message: `expected a backup of format ${formatVersion} or older, found ${rest["format"]}: a newer version made it`,
      place,
    });
  const found = sha256(canonicalJson(rest as JsonObject));
  if (checksum !== found)
    throw damaged(
      place,
      `expected the checksum ${typeof checksum === "string" ? checksum.slice(0, 16) : "…"}…, found ${found.slice(0, 16)}…: it was changed`,
    );
  const { collections, source, madeAt, seed, oneSnapshot } = rest as unknown as Omit<
    BackupManifest,
    "collections"
  > & { readonly collections: readonly (Omit<BackupCollection, "digest"> & { readonly digest: unknown })[] };
  return {
    source,
    madeAt,
    seed,
    oneSnapshot,
    checksum: found,
    collections: collections.map((each) => {
      const digest = readDigest(each.digest);
      if (digest === undefined) throw damaged(place, `expected a digest of "${each.name}", found none`);
      // Files lie in the folder of the backup, whatever somebody wrote into its manifest.
      for (const file of [each.rowsFile, each.leavesFile])
        if (!/^\d+\.(rows|leaves)$/.test(file))
          throw damaged(place, `expected a file of this folder, found ${file}`);
      return { ...each, digest };
    }),
  };
}

function noManifest(dir: string, cause: NodeJS.ErrnoException): CutoverError {
  if (cause.code === "EACCES" || cause.code === "EPERM")
    return new CutoverError("CUTOVER_DATA_DENIED", {
      message: `expected to read the backup, found ${cause.code}`,
      place: dir,
      cause,
    });
  return new CutoverError("CUTOVER_DATA_MISSING", {
    message: `expected a backup, found no ${manifestName} there: it is no backup, or one that was not finished`,
    place: dir,
    remedy: "name the folder that `cutover data backup` has made",
    cause,
  });
}

/** CUTOVER_DATA_BACKUP. */
export function damaged(place: string, message: string, details: JsonObject = {}): CutoverError {
  return new CutoverError("CUTOVER_DATA_BACKUP", { message, place, details });
}
