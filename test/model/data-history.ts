import { type Clock, setFaultHandler, systemClock } from "../../src/core/index.ts";
import {
  type Change,
  type DataMap,
  type LogBatch,
  type MoveOptions,
  noImage,
  type Range,
  type Source,
  startMove,
  type Target,
  type TargetWrite,
} from "../../src/data/index.ts";

/** What happens to a move, made up at random beforehand. */
export interface History {
  /** Keys that are there when it begins. */
  readonly initial: readonly number[];
  /** Transactions of the application: keys, with a new value or deleted. */
  readonly writes: readonly (readonly { readonly key: number; readonly gone: boolean }[])[];
  /** How many transactions come before each of the move's calls, over and over. */
  readonly pace: readonly number[];
  /** Turns of the event loop that each transaction of the log is late, over and over. */
  readonly delays: readonly number[];
  /** Which hit of which fault point ends a worker. */
  readonly crashes: readonly { readonly point: number; readonly hit: number }[];
  /** Which calls end a worker by pausing it. */
  readonly pauses: readonly number[];
  readonly map: "none" | "values" | "keys";
  /** Two workers, each with its part of the keys. */
  readonly split: boolean;
  readonly chunkRows: number;
}

export const moveFaults: readonly string[] = [
  "data.move.claimed",
  "data.move.captured",
  "data.move.chunk-read",
  "data.move.before-write",
  "data.target.after-commit",
  "data.move.written",
  "data.move.before-acknowledge",
  "data.move.acknowledged",
];

/** Most keys of a history: few, so that they meet. */
export const keySpace = 24;

const keyOf = (key: number): Buffer => Buffer.from([Math.floor(key / 6), key % 6]);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Time passes with every look at the clock, so that what is done now and then is done. */
function hastyClock(): Clock {
  let now = 0;
  return { ...systemClock, monotonic: () => (now += 100) };
}

class Crash extends Error {}

export interface HistoryStores {
  readonly source: Source;
  /** Writes to the source as an application does. */
  readonly write: (changes: readonly Change[]) => Promise<void>;
  readonly target: Target;
}

/**
 * Plays a history on two stores and gives what is wrong, if anything: a key of the target that goes back, or one that differs at the
 * cutover. Values are numbers that are given out once, in the order of the source's log.
 */
export async function play(history: History, stores: HistoryStores): Promise<string | undefined> {
  const { source, target } = stores;
  const world = new Writers(stores, history);
  await world.begin();
  const showing = new Showing(world, history);
  const spread = { ...history, ranges: rangesOf(history) };
  let crashes = [...history.crashes];
  const hits = new Map<string, number>();
  setFaultHandler((name) => {
    const hit = (hits.get(name) ?? 0) + 1;
    hits.set(name, hit);
    const due = crashes.find(({ point, hit: at }) => moveFaults[point] === name && at === hit);
    if (due === undefined) return;
    crashes = crashes.filter((crash) => crash !== due);
    throw new Crash(`${name} ${hit}`);
  });
  try {
    let calls = 0;
    const clock = hastyClock();
    const work = async (index: number): Promise<void> => {
      for (let fence = 1; ; fence++) {
        const pauses = new AbortController();
        const call = async (): Promise<void> => {
          await world.some();
          if (history.pauses.includes(++calls)) pauses.abort();
        };
        const move = startMove({
          ...optionsOf(spread, index),
          source: slowly(between(source, ["snapshotChunk", "head", "acknowledge"], call), history.delays),
          target: watched(between(target, ["applyTxn", "checkpoint"], call), (write) => showing.look(write)),
          fence,
          signal: pauses.signal,
          clock,
        });
        const end = world.fenced.then((position) => move.stopAt(position));
        try {
          const { finished } = await Promise.race([
            move.done,
            move.copied.then(async () => {
              world.copied(index);
              await end;
              return await move.done;
            }),
          ]);
          if (finished) return;
        } catch (error) {
          if (!(error instanceof Crash)) throw error;
        }
      }
    };
    await Promise.all(spread.ranges.map((_range, index) => work(index)));
  } finally {
    setFaultHandler(undefined);
  }
  return showing.wrong ?? (await differences(history, world, target));
}

