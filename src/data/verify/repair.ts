import { onlyKnown } from "../known-options.ts";
import { type Clock, CutoverError, faultPoint } from "../../core/index.ts";
import type { Change, Reader, Target } from "../connector.ts";
import { type DataMap, encodeAside, type Place } from "../map.ts";
import { namesOf } from "./collections.ts";
import { type Difference, differenceAt } from "./difference.ts";
import { type Expected, expectedAt, valuesAt } from "./expected.ts";

export interface RepairOptions {
  readonly source: Reader;
  readonly target: Target;
  /** Places to repair, e.g. the differences of a verification. */
  readonly places: readonly Place[];
  /** A job of its own, never the move's: its checkpoint and fence are not touched. */
  readonly job: string;
  /** As in `TargetWrite.fence`. */
  readonly fence: number;
  /** As in `TargetWrite.origin`. */
  readonly origin: string;
  /** As in the verification that found the places. */
  readonly collections?: readonly string[];
  readonly targets?: readonly string[];
  readonly map?: DataMap;
  /**
   * Runs `body` while the move has applied all that it has read and applies nothing. What the source says then is newer than all
   * that was applied, and whatever changes afterwards is still to come: a row that was deleted cannot come back. Absent: nobody
   * moves.
   */
  readonly hold?: <T>(body: () => Promise<T>) => Promise<T>;
  /** Lists what would be written, writes nothing. Default false. */
  readonly dryRun?: boolean;
  /** More places than this are refused: so much is not damage but a copy gone wrong. Default 100,000. */
  readonly limit?: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

export interface Repaired {
  /** Rows written, and rows removed because the source has none. With `dryRun` what would be. */
  readonly written: number;
  readonly removed: number;
  /** Places that were right when they were looked at again. */
  readonly wellAlready: number;
  /** Places that no write can make right: two rows of the source have their image there. */
  readonly clashes: readonly Place[];
  /** What was wrong, at most 1000. */
  readonly differences: readonly Difference[];
}

/** Places brought in order in one transaction, while a move is held. */
const atOnce = 500;
const listed = 1_000;

const known: Readonly<Record<keyof RepairOptions, true>> = {
  source: true,
  target: true,
  places: true,
  job: true,
  fence: true,
  origin: true,
  collections: true,
  targets: true,
  map: true,
  hold: true,
  dryRun: true,
  limit: true,
  clock: true,
  signal: true,
};

/**
 * Makes the target at these places as the source says now. Only what still differs is written, in bounded transactions,
 * each all or nothing; interrupted, it is begun again. Verify afterwards: that is the proof.
 *
 * @throws CUTOVER_DATA_DIFFERS when more than `limit` places are given; CUTOVER_LEASE_LOST; CUTOVER_DATA_REFUSED
 */
export async function repairData(options: RepairOptions): Promise<Repaired> {
  onlyKnown("repairData", options, known);
  const { places, limit = 100_000, map } = options;
  if (places.length > limit)
    throw new CutoverError("CUTOVER_DATA_DIFFERS", {
      message: `expected at most ${limit} differences to repair, found ${places.length}`,
      remedy: "find out why, and copy anew; raise the limit if it is meant",
      details: { places: places.length, limit },
    });
  const chosen = await namesOf(options);
  const hold = options.hold ?? (<T>(body: () => Promise<T>): Promise<T> => body());
  // With a map every look reads the whole source: then all places are looked at together.
  const size = map === undefined ? atOnce : Math.max(1, places.length);
  const done = new Tally();
  for (let at = 0; at < places.length; at += size) {
    options.signal?.throwIfAborted();
    await hold(() => part(options, chosen, places.slice(at, at + size), done));
  }
  return done.result();
}

async function part(
  options: RepairOptions,
  known: { readonly collections: readonly string[]; readonly targets: readonly string[] },
  places: readonly Place[],
  done: Tally,
): Promise<void> {
  const { source, target, map, signal, job, fence, origin } = options;
  const expected = await expectedAt(source, known.collections, map, places, signal);
  const found = await valuesAt(target, places, new Set(known.targets));
  const changes: Change[] = [];
  for (const [index, place] of places.entries()) {
    const want = expected[index] as Expected;
    const change = done.look(place, want, found[index], options.clock.now());
    if (change !== undefined) changes.push(change);
  }
  if (options.dryRun === true) return;
  for (let at = 0; at < changes.length; at += atOnce) {
    faultPoint("data.repair.before-write");
    await target.applyTxn({ job, fence, origin, changes: changes.slice(at, at + atOnce), rows: [] });
  }
}

class Tally {
  #written = 0;
  #removed = 0;
  #wellAlready = 0;
  readonly #clashes: Place[] = [];
  readonly #differences: Difference[] = [];

  /** The change that makes this place right; undefined when none does or none is needed. */
  look(place: Place, want: Expected, found: Uint8Array | undefined, now: number): Change | undefined {
    const { collection, key } = place;
    if (want.clash) {
      this.#clashes.push({ collection, key });
      return undefined;
    }
    const difference = differenceAt(place, want.value, found);
    if (difference === undefined) {
      this.#wellAlready++;
      return undefined;
    }
    if (this.#differences.length < listed) this.#differences.push(difference);
    if (want.value === undefined) {
      this.#removed++;
      return { collection, key, value: null };
    }
    this.#written++;
    const { aside, value } = want;
    return {
      collection,
      key,
      value: aside === undefined ? value : encodeAside({ reason: aside, at: now, value }),
    };
  }

  result(): Repaired {
    return {
      written: this.#written,
      removed: this.#removed,
      wellAlready: this.#wellAlready,
      clashes: this.#clashes,
      differences: this.#differences,
    };
  }
}
