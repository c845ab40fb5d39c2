import { CutoverError, faultPoint } from "../../core/index.ts";
import { equalBytes } from "../bytes.ts";
import type { Range, Source, Target } from "../connector.ts";
import { requireColumnOrder } from "./column-order.ts";
import { requireFree } from "./enforced.ts";
import { MoveState } from "./move-state.ts";
import type { MoveSettings } from "./move-options.ts";

/**
 * Takes the job over and gives where it stands; a new one is captured before anything is read. Until all that can be checked by
 * reading alone is in order, nothing is written on either side.
 *
 * @throws CUTOVER_LEASE_LOST, CUTOVER_DATA_DENIED, CUTOVER_DATA_NOT_EMPTY, CUTOVER_DATA_COLLECTION, CUTOVER_DATA_JOB_CHANGED, CUTOVER_DATA_SLOT_LOST,
 * CUTOVER_DATA_FORMAT
 */
export async function beginMove(settings: MoveSettings): Promise<MoveState> {
  const { source, target, job, fence, origin, slot } = settings;
  const found = await target.checkpoint(job);
  let wanted: readonly Range[] | undefined;
  if (found === undefined) {
    wanted = await rangesOf(settings);
    const names = settings.into ?? wanted.map(({ collection }) => collection);
    // Rows are copied table by table while changes of others come in between: one may come before the row it refers to.
    await requireFree(target, names, ({ foreignKeys, triggers }) => [...foreignKeys, ...triggers]);
    if (settings.map === undefined)
      await requireColumnOrder(
        source,
        target,
        wanted.map(({ collection }) => [collection, collection]),
      );
    await checkEmpty(settings, wanted);
  } else checkSame(settings, MoveState.restored(found));

  // The claim comes before the checkpoint is read for good: whoever had the job may still be writing until then.
  await target.applyTxn({ job, fence, origin, changes: [], rows: [] });
  faultPoint("data.move.claimed");
  const start = await source.capture(slot);
  faultPoint("data.move.captured");
  const saved = await target.checkpoint(job);
  if (saved === undefined) {
    const state = MoveState.begun(wanted ?? (await rangesOf(settings)), start);
    await target.applyTxn({ job, fence, origin, changes: [], rows: [], checkpoint: state.encode() });
    return state;
  }
  const state = MoveState.restored(saved);
  // What was acknowledged was written before: a slot that begins later was lost and made anew.
  if (start > state.position) {
    throw new CutoverError("CUTOVER_DATA_SLOT_LOST", {
      message: `expected the log of slot "${slot}" from ${state.position} on, found it from ${start} on: changes between are gone`,
      place: source.name,
      details: { slot, needed: state.position, kept: start },
    });
  }
  return state;
}

/** What a move leaves behind when it is over: the log that is kept for it, and its checkpoint. */
export async function endMove(move: {
  readonly source: Pick<Source, "release">;
  readonly target: Pick<Target, "forget">;
  readonly job: string;
  /** Default: the job's name. */
  readonly slot?: string;
}): Promise<void> {
  await move.source.release(move.slot ?? move.job);
  await move.target.forget(move.job);
}

async function rangesOf({ source, ranges }: MoveSettings): Promise<readonly Range[]> {
  const collections = await source.collections();
  const wanted = ranges ?? collections.map(({ name: collection }): Range => ({ collection }));
  for (const { collection } of wanted) {
    const found = collections.find(({ name }) => name === collection);
    const why = found === undefined ? "it does not have it" : found.problem;
    if (why === undefined) continue;
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `expected a collection of ${source.name} that can be moved, found "${collection}": ${why}`,
      place: source.name,
      details: { collection },
    });
  }
  return wanted;
}

async function checkEmpty({ target, into, mix }: MoveSettings, ranges: readonly Range[]): Promise<void> {
  if (mix) return;
  const there = new Set((await target.collections()).map(({ name }) => name));
  // By ranges, as the other worker of a shared move may have begun.
  for (const part of into?.map((collection): Range => ({ collection })) ?? ranges) {
    if (!there.has(part.collection)) continue;
    for await (const rows of target.scan(part)) {
      if (rows.length === 0) continue;
      throw new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
        message: `expected no rows in "${part.collection}" of ${target.name}, found some: after the move nobody could tell which are whose`,
        place: target.name,
        details: { collection: part.collection },
      });
    }
  }
}

function checkSame({ job, ranges, target }: MoveSettings, state: MoveState): void {
  if (ranges === undefined) return;
  const same =
    ranges.length === state.ranges.length &&
    ranges.every((range, at) => sameRange(range, state.ranges[at] as Range));
  if (same) return;
  throw new CutoverError("CUTOVER_DATA_JOB_CHANGED", {
    message: `expected the ${state.ranges.length} ranges that job "${job}" began with, found others`,
    place: target.name,
    details: { job, collections: state.ranges.map(({ collection }) => collection).slice(0, 20) },
  });
}

function sameRange(a: Range, b: Range): boolean {
  const same = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
    one === undefined || other === undefined ? one === other : equalBytes(one, other);
  return a.collection === b.collection && same(a.after, b.after) && same(a.upTo, b.upTo);
}
