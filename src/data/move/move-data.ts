import { asError } from "../../core/index.ts";
import type { Position } from "../connector.ts";
import { beginMove } from "./begin.ts";
import { type MoveOptions, type MoveSettings, readMoveOptions } from "./move-options.ts";
import type { MoveState } from "./move-state.ts";
import { type Forms, Mover, type Stop } from "./mover.ts";
import type { MoveProgress } from "./progress.ts";

export interface MoveResult {
  /** The move came to where it was to stop; false: it was paused, and can go on from here. */
  readonly finished: boolean;
  readonly progress: MoveProgress;
}

/** A move that runs. */
export interface Move {
  /** Resolves at its end or pause, rejects when it failed. What the target has is whole then, and the move can go on later. */
  readonly done: Promise<MoveResult>;
  /** Resolves with true when everything is copied and only the log is followed; with false when the move ended before. */
  readonly copied: Promise<boolean>;
  /** Undefined until the job was taken over. */
  progress(): MoveProgress | undefined;
  /**
   * Ends the move when everything is copied and the log is applied to `position`, not further. For a cutover it is what
   * `Source.fence` gave.
   */
  stopAt(position: Position): void;
  /** Ends the move when everything is copied. The source goes on to keep the log. */
  stopWhenCopied(): void;
  /** Ends the move after what is being written. */
  pause(): void;
}

/**
 * Copies rows while the source is written to, then follows its log until it is told to stop. Started again under the same job, it
 * goes on where it stood. The rules are those of docs/spec/data.md.
 *
 * @throws CUTOVER_DATA_OPTIONS; all else rejects `done`: CUTOVER_LEASE_LOST when another owner has the job,
 * CUTOVER_DATA_NOT_EMPTY, CUTOVER_DATA_SLOT_LOST, CUTOVER_DATA_UNMAPPED, and what the two stores throw
 */
export function startMove(options: MoveOptions): Move {
  const settings = readMoveOptions(options);
  let mover: Mover | undefined;
  let stop: Stop | undefined;
  let paused = settings.signal?.aborted === true;
  const copied = Promise.withResolvers<boolean>();
  const pause = (): void => {
    paused = true;
    mover?.pause();
  };
  const stopAt = (at: Stop): void => {
    stop = at;
    mover?.stopAt(at);
  };

  const run = async (): Promise<MoveResult> => {
    settings.signal?.addEventListener("abort", pause, { once: true });
    try {
      const state = await beginMove(settings);
      const collections = await settings.source.collections();
      mover = new Mover(settings, state, collections, await formsOf(settings, state));
      if (stop !== undefined) mover.stopAt(stop);
      if (paused) mover.pause();
      const finished = await mover.run(() => copied.resolve(true));
      return { finished, progress: mover.progress() };
    } catch (error) {
      throw asError(error);
    } finally {
      settings.signal?.removeEventListener("abort", pause);
      copied.resolve(false);
    }
  };
  const done = run();
  // Whoever asks hears of a failure; one that comes before anybody asked is not the process's end.
  done.catch(() => {});
  return {
    done,
    copied: copied.promise,
    progress: () => mover?.progress(),
    stopAt: (position) => stopAt({ position }),
    stopWhenCopied: () => stopAt({}),
    pause,
  };
}

/**
 * Copies everything, with the changes that come meanwhile. Resolves when all is copied, or with `finished: false` after
 * `options.signal` aborted. The source goes on to keep its log for the job until `endMove`, so that `startMove` can follow it.
 *
 * @throws as `startMove`
 */
export async function moveData(options: MoveOptions): Promise<MoveResult> {
  const move = startMove(options);
  move.stopWhenCopied();
  return move.done;
}

/** How rows go over in the form in which the source gives them, where both sides name the same one. */
async function formsOf({ source, target, map }: MoveSettings, { ranges }: MoveState): Promise<Forms> {
  const packed = new Set<string>();
  const abreast = new Set<string>();
  if (map !== undefined) return { packed, abreast };
  for (const { collection } of ranges) {
    const form = packed.has(collection) ? undefined : await source.packing?.(collection);
    if (form === undefined || (await target.packing?.(collection)) !== form) continue;
    packed.add(collection);
    if ((await target.abreast?.(collection)) === true) abreast.add(collection);
  }
  return { packed, abreast };
}
