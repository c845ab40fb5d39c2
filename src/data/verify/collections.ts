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
  return chosenOf(reader.name, await reader.collections(), wanted);
}

function chosenOf(
  store: string,
  all: readonly Collection[],
  wanted: readonly string[] | undefined,
): readonly Collection[] {
  const chosen =
    wanted === undefined
      ? all
      : wanted.map((name) => {
          const found = all.find((each) => each.name === name);
          if (found !== undefined) return found;
          const names = all.map((each) => each.name).filter((each) => each !== "");
          throw new CutoverError("CUTOVER_DATA_COLLECTION", {
            message: `expected a collection of ${store}, found "${name}", which it does not have`,
            place: store,
            details: { collection: name },
            remedy:
              names.length === 0
                ? "leave the names out: this store lists no parts with names"
                : nameOneOf(name, names, "name a collection that the store has"),
          });
        });
  const bad = chosen.filter(({ problem }) => problem !== undefined);
  if (bad.length > 0) throw unreadable(store, chosen, bad);
  return chosen;
}

/** Names in one message; of more their number is told. */
const named = 10;
const listed = (words: readonly string[], between: string): string =>
  words.length <= named
    ? words.join(between)
    : `${words.slice(0, named).join(between)}${between}… ${words.length - named} more`;

function unreadable(store: string, chosen: readonly Collection[], bad: readonly Collection[]): CutoverError {
  const others = chosen.filter((each) => !bad.includes(each)).map(({ name }) => name);
  const reasons = bad.map(
    ({ name, problem = "" }, at) =>
      `${at === 0 ? "" : "nor "}collection "${name}"${at === 0 ? " cannot be read row by row" : ""}: ${problem}`,
  );
  return new CutoverError("CUTOVER_DATA_COLLECTION", {
    message: listed(reasons, "; "),
    place: store,
    details: { collection: bad[0]?.name ?? "", collections: bad.map(({ name }) => name) },
    remedy: `mend that (a table needs a primary key)${
      others.length === 0 ? "" : `, or name only the others: ${listed(others, ",")}`
    }`,
  });
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
  // Both at once, as a server takes its time; what is wrong with the source is told first.
  const [mine, others] = await Promise.allSettled([source.collections(), target.collections()]);
  const ours = chosenOf(source.name, given(mine), options.collections);
  const all = given(others);
  if (map !== undefined || options.collections === undefined)
    return { ours, theirs: chosenOf(target.name, all, options.targets) };
  const there = new Set(all.map(({ name }) => name));
  const names = [...new Set(ours.map(({ name }) => name))].filter((name) => there.has(name));
  return { ours, theirs: chosenOf(target.name, all, names) };
}

function given<T>(outcome: PromiseSettledResult<T>): T {
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}
