import { dirname, resolve } from "node:path";
import {
  asError,
  backoffDelay,
  type Clock,
  formatDuration,
  hasCode,
  isCutoverError,
  sleep,
} from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import type { DataStore } from "../connector.ts";
import { pauses } from "../door/door-link.ts";
import { openDataStore, type OpenDataStoreOptions, readStoreAddress } from "../open-data-store.ts";
import type { Problems } from "./step-input.ts";

/** A store that no address can name: one that the application has open already, or one behind a connector of its own. */
export interface NamedStore {
  /** For people and records. It tells stores apart: another store has another name. */
  readonly name: string;
  /**
   * Opens the store. `create` and `collections` are as in `openDataStore`. Its source text enters the definition's hash.
   */
  readonly open: (
    options: OpenDataStoreOptions & { readonly clock: Clock },
  ) => DataStore | Promise<DataStore>;
  /** The application goes on to use what `open` gives: the step does not close it. Default false. */
  readonly shared?: boolean;
}

/** An address as `openDataStore` takes it, e.g. `leveldb:data/old`, or how to open a store. */
export type StoreRef = string | NamedStore;

/** Everything wrong with it, found without opening it. */
export function checkStore(found: Problems, place: string, store: unknown): void {
  if (typeof store === "string") {
    try {
      readStoreAddress(store);
    } catch (error) {
      if (!isCutoverError(error)) throw error;
      found.list.push({ message: `"${place}": ${error.message}`, remedy: error.remedy, place });
    }
    return;
  }
  const expected = "an address or { name, open }";
  const remedy = 'write an address such as "leveldb:data/old", or { name: "orders", open: () => … }';
  if (typeof store !== "object" || store === null || Array.isArray(store)) {
    found.add(place, expected, store, remedy);
    return;
  }
  const { name, open, shared, ...unknown } = store as Partial<NamedStore>;
  if (typeof name !== "string" || name.trim() === "" || name.length > 100)
    found.add(`${place}.name`, "a name of 1 to 100 characters", name, "name it for people and records");
  if (typeof open !== "function") found.add(`${place}.open`, "a function that opens the store", open, remedy);
  found.flag(`${place}.shared`, shared);
  for (const key of Object.keys(unknown))
    found.add(`${place}.${key}`, "left out", key, `remove "${key}": it would do nothing`);
}

/** For people and records: no user, no password. What cannot be read is refused by `checkStore`, and not repeated. */
export function storeName(store: StoreRef): string {
  if (typeof store !== "string") return typeof store?.name === "string" ? store.name : "a store";
  try {
    return readStoreAddress(store).name;
  } catch {
    return "a store";
  }
}

/** Source text for the definition's hash. */
export const storeText = (store: StoreRef): string =>
  typeof store === "string" ? storeName(store) : `${storeName(store)} ${String(store?.open)}`;

/** The scheme of an address; undefined for a store that is opened by a function. */
export function schemeOf(store: StoreRef): string | undefined {
  return typeof store === "string" ? /^[a-z]+(?=:)/.exec(store)?.[0] : undefined;
}

/** Schemes of stores whose place on a disk another process knows. */
const elsewhere = ["postgres", "postgresql", "door"];

/** Folder on whose disk the store lies; undefined when that is not known here. */
export function diskOf(store: StoreRef): string | undefined {
  const scheme = schemeOf(store);
  if (typeof store !== "string" || scheme === undefined || elsewhere.includes(scheme)) return undefined;
  return dirname(resolve(store.slice(scheme.length + 1)));
}

/** A store as a step has it open. Disposing of it closes what the step opened. */
export interface OpenedStore extends AsyncDisposable {
  readonly store: DataStore;
}

interface OpenOptions {
  readonly create?: boolean;
  /** Made with `create`. Only read, they are told to stores alone that make nothing of it and need it to see their parts. */
  readonly collections?: readonly string[] | undefined;
}

/** How long a step waits for a store that does not answer, milliseconds. */
const patienceMs = 10_000;

/**
 * Opens a store for a step. Whoever serves it may be restarted in the very moment in which the step begins: it is waited for, as
 * it is in the middle of a step.
 * @throws what opening throws; the signal's reason when it aborts meanwhile
 */
export async function openStore(
  { clock, signal, log }: Pick<StepContext, "clock" | "signal" | "log">,
  ref: StoreRef,
  options: OpenOptions = {},
): Promise<OpenedStore> {
  const began = clock.monotonic();
  for (let attempt = 1; ; attempt++) {
    try {
      return await openNow(clock, ref, options);
    } catch (error) {
      const isAway = hasCode(error, "CUTOVER_DATA_UNAVAILABLE");
      if (!isAway || clock.monotonic() - began >= patienceMs) throw error;
      if (attempt === 1) log.warn(`waits up to ${formatDuration(patienceMs)}: ${asError(error).message}`);
      await sleep(clock, backoffDelay(pauses, attempt, Math.random), signal);
    }
  }
}

/** Opens a store that has to answer at once. */
export async function openNow(
  clock: Clock,
  ref: StoreRef,
  { create = false, collections }: OpenOptions = {},
): Promise<OpenedStore> {
  const named = collections !== undefined && collections.some((name) => name !== "");
  const tell = named && (create || typeof ref !== "string" || schemeOf(ref) === "leveldb");
  const open = { clock, ...(create ? { create } : {}), ...(tell ? { collections } : {}) };
  if (typeof ref === "string") {
    const store = await openDataStore(ref, open);
    return { store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  }
  const store = await ref.open(open);
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      if (ref.shared !== true) await store[Symbol.asyncDispose]();
    },
  };
}
