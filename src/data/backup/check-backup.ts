import { onlyKnown } from "../known-options.ts";
import type { Row } from "../connector.ts";
import { type BackupReader, openBackup } from "./backup-reader.ts";

export interface CheckBackupOptions {
  /** Folder of the backup. */
  readonly dir: string;
  /** Default: all of the backup. */
  readonly collections?: readonly string[];
  readonly signal?: AbortSignal;
  /** Rows and bytes read since the last call. */
  readonly onRead?: (rows: number, bytes: number) => void;
}

const known: Readonly<Record<keyof CheckBackupOptions, true>> = {
  dir: true,
  collections: true,
  signal: true,
  onRead: true,
};

/**
 * Reads a whole backup and holds every leaf against its digests; no store is opened for it. Gives how many rows there are.
 * @throws CUTOVER_DATA_BACKUP naming the damaged leaf, CUTOVER_DATA_MISSING, CUTOVER_DATA_FORMAT, CUTOVER_DATA_DENIED, CUTOVER_DATA_COLLECTION
 */
export async function checkBackup(options: CheckBackupOptions): Promise<{ readonly rows: number }> {
  onlyKnown("checkBackup", options, known);
  await using backup = await openBackup(options.dir);
  const names = options.collections ?? backup.manifest.collections.map(({ name }) => name);
  let rows = 0;
  await checkLeaves(backup, names, {
    signal: options.signal,
    onLeaf: (_, leaf) => {
      rows += leaf.length;
      options.onRead?.(leaf.length, bytesOf(leaf));
    },
  });
  return { rows };
}

/** Reads every leaf: what is damaged is found before a row is written. */
export async function checkLeaves(
  backup: BackupReader,
  names: readonly string[],
  options: {
    readonly signal: AbortSignal | undefined;
    readonly onLeaf: (collection: string, rows: readonly Row[]) => void;
  },
): Promise<void> {
  for (const name of names) {
    for await (const rows of backup.leaves(name)) {
      options.signal?.throwIfAborted();
      options.onLeaf(name, rows);
    }
  }
}

export const bytesOf = (rows: readonly Row[]): number =>
  rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
