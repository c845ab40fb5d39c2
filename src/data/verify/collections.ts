import { CutoverError, nameOneOf } from "../../core/index.ts";
import type { Collection, Reader } from "../connector.ts";
import type { DataMap } from "../map.ts";

export interface Chosen {
  readonly collections: readonly string[];
  readonly targets: readonly string[];
  /** About how many rows the larger side has. */
  readonly about: number;
}

/** The collections of a store that are meant, or all of them; each can be read. @throws CUTOVER_DATA_COLLECTION */
export async function chooseCollections(
  reader: Reader,
  wanted: readonly string[] | undefined,
): Promise<readonly Collection[]> {
  const all = await reader.collections();
  const chosen =
    wanted === undefined
      ? all
      : wanted.map((name) => {
          const found = all.find((each) => each.name === name);
          if (found !== undefined) return found;
          const names = all.map((each) => each.name);
          throw new CutoverError("CUTOVER_DATA_COLLECTION", {
            message: `expected a collection of ${reader.name}, found "${name}", which it does not have`,
            place: reader.name,
            details: { collection: name },
            remedy: nameOneOf(name, names, "name a collection that the store has"),
          });
        });
  for (const { name, problem } of chosen) {
    if (problem !== undefined)
      throw new CutoverError("CUTOVER_DATA_COLLECTION", {
        message: `collection "${name}" cannot be read row by row: ${problem}`,
        place: reader.name,
        details: { collection: name },
        remedy: "give it a primary key, or name only the other collections",
      });
  }
  return chosen;
}

/** Both sides of a verification. What was asked for has to be at the source; what the target lacks is missing there. */
export async function collectionsOf(options: {
  readonly source: Reader;
  readonly target: Reader;
  readonly collections?: readonly string[];
  readonly targets?: readonly string[];
  readonly map?: DataMap;
}): Promise<Chosen> {
  const { source, target, map } = options;
  const ours = await chooseCollections(source, options.collections);
  const names = new Set(ours.map(({ name }) => name));
  let theirs: readonly Collection[];
  if (map !== undefined || options.collections === undefined)
    theirs = await chooseCollections(target, options.targets);
  else {
    const there = new Set((await target.collections()).map(({ name }) => name));
    theirs = await chooseCollections(
      target,
      [...names].filter((name) => there.has(name)),
    );
  }
  return {
    collections: ours.map(({ name }) => name),
    targets: theirs.map(({ name }) => name),
    about: Math.max(await rowsOf(source, ours), await rowsOf(target, theirs)),
  };
}

/** About how many rows; counted where the store does not know. */
export async function rowsOf(reader: Reader, collections: readonly Collection[]): Promise<number> {
  let sum = 0;
  for (const { name, rows } of collections) sum += rows ?? (await reader.count({ collection: name }));
  return sum;
}
