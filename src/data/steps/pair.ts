import { type Json, type JsonObject, sha256 } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import type { DataStore } from "../connector.ts";
import type { DataMap, MapFunction } from "../map.ts";
import { chooseCollections } from "../verify/collections.ts";
import { streamNames } from "../cutover/stream-names.ts";
import { startMove } from "../move/move-data.ts";
import type { Touched } from "../verify/touched.ts";
import { given, Problems } from "./step-input.ts";
import { checkStore, openStore, storeName, type StoreRef, storeText } from "./store-ref.ts";

/** What steps between two stores are given. */
export interface PairOptions {
  /** How rows of the old store become rows of the new one; default: they stay as they are. */
  readonly map?: DataMap | MapFunction;
  /** Collections of the old store. Default: all. */
  readonly collections?: readonly string[];
  /** With a map: collections of the new store that hold its images. Default: those of the same names. */
  readonly into?: readonly string[];
}

export const pairOptions: Readonly<Record<keyof PairOptions, true>> = {
  map: true,
  collections: true,
  into: true,
};

/** Two stores and what lies between them, as a step was given it. */
export interface Pair {
  readonly from: StoreRef;
  readonly to: StoreRef;
  readonly map: DataMap | undefined;
  readonly collections: readonly string[] | undefined;
  readonly into: readonly string[] | undefined;
}

export function pairOf(from: StoreRef, to: StoreRef, options: Partial<PairOptions>): Pair {
  const { map, collections, into } = options;
  return { from, to, map: typeof map === "function" ? { map } : map, collections, into };
}

const mapMembers = ["map", "places", "originals", "name"];

export function pairProblems(found: Problems, pair: Pair): void {
  const { from, to, map, collections, into } = pair;
  checkStore(found, "from", from);
  checkStore(found, "to", to);
  if (found.list.length === 0 && storeName(from) === storeName(to))
    found.add("to", "another store than the one before it", storeName(to), "name the new store");
  found.names("collections", collections);
  found.names("into", into);
  if (into !== undefined && map === undefined)
    found.add("into", "given together with a map", into, "without a map names are equal on both sides");
  if (map === undefined) return;
  const expected = "a function or { map, places?, originals?, name? }";
  const remedy = "write map: ({ key, value }) => ({ value: … }), or take `mapValues`";
  if (typeof map !== "object" || map === null || typeof map.map !== "function") {
    found.add("map", expected, map, remedy);
    return;
  }
  for (const key of Object.keys(map))
    if (!mapMembers.includes(key))
      found.add(`map.${key}`, `one of ${mapMembers.join(", ")}`, key, `remove "${key}"`);
  if (map.places !== undefined && typeof map.places !== "function")
    found.add("map.places", "a function", map.places, remedy);
  found.flag("map.originals", map.originals);
}

export const pairInput = ({ from, to, map, collections, into }: Pair): JsonObject =>
  given({
    from: storeName(from),
    to: storeName(to),
    mapped: map === undefined ? undefined : true,
    collections: collections as Json | undefined,
    into: into as Json | undefined,
  });

/** Text of the functions for the definition's hash. */
export function pairText({ from, to, map }: Pair): string {
  return [storeText(from), storeText(to), mapText(map)].join("\n");
}

function mapText(map: DataMap | undefined): string {
  if (map === undefined) return "";
  return [String(map.map), String(map.places), String(map.originals), map.name ?? ""].join("\n");
}

export const pairWords = ({ from, to, map, collections }: Pair): string =>
  `${storeName(from)} → ${storeName(to)}${map === undefined ? "" : " through a map"}${
    collections === undefined
      ? ""
      : ` (${collections.map((name) => (name === "" ? "(all)" : name)).join(", ")})`
  }`;

/**
 * Name of the move between two stores in one run, under which both keep it. It is made of what is moved and how, so that a step that
 * verifies or repairs the same finds the move of the step that copied.
 */
export function jobOf({ runId }: Pick<StepContext, "runId">, pair: Pair): string {
  const { from, to, map, collections, into } = pair;
  const what = [storeName(from), storeName(to), mapText(map), collections ?? null, into ?? null];
  return `backfill:${runId}:${sha256(JSON.stringify(what)).slice(0, 16)}`.slice(0, 200);
}

export interface OpenedPair extends AsyncDisposable {
  readonly source: DataStore;
  readonly target: DataStore;
  /** Collections of the source that are meant. */
  readonly names: readonly string[];
  /** Collections of the target in which their images lie. */
  readonly targets: readonly string[];
}

/** Opens both; with `create` the new store is made where it is not there. */
export async function openPair(
  context: Pick<StepContext, "clock" | "signal" | "log">,
  pair: Pair,
  { create = false }: { readonly create?: boolean } = {},
): Promise<OpenedPair> {
  const old = await openStore(context, pair.from, { collections: pair.collections });
  try {
    const source = old.store;
    // What cannot be moved is told of the old store, before the new one is asked for a place for it.
    if (create) await chooseCollections(source, pair.collections);
    const names = pair.collections ?? (await source.collections()).map(({ name }) => name);
    const targets = pair.into ?? names;
    const young = await openStore(context, pair.to, { create, collections: targets });
    return {
      source,
      target: young.store,
      names,
      targets,
      [Symbol.asyncDispose]: async () => {
        try {
          await young[Symbol.asyncDispose]();
        } finally {
          await old[Symbol.asyncDispose]();
        }
      },
    };
  } catch (error) {
    await old[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Applies what the old store's log has, up to its end now, when a backfill of the same run is still to be followed. Without
 * one both sides stand still, and undefined is given.
 */
export async function followed(
  context: StepContext,
  pair: Pair,
  { source, target }: OpenedPair,
  touched: Touched,
): Promise<((signal?: AbortSignal) => Promise<void>) | undefined> {
  const job = jobOf(context, pair);
  if ((await target.checkpoint(job)) === undefined) return undefined;
  return async (signal = context.signal) => {
    signal.throwIfAborted();
    const move = startMove({
      source: touched.source(source),
      target: touched.target(target),
      job,
      fence: context.fence,
      without: streamNames(job).new.without,
      ...(pair.map === undefined ? {} : { map: pair.map }),
      asideLimit: Number.MAX_SAFE_INTEGER,
      clock: context.clock,
      signal,
    });
    move.stopAt(await source.head());
    await move.done;
    signal.throwIfAborted();
  };
}
