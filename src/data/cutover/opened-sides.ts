import { CutoverError } from "../../core/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import { CaptureWriter } from "../capture-writer.ts";
import type { Standing } from "./switch.ts";

type Side = Standing["side"];

/** A store that is open, or what opens it when its side is first needed. */
export type StoreOrOpen = CapturedStore | (() => Promise<CapturedStore>);

/** The same name on both sides, or one for each. */
export type CollectionNames = string | Readonly<Record<Side, string>>;

/** What an embedded application has on both sides. */
export interface SidesOptions {
  /** What `open` gives is closed with the handle; a store that was given stays open. */
  readonly old: StoreOrOpen;
  readonly new: StoreOrOpen;
  /** Default `""`. */
  readonly collection?: CollectionNames;
  /** Whether a write is on disk when it resolves. Default false. */
  readonly durable?: boolean;
}

/** One side that is open. */
export interface OpenedSide {
  readonly store: CapturedStore;
  readonly collection: string;
  /** Refuses to write: that goes by an epoch. */
  readonly reader: CaptureWriter;
}

/** What of a writer only reads. */
export type StoreReading = Pick<CaptureWriter, "get" | "getMany" | "has" | "iterator" | "keys" | "values">;

/** The stores of both sides, each opened when it is first needed: after the move the old one need not be there. */
export class OpenedSides {
  readonly #what: string;
  readonly #given: Readonly<Record<Side, StoreOrOpen>>;
  readonly #names: Readonly<Record<Side, string>>;
  readonly #opened: { old: OpenedSide | undefined; new: OpenedSide | undefined } = {
    old: undefined,
    new: undefined,
  };
  readonly #opening: { old: Promise<OpenedSide> | undefined; new: Promise<OpenedSide> | undefined } = {
    old: undefined,
    new: undefined,
  };
  readonly #own: CapturedStore[] = [];

  /** @throws CUTOVER_DATA_OPTIONS */
  constructor(what: string, given: Readonly<Record<Side, StoreOrOpen>>, collection: CollectionNames) {
    this.#what = what;
    this.#given = given;
    this.#names = typeof collection === "string" ? { old: collection, new: collection } : collection;
    for (const side of ["old", "new"] as const) {
      if (typeof this.#given[side] !== "function") this.#demand(side, this.#given[side]);
      if (typeof (this.#names as Partial<Record<Side, unknown>> | null)?.[side] !== "string")
        throw this.#wrong("collection", "a name, or { old, new } with a name for each", collection);
    }
  }

  /** Undefined: it was not needed yet. */
  at(side: Side): OpenedSide | undefined {
    return this.#opened[side];
  }

  /** @throws what opens the store throws; CUTOVER_DATA_COLLECTION when it does not have the collection */
  open(side: Side): Promise<OpenedSide> {
    this.#opening[side] ??= this.#open(side).catch((error: unknown) => {
      // It is tried again when it is needed again.
      this.#opening[side] = undefined;
      throw error;
    });
    return this.#opening[side];
  }

  /** Closes what was opened here, last-in first-out. */
  async close(): Promise<void> {
    for (let store = this.#own.pop(); store !== undefined; store = this.#own.pop())
      await store[Symbol.asyncDispose]();
  }

  async #open(side: Side): Promise<OpenedSide> {
    const given = this.#given[side];
    const store = typeof given === "function" ? await given() : given;
    this.#demand(side, store);
    const collection = this.#names[side];
    try {
      // Refused here, and not by the first write after the turn.
      await store.get(collection, []);
    } catch (error) {
      if (typeof given === "function") await store[Symbol.asyncDispose]();
      throw error;
    }
    if (typeof given === "function") this.#own.push(store);
    const opened = { store, collection, reader: new CaptureWriter(store, { collection, epoch: noWrites }) };
    this.#opened[side] = opened;
    return opened;
  }

  #demand(side: Side, store: unknown): asserts store is CapturedStore {
    const { write, get, scan } = (store ?? {}) as Partial<CapturedStore>;
    if (typeof write === "function" && typeof get === "function" && typeof scan === "function") return;
    throw this.#wrong(side, "a store that applications write through (LevelDB, LMDB, files, memory)", store);
  }

  #wrong(option: string, expected: string, found: unknown): CutoverError {
    const shown =
      typeof found === "object" ? ((found as { name?: unknown } | null)?.name ?? "an object") : found;
    return new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: `expected ${expected} for \`${option}\`, found ${String(JSON.stringify(shown) ?? shown)}`,
      place: `${this.#what}: ${option}`,
    });
  }
}

function noWrites(): never {
  throw new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: "expected nothing but reads, found a write",
    remedy: "write in `run`, under the epoch it has",
  });
}
