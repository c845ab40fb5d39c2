import type { Reader } from "../connector.ts";
import { type DataMap, imagesOf, keptIn, keptKey, type Place } from "../map.ts";
import { type Chosen, namesOf } from "./collections.ts";
import { type Difference, differenceAt } from "./difference.ts";
import { placeId, valuesAt } from "./expected.ts";
import type { PlaceOwners } from "./place-owners.ts";
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
  readonly owners?: PlaceOwners;
};

/**
 * Verifies what was touched since `Touched.begin`, and so, together with the verification made after that, everything. Both
 * sides stand still: the source is fenced, the log applied. Costs what was touched, not what there is.
 */
export async function verifyTouched(
  options: TouchedOptions & Pick<VerifyOptions, "random">,
): Promise<TouchedVerification> {
  const { touched, names: _names, owners: _owners, ...rest } = options;
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
  /** Another row's image was there, of which it is not known which row that is (`clashesAt`). */
  readonly taken?: true;
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
  readonly clash?: readonly Place[];
  /** A row that is not looked at had its image here when it was seen last. */
  readonly taken?: true;
}

/**
 * Reads these places on both sides, once. While the move goes on, a difference may be one that is still to be applied. With a map,
 * `owners` of the verification before tell that a row has its image where one has it that was not touched, or had it there for a
 * while; without them that is not seen here: `clashesAt`.
 * `names`: what `namesOf` gave before, for a look that has to be short.
 */
export async function lookAtTouched(options: TouchedOptions): Promise<TouchedLook> {
  const { touched, names, owners, ...rest } = options;
  const { source, target, map, signal } = rest;
  const { collections, targets } = names ?? (await namesOf(rest));
  const chosen = new Set(collections);
  const places = touched.targetPlaces.filter(({ collection }) => map !== undefined || chosen.has(collection));
  const keys = touched.sourceKeys.filter(({ collection }) => chosen.has(collection));
  const expected =
    map === undefined
      ? await expectedSame(source, chosen, [...keys, ...places], signal)
      : await expectedImages({ source, chosen, map, owners, signal }, keys, places);
  const known = new Set(targets);
  const differences: TouchedDifference[] = [];
  for (const batch of parts([...expected.values()])) {
    signal?.throwIfAborted();
    const found = await valuesAt(
      target,
      batch.map(({ place }) => place),
      known,
    );
    for (const [index, wanted] of batch.entries()) {
      const difference = differenceOf(wanted, found[index]);
      if (difference !== undefined) differences.push(difference);
    }
  }
  return { looked: expected.size, differences };
}

function differenceOf(
  { place, value, from, clash, taken }: ExpectedPlace,
  found: Uint8Array | undefined,
): TouchedDifference | undefined {
  const row = from === undefined ? {} : { from };
  const at = { collection: place.collection, key: place.key };
  if (clash !== undefined) return { ...at, kind: "clash", rows: clash, ...row };
  if (taken !== undefined && from !== undefined) return { ...at, kind: "clash", taken, ...row };
  // What is there is nobody's but the other row's, which the target had from before.
  if (taken !== undefined && found === undefined) return { ...at, kind: "missing", taken };
  const difference = differenceAt(place, value, found);
  return difference === undefined ? undefined : { ...difference, ...row };
}

/** Without a map a place that was written for no change in the log is a key of the source too. */
async function expectedSame(
  source: Reader,
  chosen: ReadonlySet<string>,
  places: readonly Place[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, ExpectedPlace>> {
  const expected = new Map<string, ExpectedPlace>();
  for (const part of parts([...new Map(places.map((at) => [placeId(at), at])).values()])) {
    signal?.throwIfAborted();
    const values = await valuesAt(source, part, chosen);
    for (const [index, place] of part.entries())
      expected.set(placeId(place), { place, value: values[index] });
  }
  return expected;
}

/** Images of these rows, and what is to stand at these places. */
async function expectedImages(
  sides: {
    readonly source: Reader;
    readonly chosen: ReadonlySet<string>;
    readonly map: DataMap;
    readonly owners: PlaceOwners | undefined;
    readonly signal: AbortSignal | undefined;
  },
  keys: readonly Place[],
  places: readonly Place[],
): Promise<ReadonlyMap<string, ExpectedPlace>> {
  const { source, chosen, map, signal } = sides;
  const owners = sides.owners?.complete === true ? sides.owners : undefined;
  const expected = new Map<string, ExpectedPlace>(
    places.map((place) => [placeId(place), { place, value: undefined }]),
  );
  const rows = new Map(keys.map((row) => [placeId(row), row]));
  for (const place of places)
    for (const row of owners?.namesakes(place) ?? [])
      if (chosen.has(row.collection)) rows.set(placeId(row), row);
  const asked = new Set<bigint>();
  for (const part of parts([...rows.values()])) {
    signal?.throwIfAborted();
    const values = await valuesAt(source, part, chosen);
    for (const [index, place] of part.entries()) {
      const value = values[index];
      const { images, aside } = value === undefined ? { images: [] } : imagesOf(map, { ...place, value });
      owners?.look(place, images);
      if (owners !== undefined) asked.add(owners.hash(place));
      const wanted =
        aside === undefined || value === undefined
          ? images
          : [{ collection: keptIn.aside, key: keptKey(map.name ?? "", place), value }];
      for (const { value: image, ...at } of wanted) {
        const id = placeId(at);
        const other = expected.get(id)?.from;
        const clash = other !== undefined && placeId(other) !== placeId(place);
        expected.set(id, {
          place: { collection: at.collection, key: at.key },
          value: image,
          from: place,
          ...(clash ? { clash: [other, place] } : {}),
        });
      }
    }
  }
  if (owners?.complete === true)
    for (const [id, wanted] of expected)
      if (wanted.place.collection !== keptIn.aside && owners.isOthers(wanted.place, asked))
        expected.set(id, { ...wanted, taken: true });
  return expected;
}

async function everything(options: VerifyOptions): Promise<TouchedVerification> {
  const full = await verifyData(options);
  return { equal: full.equal, looked: 0, differences: full.differences, full };
}

function* parts<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += atOnce) yield list.slice(at, at + atOnce);
}