/** The application: writes by script, keeps what it wrote, and is fenced when all was written and copied. */
class Writers {
  readonly fenced: Promise<string>;
  readonly rows = new Map<string, number>();
  /** Values that a key had, oldest first. */
  readonly versions = new Map<string, (number | null)[]>();
  readonly #stores: HistoryStores;
  readonly #history: History;
  readonly #fence = Promise.withResolvers<string>();
  readonly #copied = new Set<number>();
  #written = 0;
  #calls = 0;
  #value = 0;
  #busy: Promise<void> = Promise.resolve();

  constructor(stores: HistoryStores, history: History) {
    this.#stores = stores;
    this.#history = history;
    this.fenced = this.#fence.promise;
  }

  async begin(): Promise<void> {
    const keys = [...new Set(this.#history.initial)];
    if (keys.length > 0) await this.#write(keys.map((key) => ({ key, gone: false })));
  }

  /** A few transactions, as the pace has it. One after the other: the log has one order. */
  some(): Promise<void> {
    this.#busy = this.#busy.then(async () => {
      const { pace, writes } = this.#history;
      for (let count = pace[this.#calls++ % pace.length] ?? 1; count > 0; count--) {
        const transaction = writes[this.#written];
        if (transaction === undefined) break;
        this.#written++;
        await this.#write(transaction);
      }
    });
    return this.#busy;
  }

  /** A worker has copied its part. After the last one the rest is written, then the source refuses writes. */
  copied(worker: number): void {
    this.#copied.add(worker);
    if (this.#copied.size < rangesOf(this.#history).length) return;
    this.#busy = this.#busy.then(async () => {
      for (const write of this.#history.writes.slice(this.#written)) await this.#write(write);
      this.#written = this.#history.writes.length;
      this.#fence.resolve(await this.#stores.source.fence(1, { signal: new AbortController().signal }));
    });
    this.#busy.catch(this.#fence.reject);
  }

  async #write(keys: readonly { readonly key: number; readonly gone: boolean }[]): Promise<void> {
    const changes = [...new Map(keys.map((one) => [one.key, one])).values()].map(({ key, gone }): Change => {
      const id = hex(keyOf(key));
      const value = gone ? null : ++this.#value;
      if (value === null) this.rows.delete(id);
      else this.rows.set(id, value);
      this.versions.set(id, [...(this.versions.get(id) ?? [null]), value]);
      return { collection: "", key: keyOf(key), value: value === null ? null : Buffer.from(String(value)) };
    });
    await this.#stores.write(changes);
  }
}

/** Whether the target's keys only go forward, as they were in the source. */
class Showing {
  wrong: string | undefined;
  readonly #world: Writers;
  readonly #history: History;
  readonly #seen = new Map<string, number>();

  constructor(world: Writers, history: History) {
    this.#world = world;
    this.#history = history;
  }

  look({ changes, rows }: TargetWrite): void {
    const last = new Map<string, Uint8Array | null>();
    for (const { collection, key, value } of [...changes, ...rows])
      if (collection === "") last.set(hex(key), value);
    for (const [key, value] of last) {
      const number = value === null ? null : numberIn(value);
      const versions = this.#versionsAt(key);
      const before = this.#seen.get(key) ?? 0;
      const at = versions.findIndex((version, index) => index >= before && version === number);
      if (at < 0)
        this.wrong ??= `${key} went back to ${number} from version ${before} of ${versions.join(" ")}`;
      else this.#seen.set(key, at);
    }
  }

  /** What the target should have shown at this place, oldest first. */
  #versionsAt(place: string): readonly (number | null)[] {
    const { map } = this.#history;
    const key = map === "keys" ? place.slice(2) : place;
    const has = (value: number): boolean =>
      map === "none" || (hasImage(value) && (map === "values" || placesOf(key, value).includes(place)));
    return (this.#world.versions.get(key) ?? [null]).map((value) =>
      value !== null && has(value) ? value : null,
    );
  }
}

/** A value that has an image: every seventh has none. */
const hasImage = (value: number): boolean => value % 7 !== 0;
const numberIn = (value: Uint8Array): number => Number(Buffer.from(value).toString().replace("v", ""));

/** Where a value goes to: its key's place, or by its number one of two others, or both. */
function placesOf(key: string, value: number): readonly string[] {
  const kind = value % 3;
  return [...(kind === 1 ? [] : [`00${key}`]), ...(kind === 0 ? [] : [`ff${key}`])];
}

