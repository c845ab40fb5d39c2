import { onlyKnown } from "../known-options.ts";
import { CutoverError, faultPoint } from "../../core/index.ts";
import type { Clock, RandomBytes } from "../../core/index.ts";
import type { Collection, Target } from "../connector.ts";
import { repairData } from "../verify/repair.ts";
import { type Verification, verifyData } from "../verify/verify.ts";
import { type BackupReader, openBackup } from "./backup-reader.ts";

export interface RestoreOptions {
  /** Folder of the backup. */
  readonly dir: string;
  readonly target: Target;
  /** Default: all of the backup. */
  readonly collections?: readonly string[];
  /**
   * The target may hold rows: those of the backup replace them, and rows that the backup does not have are removed. Default
   * false: a target that holds rows is refused.
   */
  readonly replace?: boolean;
  /** As in `TargetWrite.fence`. Default 1. */
  readonly fence?: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signal?: AbortSignal;
  /** Rows and bytes read since the last call, of the backup while it is checked and restored, then of both sides. */
  readonly onRead?: (rows: number, bytes: number, doing: "check" | "restore" | "compare") => void;
}

export interface Restored {
  readonly rows: number;
  /** Rows that were there before and not in the backup. */
  readonly removed: number;
  /** Leaves that an interrupted restore had written already. */
  readonly resumedLeaves: number;
  /** The target against the backup, read again after all was written. Always equal, else `restoreData` throws. */
  readonly verification: Verification;
}

const known: Readonly<Record<keyof RestoreOptions, true>> = {
  dir: true,
  target: true,
  collections: true,
  replace: true,
  fence: true,
  clock: true,
  random: true,
  signal: true,
  onRead: true,
};

/**
 * Brings a backup back, and proves it: the whole backup is checked before anything is written, and the target compared
 * with it afterwards. Interrupted, the same call goes on after the last leaf that was written.
 *
 * @throws CUTOVER_DATA_BACKUP naming the damaged leaf, before anything is written; CUTOVER_DATA_NOT_EMPTY;
 *   CUTOVER_DATA_COLLECTION when the target lacks one, or has other columns; CUTOVER_DATA_DIFFERS when the target is not
 *   equal afterwards
 */
export async function restoreData(options: RestoreOptions): Promise<Restored> {
  onlyKnown("restoreData", options, known);
  await using backup = await openBackup(options.dir);
  const names = options.collections ?? backup.manifest.collections.map(({ name }) => name);
  const job = restoreJob(backup.manifest.checksum);
  const before = await options.target.checkpoint(job);
  await fits(backup, options, names, before !== undefined);
  await checkBackup(backup, names, options);
  const { rows, resumedLeaves } = await write(backup, options, names, job, readPlace(before));
  const outcome = await prove(backup, options, names, job);
  await options.target.forget(job);
  return { rows, resumedLeaves, ...outcome };
}

/** Under which name the target keeps how far a restore of this backup is. */
export const restoreJob = (checksum: string): string => `restore:${checksum.slice(0, 16)}`;

/** Reads every leaf: what is damaged is found before a row is written. */
async function checkBackup(
  backup: BackupReader,
  names: readonly string[],
  { signal, onRead }: Pick<RestoreOptions, "signal" | "onRead">,
): Promise<void> {
  for (const name of names) {
    for await (const rows of backup.leaves(name)) {
      signal?.throwIfAborted();
      onRead?.(rows.length, bytesOf(rows), "check");
    }
  }
}

/** Where an interrupted restore stood: leaves of the collection `at` written so far. */
interface RestorePlace {
  readonly at: number;
  readonly leaf: number;
}

const readPlace = (checkpoint: Uint8Array | undefined): RestorePlace =>
  checkpoint === undefined
    ? { at: 0, leaf: 0 }
    : (JSON.parse(Buffer.from(checkpoint).toString("utf8")) as RestorePlace);

