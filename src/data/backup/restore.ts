import { onlyKnown } from "../known-options.ts";
import { CutoverError, faultPoint } from "../../core/index.ts";
import type { Clock, RandomBytes } from "../../core/index.ts";
import type { Row, Target } from "../connector.ts";
import { repairData } from "../verify/repair.ts";
import { type Verification, verifyData } from "../verify/verify.ts";
import { type BackupReader, openBackup } from "./backup-reader.ts";
import { bytesOf, checkLeaves } from "./check-backup.ts";
import { requireFit } from "./fit.ts";

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
  /**
   * The backup was found whole a moment ago, by `checkBackup` or `previewRestore`: it is not read once more for that. So it can be checked
   * before a store is opened that would be made by it. Each leaf is held against its digests again as it is written. Default false.
   */
  readonly checked?: boolean;
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
  checked: true,
  fence: true,
  clock: true,
  random: true,
  signal: true,
  onRead: true,
};

/**
 * Brings a backup back, and proves it: the whole backup is checked before anything is written, and the target compared
 * with it afterwards. Interrupted, the same call goes on after the last leaf that was written. The backup is read three times for that; to
 * check it takes about a tenth of what the rest takes.
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
  const { target, replace = false, checked = false, signal, onRead } = options;
  const mayHoldRows = replace || before !== undefined;
  await requireFit(backup, names, { name: target.name, store: target, makes: false, mayHoldRows });
  const onLeaf = (_: string, rows: readonly Row[]): void => onRead?.(rows.length, bytesOf(rows), "check");
  if (!checked) await checkLeaves(backup, names, { signal, onLeaf });
  const { rows, resumedLeaves } = await write(backup, options, names, job, readPlace(before));
  const outcome = await prove(backup, options, names, job);
  await options.target.forget(job);
  return { rows, resumedLeaves, ...outcome };
}

/** Under which name the target keeps how far a restore of this backup is. */
export const restoreJob = (checksum: string): string => `restore:${checksum.slice(0, 16)}`;

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
