import type { Reader } from "../connector.ts";
import type { DataMap, Place } from "../map.ts";
import { type Difference, differenceAt } from "./difference.ts";
import { type Expected, expectedAt, sameExpected, valuesAt } from "./expected.ts";
import type { PlaceOwners } from "./place-owners.ts";
import type { TouchedPlaces } from "./touched.ts";

/** Two sides to be held against each other. */
export interface Sides {
  readonly source: Reader;
  readonly target: Reader;
  /** Collections the source is read from, and those of the target that are looked at. */
  readonly collections: readonly string[];
  readonly targets: ReadonlySet<string>;
  readonly map?: DataMap;
  /**
   * Resolves when the target has everything that the source had when this was called: the mover's log position has passed.
   * Absent: nobody moves, and nobody writes to the source meanwhile.
   */
  readonly caughtUp?: (signal?: AbortSignal) => Promise<void>;
  /** With a map: what the move has touched since before the verification; these places are left out. */
  readonly touched?: TouchedPlaces;
  /** With a map: is told which images there are. */
  readonly owners?: PlaceOwners;
  readonly signal?: AbortSignal;
}

export interface Confirmed {
  readonly differences: readonly Difference[];
  /** Places that were equal when they were looked at again: the target had been behind. */
  readonly arrived: number;
  /** Places that the source changed again and again while they were looked at. */
  readonly unsettled: readonly Place[];
}

/** How often places are looked at before they are called unsettled. */
const rounds = 6;
/**
 * A difference is told when so many looks in a row have seen it: a row that came and went again looks, before and after,
 * as if it had never been there, and one that stays wrong is seen each time.
 */
const looks = 3;

/**
 * Looks at places again before they count. A difference is seen when the source said the same before the target had
 * caught up and after it was read: what stood there then was wrong, not late.
 */
export async function confirm(sides: Sides, places: readonly Place[]): Promise<Confirmed> {
  const live = sides.caughtUp !== undefined;
  const differences: Difference[] = [];
  let arrived = 0;
  let open: readonly Looked[] = places.map((place) => ({ place, seen: 0 }));
  for (let round = 0; round < rounds && open.length > 0; round++) {
    const at = open.map(({ place }) => place);
    const reading = (): ReturnType<typeof valuesAt> => valuesAt(sides.target, at, sides.targets);
    let [before, found]: [readonly Expected[], Awaited<ReturnType<typeof reading>>] = [[], []];
    if (live) {
      before = await expected(sides, at);
      await sides.caughtUp?.(sides.signal);
      found = await reading();
    } else [before, found] = await Promise.all([expected(sides, at), reading()]);
    const after = live ? await expected(sides, at) : before;
    const moving: Looked[] = [];
    for (const [index, { place, seen }] of open.entries()) {
      const want = after[index] as Expected;
      if (!sameExpected(before[index] as Expected, want)) {
        moving.push({ place, seen: 0 });
        continue;
      }
      const difference = want.clash
        ? { collection: place.collection, key: place.key, kind: "clash" as const, rows: want.clash }
        : differenceAt(place, want.value, found[index]);
      if (difference === undefined) arrived++;
      else if (live && seen + 1 < looks) moving.push({ place, seen: seen + 1 });
      else differences.push(difference);
    }
    open = moving;
  }
  return { differences, arrived, unsettled: open.map(({ place }) => place) };
}

/** A place, and how many looks in a row have seen a difference there. */
interface Looked {
  readonly place: Place;
  readonly seen: number;
}

const expected = (
  { source, collections, map, signal }: Sides,
  places: readonly Place[],
): Promise<readonly Expected[]> => expectedAt(source, collections, map, places, signal);
