import { CutoverError, hasCode } from "../../core/index.ts";
import type { Collection, DataMap } from "../../data/index.ts";
import type { CommandContext, OptionSpec } from "../command.ts";
import { shellWord } from "../store-place.ts";
import { collectionsOf } from "./open-address.ts";

export const intoOption: Readonly<Record<string, OptionSpec>> = {
  into: {
    type: "string",
    value: "NAME,…",
    help: "what those of --collection are called in NEW, in their order",
  },
};

/** Collections that are called otherwise on the new side; nothing where they have their names. */
export interface Renaming {
  readonly map?: DataMap;
  readonly targets?: readonly string[];
}

/** @throws CUTOVER_CLI_USAGE when the names do not go with those of `--collection`, one each */
export function renamingOf(context: CommandContext): Renaming {
  const text = context.args.text("into");
  if (text === undefined) return {};
  const { collections } = collectionsOf(context);
  const targets = text.split(",").map((name) => name.trim());
  if (collections === undefined || collections.length !== targets.length)
    throw usage(
      `expected as many names for --into as for --collection, found ${targets.length} and ${collections?.length ?? "none"}`,
    );
  const names = new Map(collections.map((name, index) => [name, targets[index] ?? name]));
  if (names.size < targets.length || new Set(targets).size < targets.length)
    throw usage("expected each name once, found one twice: rows of two collections could not be told apart");
  const placed = (collection: string): string => names.get(collection) ?? collection;
  return {
    targets,
    map: {
      map: ({ collection, key, value }) => ({ collection: placed(collection), key, value }),
      places: (collection, key) => [{ collection: placed(collection), key }],
    },
  };
}

/** What is called how on either side. */
export const pairsOf = (
  chosen: readonly Collection[],
  names: readonly string[],
): readonly (readonly [string, string])[] => chosen.map(({ name }, at) => [name, names[at] ?? name]);

/** The same names again, for a command that goes on with the same two stores: each word after a space. */
export const namesFlags = ({ args }: CommandContext): string =>
  ["collection", "into"]
    .flatMap((option) =>
      args.text(option) === undefined ? [] : [` --${option} ${shellWord(args.text(option) ?? "")}`],
    )
    .join("");

/** Tells how to name what the new side calls otherwise, when it does not have it. */
export async function orTellInto<T>(
  { args }: CommandContext,
  names: readonly string[],
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (args.text("into") !== undefined || !hasCode(error, "CUTOVER_DATA_COLLECTION")) throw error;
    const { message, place, details } = error as CutoverError;
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message,
      details,
      ...(place === undefined ? {} : { place }),
      remedy:
        names.join("") === ""
          ? "make it there first; keys and values become rows of tables through a map, in a migration (backfill)"
          : `make it there first; where it is called otherwise, say how: --collection ${names.join(",")} --into NAME,…`,
    });
  }
}

const usage = (message: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", {
    message,
    remedy: "name both: --collection customers,orders --into public.customers,public.orders",
  });
