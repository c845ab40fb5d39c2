import { imagesOf, keptIn, keptKey, type Place } from "../map.ts";
import { type Chosen, namesOf } from "./collections.ts";
import { type Difference, differenceAt } from "./difference.ts";
import { placeId, valuesAt } from "./expected.ts";
import type { TouchedPlaces } from "./touched.ts";
import { type Verification, verifyData, type VerifyOptions } from "./verify.ts";

/** What was found, and by how much reading. */
export interface TouchedVerification {
  readonly equal: boolean;
  /** Places that were looked at; with `full` none: everything was. */
  readonly looked: number;
  readonly differences: readonly Difference[];
  /** The verification of everything that was made instead: too much was touched, or images did not tell enough. */
  readonly full?: Verification;
}

/** Keys read at once. */
const atOnce = 1_000;

type TouchedOptions = Omit<VerifyOptions, "caughtUp" | "touched" | "random"> & {
  readonly touched: TouchedPlaces;
  readonly names?: Chosen;
};

/**
 * Verifies what was touched since `Touched.begin`, and so, together with the verification made after that, everything. Both
 * sides stand still: the source is fenced, the log applied. Costs what was touched, not what there is.
 */
export async function verifyTouched(
  options: TouchedOptions & Pick<VerifyOptions, "random">,
): Promise<TouchedVerification> {
  const { touched, names: _names, ...rest } = options;
  if (!touched.complete) return everything(rest);
  const { looked, differences } = await lookAtTouched(options);
  // Which row an image came from is not known from its place: what looks wrong here is decided by reading everything.
  if (rest.map !== undefined && differences.length > 0) return everything(rest);
  return { equal: differences.length === 0, looked, differences };
}

/** What a look at places found. */
export interface TouchedLook {
  readonly looked: number;
  readonly differences: readonly TouchedDifference[];
}

export interface TouchedDifference extends Difference {
  /** With a map: the row of the source whose image should be there. */
  readonly from?: Place;
}

/** The places again that have to do with these differences. */
export function placesOf(differences: readonly TouchedDifference[]): Omit<TouchedPlaces, "complete"> {
  return {
    sourceKeys: differences.flatMap(({ from }) => (from === undefined ? [] : [from])),
    targetPlaces: differences
      .map(({ collection, key }) => ({ collection, key }))
      .filter(({ collection }) => collection !== keptIn.aside),
  };
}

interface ExpectedPlace {
  readonly place: Place;
  readonly value: Uint8Array | undefined;
  /** The row of the source whose image it is. */
  readonly from?: Place;
  /** Two of the rows that are looked at have their image here. */
  readonly clash?: true;
}

/**
 * Reads these places on both sides, once. While the move goes on, a difference may be one that is still to be applied. That a row has
 * its image where one has it that was not touched is not seen here: `clashesAt`.
 * `names`: what `namesOf` gave before, for a look that has to be short.
 */
export async function lookAtTouched(options: TouchedOptions): Promise<TouchedLook> {
  const { touched, names, ...rest } = options;
  const { source, target, map } = rest;
  const { collections, targets } = names ?? (await namesOf(rest));
  const chosen = new Set(collections);
  const expected = new Map<string, ExpectedPlace>();
  for (const place of touched.targetPlaces) {
    if (map !== undefined || chosen.has(place.collection))
      expected.set(placeId(place), { place, value: undefined });
  }
  const keys = touched.sourceKeys.filter(({ collection }) => chosen.has(collection));
  // Without a map a place that was written for no change in the log is a key of the source too.
  const asked =
    map === undefined
      ? [...new Map([...keys, ...touched.targetPlaces].map((at) => [placeId(at), at])).values()]
      : keys;
  for (const places of parts(asked)) {
    rest.signal?.throwIfAborted();
    const values = await valuesAt(source, places, chosen);
    for (const [index, place] of places.entries()) {
      const value = values[index];
      if (map === undefined) {
        expected.set(placeId(place), { place, value });
        continue;
      }
      if (value === undefined) continue;
      const row = { ...place, value };
      const { images, aside } = imagesOf(map, row);
      const wanted =
        aside === undefined
          ? images
          : [{ collection: keptIn.aside, key: keptKey(map.name ?? "", row), value }];
      for (const { value: image, ...at } of wanted) {
        const id = placeId(at);
        const other = expected.get(id)?.from;
        const clash = other !== undefined && placeId(other) !== placeId(place);
        expected.set(id, { place: at, value: image, from: place, ...(clash ? { clash } : {}) });
      }
    }
  }
  const known = new Set(targets);
  const differences: TouchedDifference[] = [];
  for (const batch of parts([...expected.values()])) {
    rest.signal?.throwIfAborted();
    const found = await valuesAt(
      target,
      batch.map(({ place }) => place),
      known,
    );
    for (const [index, { place, value, from, clash }] of batch.entries()) {
      const difference =
        clash === true ? { ...place, kind: "clash" as const } : differenceAt(place, value, found[index]);
      if (difference !== undefined)
        differences.push({ ...difference, ...(from === undefined ? {} : { from }) });
    }
  }
  return { looked: expected.size, differences };
}

async function everything(options: VerifyOptions): Promise<TouchedVerification> {
  const full = await verifyData(options);
  return { equal: full.equal, looked: 0, differences: full.differences, full };
}

function* parts<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += atOnce) yield list.slice(at, at + atOnce);
}
