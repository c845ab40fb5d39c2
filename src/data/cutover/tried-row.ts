import { sleep } from "../../core/index.ts";
import { equalBytes, keyText } from "../bytes.ts";
import type { DataStore } from "../connector.ts";
import type { Place, SourceRow } from "../map.ts";
import type { Side } from "./arrows.ts";
import { preflight } from "./crossing-errors.ts";
import type { Ground } from "./ground.ts";

/** How long a row that was written may take to come through a log. */
const arrivesWithinMs = 30_000;

/** A row of this side, read now; undefined when it holds none. */
export async function anyRow(
  store: DataStore,
  collections: readonly string[],
): Promise<SourceRow | undefined> {
  for (const collection of collections) {
    for await (const rows of store.scan({ collection })) {
      const row = rows[0];
      if (row !== undefined) return { collection, ...row };
    }
  }
  return undefined;
}

async function rowAt(store: DataStore, place: Place): Promise<SourceRow | undefined> {
  const [value] = await store.get(place.collection, [place.key]);
  return value === undefined ? undefined : { ...place, value };
}

/**
 * Reads a row and writes it as it is, and reads it again: the side takes writes and gives them back. Nobody else writes there
 * meanwhile. Gives the row; undefined when the side holds none.
 */
export async function tryRow(
  { sides, names, fence, collections }: Ground,
  side: Side,
  place: Place | undefined,
): Promise<SourceRow | undefined> {
  const store = sides[side];
  const row =
    (place === undefined ? undefined : await rowAt(store, place)) ?? (await anyRow(store, collections[side]));
  if (row === undefined) return undefined;
  const job = names.tries;
  await store.applyTxn({ job, fence, origin: job, changes: [row], rows: [] });
  const again = await rowAt(store, row);
  if (again !== undefined && equalBytes(again.value, row.value)) return row;
  throw preflight(
    store.name,
    `row ${keyText(row.key)} to be the same after it was written as it is`,
    again === undefined ? "it is gone" : "another value",
    "look for a trigger, or for somebody else who writes there",
  );
}

/** The same, and waits until the write comes through the log that the way back is going to follow. */
export async function tryLog(
  ground: Ground,
  side: Side,
  signal: AbortSignal,
): Promise<SourceRow | undefined> {
  const { sides, names, clock } = ground;
  const store = sides[side];
  const stream = names[side === "new" ? "old" : "new"];
  const from = await store.head();
  const row = await tryRow(ground, side, undefined);
  if (row === undefined) return undefined;
  const stop = new AbortController();
  const until = AbortSignal.any([stop.signal, signal]);
  const late = sleep(clock, arrivesWithinMs, until).then(
    () => stop.abort(),
    () => {},
  );
  try {
    // Of this log only what the other stream wrote is left out: the try is to be seen.
    const without = stream.without.filter((origin) => origin !== names.tries);
    for await (const { transactions } of store.log(stream.slot, from, { signal: until, without })) {
      const changes = transactions.flatMap((each) => each.changes);
      if (changes.some((change) => change.collection === row.collection && equalBytes(change.key, row.key)))
        return row;
    }
  } finally {
    stop.abort();
    await late;
  }
  signal.throwIfAborted();
  throw preflight(
    store.name,
    `row ${keyText(row.key)}, written as it is, in the log of slot "${stream.slot}" within ${arrivesWithinMs / 1_000} s`,
    "nothing of it",
    "see whether the store keeps its log, then begin again",
  );
}