function mapOf({ map }: History): DataMap | undefined {
  if (map === "none") return undefined;
  const valueOf = (from: Uint8Array): Buffer => {
    const value = numberIn(from);
    if (!hasImage(value)) throw noImage(`${value} has no image`);
    return Buffer.from(`v${value}`);
  };
  if (map === "values") {
    return {
      map: ({ value }) => ({ value: valueOf(value) }),
      places: (collection, key) => [{ collection, key }],
    };
  }
  return {
    originals: true,
    map: ({ key, value }) =>
      placesOf(hex(key), numberIn(value)).map((place) => ({
        key: Buffer.from(place, "hex"),
        value: valueOf(value),
      })),
  };
}

function rangesOf({ split }: History): readonly Range[] {
  if (!split) return [{ collection: "" }];
  const middle = keyOf(keySpace / 2);
  return [
    { collection: "", upTo: middle },
    { collection: "", after: middle },
  ];
}

function optionsOf(
  history: History & { readonly ranges: readonly Range[] },
  index: number,
): Omit<MoveOptions, "source" | "target" | "fence"> {
  const map = mapOf(history);
  return {
    job: `part ${index}`,
    ranges: history.ranges.slice(index, index + 1),
    chunk: { rows: history.chunkRows },
    ...(map === undefined ? {} : { map }),
    ...(history.map === "keys" ? { mix: true } : {}),
  };
}

async function differences(history: History, { rows }: Writers, target: Target): Promise<string | undefined> {
  const expected = new Map<string, string>();
  const aside = new Set<string>();
  for (const [key, value] of rows) {
    if (history.map !== "none" && !hasImage(value)) aside.add(key);
    else if (history.map === "keys")
      for (const place of placesOf(key, value)) expected.set(place, `v${value}`);
    else expected.set(key, history.map === "none" ? String(value) : `v${value}`);
  }
  const found = new Map(
    (await all(target, "")).map(({ key, value }) => [hex(key), Buffer.from(value).toString()]),
  );
  const held = (await all(target, "cutover_aside")).map(({ key }) => hex(key.subarray(2)));
  const originals = await all(target, "cutover_originals");
  const say = (of: Iterable<unknown>): string =>
    [...of]
      .map((one) => String(one))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .join(" ");
  if (say(found) !== say(expected)) return `the new side has ${say(found)}, expected ${say(expected)}`;
  if (say(held) !== say(aside)) return `in quarantine are ${say(held)}, expected ${say(aside)}`;
  const kept = history.map === "keys" ? expected.size : 0;
  return originals.length === kept ? undefined : `${originals.length} originals are kept, expected ${kept}`;
}

async function all(
  target: Target,
  collection: string,
): Promise<{ readonly key: Uint8Array; readonly value: Uint8Array }[]> {
  const rows: { readonly key: Uint8Array; readonly value: Uint8Array }[] = [];
  for await (const part of target.scan({ collection })) rows.push(...part);
  return rows;
}

/** The store, with something happening before some of its calls. */
function between<T extends object>(
  store: T,
  names: readonly (keyof T & string)[],
  call: () => Promise<void>,
): T {
  return new Proxy(store, {
    get(of, name) {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member !== "function") return member;
      const bound = member.bind(of) as (...given: unknown[]) => unknown;
      if (!names.includes(name as keyof T & string)) return bound;
      return async (...given: unknown[]) => {
        await call();
        return bound(...given);
      };
    },
  });
}

/** The source, whose log comes late and transaction by transaction. */
function slowly(source: Source, delays: readonly number[]): Source {
  let count = 0;
  return new Proxy(source, {
    get(of, name) {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member !== "function") return member;
      if (name !== "log") return member.bind(of);
      return async function* late(...given: Parameters<Source["log"]>): AsyncGenerator<LogBatch> {
        for await (const { transactions, head } of of.log(...given)) {
          for (const transaction of transactions) {
            for (let turns = delays[count++ % delays.length] ?? 0; turns > 0; turns--)
              await new Promise((resolve) => setImmediate(resolve));
            yield { transactions: [transaction], head: transaction.position };
          }
          yield { transactions: [], head };
        }
      };
    },
  });
}

/** Tells of every write before the target answers, also when the one who wrote never hears of it. */
function watched(target: Target, look: (write: TargetWrite) => void): Target {
  return new Proxy(target, {
    get(of, name) {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member !== "function") return member;
      if (name !== "applyTxn") return member.bind(of);
      return async (write: TargetWrite) => {
        try {
          await of.applyTxn(write);
        } catch (error) {
          if (error instanceof Crash) look(write);
          throw error;
        }
        look(write);
      };
    },
  });
}
