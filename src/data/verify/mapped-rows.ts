import { hasCode } from "../../core/index.ts";
import type { Reader } from "../connector.ts";
import { decodeAside, keptIn } from "../map.ts";
import type { Sides } from "./confirm.ts";
import { type Wanted, wantedBy } from "./expected.ts";

export type MappedSides = Sides & { readonly map: Exclude<Sides["map"], undefined> };

/** Images of all rows of the source. */
export const ourRows = ({
  source,
  collections,
  map,
  signal,
}: MappedSides): AsyncGenerator<readonly Wanted[]> => wantedBy(source, collections, map, signal);

/** Rows of the target and, with the values they had, those in this map's quarantine. */
export async function* theirRows({
  target,
  targets,
  map,
  signal,
}: MappedSides): AsyncGenerator<readonly Wanted[]> {
  const options = signal === undefined ? {} : { signal };
  for (const collection of targets)
    for await (const rows of target.scan({ collection }, options))
      yield rows.map(({ key, value }) => ({ collection, key, value }));
  for await (const rows of quarantine(target, map.name ?? "", signal))
    yield rows.map(({ key, value }) => ({ collection: keptIn.aside, key, value: decodeAside(value).value }));
}

/** Rows of `cutover_aside` that belong to one map; none where the store never had such a collection. */
async function* quarantine(
  target: Reader,
  name: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]> {
  const range = {
    collection: keptIn.aside,
    after: Buffer.from(`${name}\0`),
    upTo: Buffer.from(`${name}\u0001`),
  };
  try {
    yield* target.scan(range, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!hasCode(error, "CUTOVER_DATA_COLLECTION")) throw error;
  }
}