async function write(
  backup: BackupReader,
  { target, fence = 1, signal, onRead }: RestoreOptions,
  names: readonly string[],
  job: string,
  from: RestorePlace,
): Promise<Pick<Restored, "rows" | "resumedLeaves">> {
  let [written, resumedLeaves] = [0, 0];
  for (const [at, collection] of names.entries()) {
    const { leaves = 0 } = backup.manifest.collections.find(({ name }) => name === collection) ?? {};
    const done = at < from.at ? leaves : at === from.at ? from.leaf : 0;
    resumedLeaves += done;
    let leaf = done;
    if (done >= leaves) continue;
    for await (const rows of backup.leaves(collection, done)) {
      signal?.throwIfAborted();
      const checkpoint = Buffer.from(JSON.stringify({ at, leaf: ++leaf } satisfies RestorePlace), "utf8");
      faultPoint("data.restore.before-write");
      await target.applyTxn({
        job,
        fence,
        origin: job,
        changes: [],
        rows: rows.map(({ key, value }) => ({ collection, key, value })),
        checkpoint,
      });
      written += rows.length;
      onRead?.(rows.length, bytesOf(rows), "restore");
    }
  }
  return { rows: written, resumedLeaves };
}

/** Compares, and with `replace` removes what the backup does not have until nothing differs. */
async function prove(
  backup: BackupReader,
  options: RestoreOptions,
  collections: readonly string[],
  job: string,
): Promise<Pick<Restored, "removed" | "verification">> {
  const { target, signal, onRead, random, clock, fence = 1 } = options;
  let removed = 0;
  for (;;) {
    const verification = await verifyData({
      source: backup,
      target,
      collections,
      random,
      limit: 100_000,
      ...(signal === undefined ? {} : { signal }),
      onRead: (rows, bytes) => onRead?.(rows, bytes, "compare"),
    });
    if (verification.equal) return { removed, verification };
    const { missing, extra, different } = verification.counts;
    if (options.replace !== true || extra === 0)
      throw new CutoverError("CUTOVER_DATA_DIFFERS", {
        message: `expected the restored rows to equal the backup, found ${missing} missing, ${extra} extra, ${different} different`,
        place: target.name,
        remedy:
          "somebody else writes to the target, or it changes what it is given: stop that, and restore anew",
        details: { missing, extra, different },
      });
    const places = verification.differences.filter(({ kind }) => kind === "extra");
    const done = await repairData({
      source: backup,
      target,
      places,
      collections,
      job,
      fence,
      origin: job,
      clock,
    });
    removed += done.removed;
  }
}

/** Whether the target can take the backup. Nothing was written yet. */
async function fits(
  backup: BackupReader,
  { target, replace }: RestoreOptions,
  names: readonly string[],
  resumed: boolean,
): Promise<void> {
  const ours = new Map((await backup.collections()).map((each) => [each.name, each]));
  const theirs = new Map((await target.collections()).map((each) => [each.name, each]));
  for (const name of names) {
    const [from, to] = [ours.get(name), theirs.get(name)];
    if (from === undefined || to === undefined || to.problem !== undefined)
      throw new CutoverError("CUTOVER_DATA_COLLECTION", {
        message: `expected a collection "${name}" in ${from === undefined ? backup.name : target.name}, found ${to?.problem ?? "none of that name"}`,
        place: from === undefined ? backup.name : target.name,
        details: { collection: name },
        ...(from === undefined
          ? {}
          : { remedy: "make it there first, with the columns it had, then restore again" }),
      });
    sameColumns(from, to, target.name);
    if (resumed || replace === true) continue;
    const first = await anyRow(target, name);
    if (first)
      throw new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
        message: `expected no rows in collection "${name}" of the target, found some`,
        place: target.name,
        details: { collection: name },
        remedy:
          "name an empty target, or say that its rows are to be replaced by those of the backup (--replace)",
      });
  }
}

async function anyRow(target: Target, collection: string): Promise<boolean> {
  for await (const rows of target.scan({ collection })) if (rows.length > 0) return true;
  return false;
}

/** A value holds the columns in their order: other columns would give other values. */
function sameColumns(from: Collection, to: Collection, place: string): void {
  const shape = ({ columns }: Collection): string =>
    (columns ?? []).map(({ name, type, key }) => `${name} ${type}${key > 0 ? ` key ${key}` : ""}`).join(", ");
  const [wanted, found] = [shape(from), shape(to)];
  if (wanted === found) return;
  throw new CutoverError("CUTOVER_DATA_COLLECTION", {
    message: `expected "${from.name}" to have ${wanted === "" ? "no columns" : `the columns ${wanted}`}, found ${found === "" ? "none" : found}`,
    place,
    details: { collection: from.name },
    remedy: "give the target's table the columns that the backup has, in that order",
  });
}

const bytesOf = (rows: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): number =>
  rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
