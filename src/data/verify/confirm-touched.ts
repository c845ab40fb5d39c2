import { placeId } from "./expected.ts";
import type { Touched, TouchedPlaces } from "./touched.ts";
import { placesOf, type TouchedDifference, type TouchedLook } from "./verify-touched.ts";

/** How often places that are written to meanwhile are looked at again. */
const rounds = 8;

/** What a look at all that was touched found, while the move goes on. */
export interface TouchedConfirmed {
  readonly looked: number;
  readonly differences: readonly TouchedDifference[];
  /** Places that changed at every look. */
  readonly unsettled: number;
}

/**
 * Looks at what a move has touched, while applications write. A difference counts when nothing of it was touched again by the time
 * the target had all that the source had at the look. Nobody but `caughtUp` drives the move, and it resolves when the move rests.
 * Undefined when more was touched than is remembered.
 */
export async function confirmTouched(options: {
  readonly touched: Pick<Touched, "take">;
  readonly look: (touched: TouchedPlaces) => Promise<TouchedLook>;
  readonly caughtUp: () => Promise<void>;
}): Promise<TouchedConfirmed | undefined> {
  const { touched, look: lookAt, caughtUp } = options;
  await caughtUp();
  let open: TouchedPlaces = touched.take();
  let looked = 0;
  const counted: TouchedDifference[] = [];
  let before: ReadonlySet<string> | undefined;
  for (let round = 1; ; round++) {
    if (!open.complete) return undefined;
    const look = await lookAt(open);
    looked += look.looked;
    if (look.differences.length === 0) return { looked, differences: counted, unsettled: 0 };
    await caughtUp();
    const since = touched.take();
    if (!since.complete) return undefined;
    const again = new Set([...since.sourceKeys, ...since.targetPlaces].map(placeId));
    const moving: TouchedDifference[] = [];
    for (const difference of look.differences) {
      const late = again.has(placeId(difference)) || (difference.from && again.has(placeId(difference.from)));
      if (late !== true) counted.push(difference);
      // What was right at a look and was written after it is for whoever verifies next.
      else if (before?.has(placeId(difference)) !== false) moving.push(difference);
    }
    if (moving.length === 0) return { looked, differences: counted, unsettled: 0 };
    if (round === rounds) return { looked, differences: counted, unsettled: moving.length };
    before = new Set(moving.map(placeId));
    const { sourceKeys, targetPlaces } = placesOf(moving);
    open = {
      complete: true,
      sourceKeys: [...sourceKeys, ...since.sourceKeys],
      targetPlaces: [...targetPlaces, ...since.targetPlaces],
    };
  }
}
