import { asError, hasCode } from "../../core/index.ts";
import type { DataStore, Position } from "../connector.ts";
import { decodeCheckpoint } from "../move/checkpoint.ts";
import type { CrossingState } from "./arrows.ts";
import { streamNames } from "./stream-names.ts";
import type { Standing, Switch } from "./switch.ts";

/** How far the stream that leads back was applied, as the old side says alone. */
export interface AppliedBack {
  readonly position: Position;
  readonly changes: number;
}

/** Undefined when there is no such stream. */
export async function appliedBack(old: DataStore, job: string): Promise<AppliedBack | undefined> {
  const saved = await old.checkpoint(streamNames(job).old.job);
  if (saved === undefined) return undefined;
  const { position, counts } = decodeCheckpoint(saved);
  return { position, changes: counts.changes };
}

/**
 * Ends what a crossing to the new side has begun while the old side is, or by right still is, in charge: writers are given back, and
 * neither side keeps a log for the way back. The new side is not needed; what stays there then is said.
 *
 * @throws CUTOVER_DATA_EPOCH when the new side is in charge
 */
export async function standDown(given: {
  readonly old: DataStore;
  /** How the new side is reached; what it throws is told as what stays. */
  readonly young: () => Promise<DataStore>;
  readonly switch: Switch;
  readonly job: string;
  readonly state: CrossingState;
}): Promise<{ readonly standing: Standing; readonly stays?: string }> {
  const { old, switch: sw, job, state } = given;
  const names = streamNames(job);
  let standing = await sw.read();
  if (state.epoch !== undefined) {
    // An epoch that was decided already is not decided again, whoever did.
    if (standing.epoch < state.epoch) {
      await sw.turn({ side: "old", epoch: state.epoch });
      standing = await sw.read();
    }
    if (standing.side === "old") await old.lift(standing.epoch);
  }
  if (state.armed !== true) return { standing };
  await old.forget(names.old.job);
  try {
    const young = await given.young();
    await young.release(names.old.slot);
    return { standing };
  } catch (error) {
    if (hasCode(error, "CUTOVER_LEASE_LOST")) throw error;
    return {
      standing,
      stays: `a log for the way back, as the store cannot be reached: ${asError(error).message}`,
    };
  }
}
