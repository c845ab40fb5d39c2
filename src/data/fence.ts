/**
 * Which transactions a snapshot has seen. A copied row is older than a change that was already applied exactly when the
 * snapshot it was read in has not seen the change's transaction.
 */
export type Fence = SequenceFence | SnapshotFence;

/** Journals number their records in the order of commit: a snapshot has seen all up to one number. */
export interface SequenceFence {
  readonly kind: "sequence";
  readonly upTo: string;
}

/**
 * A PostgreSQL snapshot (`pg_current_snapshot()`): ids below `xmin` have ended, from `xmax` on nothing was seen, and of
 * those between, `running` had not ended. Order of commit and order of ids differ, so no single number would do.
 */
export interface SnapshotFence {
  readonly kind: "snapshot";
  readonly xmin: string;
  readonly xmax: string;
  readonly running: readonly string[];
}

/** Whether the snapshot has seen transaction `tx`, given that it was committed. */
export function covers(fence: Fence, tx: string): boolean {
  const id = BigInt(tx);
  if (fence.kind === "sequence") return id <= BigInt(fence.upTo);
  if (id < BigInt(fence.xmin)) return true;
  return id < BigInt(fence.xmax) && !fence.running.includes(tx);
}
