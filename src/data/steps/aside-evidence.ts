import { asError, type Json, type JsonObject } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import { keyText } from "../bytes.ts";
import type { DataStore } from "../connector.ts";
import { type DataMap, keptIn } from "../map.ts";
import { asideRows } from "../verify/kept-rows.ts";
import { count } from "./step-progress.ts";

/** Rows named in the report; as many as a move sets aside unless it is told otherwise. */
const mostListed = 1_000;

/**
 * Keeps what lies in quarantine of a store as evidence named `aside`, from which the report lists it: place, reason and size of each
 * row, never its value. The newest listing of a store stands for those before it, so a row that has found its image since is gone from
 * the report as well. Where the map keeps originals, their number is among it (`originals`).
 */
export async function tellAside(context: StepContext, store: DataStore, map: DataMap): Promise<void> {
  const found = await kept(context, store, map).catch((error: unknown) => asError(error));
  context.signal.throwIfAborted();
  // What the step was for is done: a list that cannot be read undoes none of it.
  if (found instanceof Error)
    context.log.warn(`what was set aside in ${store.name} could not be listed: ${found.message}`);
  else await context.evidence("aside", { of: store.name, ...found });
}

async function kept(context: StepContext, store: DataStore, map: DataMap): Promise<JsonObject> {
  const found = await listed(context, store);
  if (map.originals !== true) return { ...found };
  return { ...found, originals: await store.count({ collection: keptIn.originals }) };
}

async function listed(
  context: StepContext,
  store: DataStore,
): Promise<{ readonly rows: number; readonly items: readonly Json[] }> {
  const items: Json[] = [];
  let rows = 0;
  for await (const { map, collection, key, reason, value } of asideRows(store, { signal: context.signal })) {
    rows++;
    if (items.length >= mostListed) continue;
    items.push({
      id: `${collection === "" ? "" : `${collection} `}${keyText(key)}`,
      reason,
      bytes: value.length,
      ...(map === "" ? {} : { map }),
    });
  }
  if (rows > items.length)
    items.push({
      id: `${count(rows - items.length)} more`,
      reason: `all lie in quarantine of ${store.name}`,
    });
  return { rows, items };
}
