import type { Reader } from "../connector.ts";
import type { DataMap, Place } from "../map.ts";
import { type Difference, differenceAt } from "./difference.ts";
import { type Expected, expectedAt, sameExpected, valuesAt } from "./expected.ts";
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
  readonly signal?: AbortSignal;
}

export interface Confirmed {
  readonly differences: readonly Difference[];
  /** Places that were equal when they were looked at again: the target had been behind. */
  readonly arrived: number;
  /** Places that the source changed again and again while they were looked at. */
  readonly unsettled: readonly Place[];
}

/** How often a place that changes meanwhile is looked at again. */
const rounds = 4;

/**
 * Looks at places again before they count. A difference is one when the source said the same before the target had
 * caught up and after it was read: what stood there then was wrong, not late.
 */
export async function confirm(sides: Sides, places: readonly Place[]): Promise<Confirmed> {
  const differences: Difference[] = [];
  let arrived = 0;
  let open = places;
  for (let round = 0; round < rounds && open.length > 0; round++) {
    const before = await expected(sides, open);
    await sides.caughtUp?.(sides.signal);
    const found = await valuesAt(sides.target, open, sides.targets);
    const after = sides.caughtUp === undefined ? before : await expected(sides, open);
    const moving: Place[] = [];
    for (const [index, place] of open.entries()) {
      const want = after[index] as Expected;
      if (!sameExpected(before[index] as Expected, want)) {
        moving.push(place);
        continue;
      }
      const difference = want.clash
        ? { collection: place.collection, key: place.key, kind: "clash" as const }
        : differenceAt(place, want.value, found[index]);
      if (difference === undefined) arrived++;
      else differences.push(difference);
    }
    open = moving;
  }
  return { differences, arrived, unsettled: open };
}

const expected = (
  { source, collections, map, signal }: Sides,
  places: readonly Place[],
): Promise<readonly Expected[]> => expectedAt(source, collections, map, places, signal);
