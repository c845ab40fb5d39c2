import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rowRefused } from "../capture-refusals.ts";
import type { Target } from "../connector.ts";
import { requireFree } from "../disk.ts";
import { onlyKnown } from "../known-options.ts";
import { openDataStore } from "../open-data-store.ts";
import { type BackupReader, openBackup } from "./backup-reader.ts";
import { bytesOf, type CheckBackupOptions, checkLeaves } from "./check-backup.ts";
import { anyRow, requireFit } from "./fit.ts";
import { lookAtTarget, type TargetLook } from "./look-at-target.ts";
import { restoreJob } from "./restore.ts";

export interface RestorePreviewOptions extends CheckBackupOptions {
  /** Address of the store it is to go to, as `openDataStore` takes it. */
  readonly to: string;
  /** As in `RestoreOptions`. */
  readonly replace?: boolean;
}

export interface RestorePreview {
  /** What is at the target now. */
  readonly target: "will be made" | "empty" | "holds rows" | "goes on with an earlier restore";
  readonly rows: number;
}

const known: Readonly<Record<keyof RestorePreviewOptions, true>> = {
  dir: true,
  to: true,
  collections: true,
  replace: true,
  signal: true,
  onRead: true,
};

/** LevelDB packs rows by Snappy, which rarely makes them smaller than this part. */
const packedTo = 1 / 3;

/**
 * Whether a restore could be carried out: looks at the target, then reads the whole backup and holds it against its digests. Makes and
 * changes nothing; what it refuses `restoreData` would refuse, or fail at.
 *
 * @throws CUTOVER_DATA_NOT_EMPTY, CUTOVER_DATA_COLLECTION, CUTOVER_DATA_FULL, CUTOVER_DATA_DENIED, and what opening the target throws;
 *   CUTOVER_DATA_REFUSED for a row that the target could not hold (tables say so only when it is written); what `checkBackup` throws
 *
 * @example
 * const { target, rows } = await previewRestore({ dir: "backups/monday", to: "lmdb:new" });
 */
export async function previewRestore(options: RestorePreviewOptions): Promise<RestorePreview> {
  onlyKnown("previewRestore", options, known);
  const { to, replace = false, signal, onRead } = options;
  await using backup = await openBackup(options.dir);
  const names = options.collections ?? backup.manifest.collections.map(({ name }) => name);
  await using look = await lookAtTarget(to, names);
  const { store } = look;
  const resumed = (await store?.checkpoint?.(restoreJob(backup.manifest.checksum))) !== undefined;
  const at = { name: look.name, store, makes: look.made !== undefined };
  await requireFit(backup, names, { ...at, mayHoldRows: replace || resumed });
  const held = replace && (await holdsAny(look, names));
  if (!resumed && !held) await requireRoomFor(backup, names, look);
  await using scratch = store?.refusal === undefined ? await scratchOf(look, names) : undefined;
  const asked = store?.refusal === undefined ? scratch?.store : store;
  let rows = 0;
  await checkLeaves(backup, names, {
    signal,
    onLeaf: (collection, leaf) => {
      for (const { key, value } of leaf) {
        const reason = asked?.refusal?.({ collection, key, value });
        if (reason !== undefined) throw rowRefused(look.name, { collection, key }, reason);
      }
      rows += leaf.length;
      onRead?.(leaf.length, bytesOf(leaf));
    },
  });
  const empty = store === undefined ? "will be made" : held ? "holds rows" : "empty";
  return { target: resumed ? "goes on with an earlier restore" : empty, rows };
}

async function holdsAny({ store }: TargetLook, names: readonly string[]): Promise<boolean> {
  const there = new Set((await store?.collections())?.map(({ name }) => name));
  for (const name of names) if (there.has(name) && (await anyRow(store, name))) return true;
  return false;
}

async function requireRoomFor(
  backup: BackupReader,
  names: readonly string[],
  { name, made, path }: TargetLook,
): Promise<void> {
  if (path === undefined) return;
  const bytes = backup.manifest.collections
    .filter((each) => names.includes(each.name))
    .reduce((sum, each) => sum + each.bytes, 0);
  await requireFree(path, Math.ceil(bytes * (made === "leveldb" ? packedTo : 1)), name);
}

/** A store of the same kind to ask which rows it could not hold, where there is none yet. */
async function scratchOf(
  { made }: TargetLook,
  collections: readonly string[],
): Promise<(AsyncDisposable & { readonly store: Target }) | undefined> {
  if (made === undefined) return undefined;
  const dir = await mkdtemp(join(tmpdir(), "cutover-preview-"));
  try {
    const store = await openDataStore(`${made}:${join(dir, "store")}`, { create: true, collections });
    return {
      store,
      [Symbol.asyncDispose]: async () => {
        await store[Symbol.asyncDispose]();
        await rm(dir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}
