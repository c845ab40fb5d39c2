import { CutoverError } from "../../core/index.ts";
import type { Reader } from "../connector.ts";

/**
 * Refuses tables of which a column stands at another place than one of its name does on the old side: rows go over column by column,
 * whatever columns are called, so that two of one type would change places and both sides still agree. Names that only one side
 * has say nothing: a column may have been given another one.
 *
 * @param pairs names of a collection of the old side and of the new one that gets its rows as they are
 * @throws CUTOVER_DATA_COLLECTION
 */
export async function requireColumnOrder(
  source: Pick<Reader, "name" | "collections">,
  target: Pick<Reader, "name" | "collections">,
  pairs: readonly (readonly [string, string])[],
): Promise<void> {
  const [old, young] = await Promise.all([placesIn(source), placesIn(target)]);
  for (const [from, to] of pairs) {
    const there = young.get(to);
    for (const [name, place] of old.get(from) ?? []) {
      const other = there?.get(name);
      if (other === undefined || other === place) continue;
      throw new CutoverError("CUTOVER_DATA_COLLECTION", {
        message: `expected the columns of "${to}" of ${target.name} in the order of the old side, as rows go over column by column, found "${name}" at place ${other}, and at place ${place} of "${from}"`,
        place: target.name,
        details: { collection: to, column: name },
        remedy:
          "make the new table with its columns in that order, or let a map put them in theirs (`decodeRecord`, `encodeRecord`)",
      });
    }
  }
}

/** Of each table, its columns with their places from 1 on. Names are told apart as SQLite does: not by their case. */
async function placesIn(
  reader: Pick<Reader, "collections">,
): Promise<ReadonlyMap<string, ReadonlyMap<string, number>>> {
  const tables = (await reader.collections()).map(({ name, columns = [] }) => {
    const places = columns.map((column, at) => [column.name.toLowerCase(), at + 1] as const);
    return [name, new Map(places)] as const;
  });
  return new Map(tables);
}
