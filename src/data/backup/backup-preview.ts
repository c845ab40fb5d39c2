import type { Reader } from "../connector.ts";
import { onlyKnown } from "../known-options.ts";
import { chooseCollections } from "../verify/collections.ts";
import { bytesNeeded } from "./backup.ts";
import { requireFit } from "./fit.ts";
import { requirePlace } from "./folder.ts";
import { lookAtTarget } from "./look-at-target.ts";

export interface BackupPreviewOptions {
  readonly source: Reader;
  /** As in `BackupOptions`. */
  readonly dir: string;
  /** Default: all. */
  readonly collections?: readonly string[];
  /** Address of the store that it is to be restored to for proof: it has to be empty, and has to take what the source has. */
  readonly scratch?: string;
}

export interface BackupPreview {
  readonly collections: readonly string[];
  /** About; absent when the store cannot say cheaply. */
  readonly rows?: number;
  /** About how much room it takes; absent when the store cannot say cheaply. */
  readonly bytes?: number;
}

const known: Readonly<Record<keyof BackupPreviewOptions, true>> = {
  source: true,
  dir: true,
  collections: true,
  scratch: true,
};

/**
 * Whether a backup could be written: what of, whether the folder can be made, and whether there is room for it. Makes and changes nothing.
 * @throws as `backupData` before it writes: CUTOVER_DATA_NOT_EMPTY, CUTOVER_DATA_FULL, CUTOVER_DATA_DENIED, CUTOVER_DATA_COLLECTION; what opening
 *   `scratch` throws
 */
export async function previewBackup(options: BackupPreviewOptions): Promise<BackupPreview> {
  onlyKnown("previewBackup", options, known);
  const chosen = await chooseCollections(options.source, options.collections);
  const bytes = bytesNeeded(chosen);
  await requirePlace(options.dir, bytes);
  const names = chosen.map(({ name }) => name);
  if (options.scratch !== undefined) {
    await using look = await lookAtTarget(options.scratch, names);
    const { name, store, made } = look;
    await requireFit(options.source, names, { name, store, makes: made !== undefined, mayHoldRows: false });
  }
  const counted = chosen.every(({ rows }) => rows !== undefined);
  return {
    collections: names,
    ...(counted ? { rows: chosen.reduce((sum, { rows = 0 }) => sum + rows, 0) } : {}),
    ...(bytes === undefined ? {} : { bytes }),
  };
}
