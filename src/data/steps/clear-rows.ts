import { CutoverError } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import type { DataStore, Row, Target } from "../connector.ts";
import { keptIn, keptPlace } from "../map.ts";

/** Rows removed in one transaction. */
const atOnce = 1_000;

/** Whether any of these collections holds a row; one that is not there holds none. */
export async function holdsRows(
  store: DataStore,
  collections: readonly string[],
): Promise<string | undefined> {
  const there = new Set((await store.collections()).map(({ name }) => name));
  for (const collection of collections) {
    if (!there.has(collection)) continue;
    for await (const rows of store.scan({ collection })) if (rows.length > 0) return collection;
  }
  return undefined;
}

/**
 * Removes all rows of these collections, and what a map of this name kept beside them. The job is claimed with each write, so
 * that a copier that was left behind cannot go on. Gives how many rows were removed.
 */
export async function clearRows(
  { fence, signal }: Pick<StepContext, "fence" | "signal">,
  target: Target,
  work: { readonly job: string; readonly collections: readonly string[]; readonly map: string | undefined },
): Promise<number> {
  const { job, collections, map } = work;
  const there = new Set((await target.collections()).map(({ name }) => name));
  const remove = async (collection: string, mine: (key: Uint8Array) => boolean): Promise<number> => {
    let removed = 0;
    // A scan is not left open while rows of it are removed: some stores would wait for it.
    for (let after: Uint8Array | undefined, left = true; left;) {
      signal.throwIfAborted();
      left = false;
      let rows: readonly Row[] = [];
      for await (const batch of target.scan({ collection, ...(after === undefined ? {} : { after }) })) {
        rows = batch;
        left = true;
        break;
      }
      for (let at = 0; at < rows.length; at += atOnce) {
        const changes = rows
          .slice(at, at + atOnce)
          .filter(({ key }) => mine(key))
          .map(({ key }) => ({ collection, key, value: null }));
        if (changes.length > 0) await target.applyTxn({ job, fence, origin: job, changes, rows: [] });
        removed += changes.length;
      }
      after = rows.at(-1)?.key ?? after;
    }
    return removed;
  };
  let removed = 0;
  for (const collection of collections)
    if (there.has(collection)) removed += await remove(collection, () => true);
  if (map !== undefined)
    for (const collection of Object.values(keptIn))
      await remove(collection, (key) => keptPlace(key).name === map);
  return removed;
}

/** CUTOVER_DATA_NOT_EMPTY, before anything was written. */
export function notEmpty(place: string, collection: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
    message: `expected no rows in "${collection}" of ${place}, found some: afterwards nobody could tell which are whose`,
    place,
    details: { collection },
  });
}
