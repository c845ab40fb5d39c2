import { CutoverError, nameOneOf } from "../../core/index.ts";
import type { Collection, Reader } from "../connector.ts";
import type { DataMap } from "../map.ts";

export interface Chosen {
  readonly collections: readonly string[];
  readonly targets: readonly string[];
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

interface SidesAsked {
  readonly source: Reader;
  readonly target: Reader;
  readonly collections?: readonly string[];
  readonly targets?: readonly string[];
  readonly map?: DataMap;
}

/** Both sides of a verification. What was asked for has to be at the source; what the target lacks is missing there. */
export async function namesOf(options: SidesAsked): Promise<Chosen> {
  const { ours, theirs } = await sidesOf(options);
  return { collections: ours.map(({ name }) => name), targets: theirs.map(({ name }) => name) };
}

async function sidesOf(
  options: SidesAsked,
): Promise<{ readonly ours: readonly Collection[]; readonly theirs: readonly Collection[] }> {
  const { source, target, map } = options;
  const ours = await chooseCollections(source, options.collections);
  if (map !== undefined || options.collections === undefined)
    return { ours, theirs: await chooseCollections(target, options.targets) };
  const there = new Set((await target.collections()).map(({ name }) => name));
  const names = [...new Set(ours.map(({ name }) => name))].filter((name) => there.has(name));
  return { ours, theirs: await chooseCollections(target, names) };
}
