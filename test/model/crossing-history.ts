import fc from "fast-check";
import { asError, type Clock, hasCode, setFaultHandler, systemClock } from "../../src/core/index.ts";
import {
  type Change,
  type CrossingState,
  crossOver,
  type DataStore,
  goBack,
  type LogBatch,
  memorySwitch,
  moveData,
  type Standing,
  type Switch,
} from "../../src/data/index.ts";
import { dataFaultPoints } from "../../src/data/fault-points.ts";

/** What happens to data that crosses, comes back and crosses again, made up at random beforehand. */
export interface CrossingHistory {
  readonly initial: readonly number[];
  /** Transactions of the application: keys, with a new value or deleted. */
  readonly writes: readonly (readonly { readonly key: number; readonly gone: boolean }[])[];
  /** How many transactions come before each call of a store, over and over. */
  readonly pace: readonly number[];
  /** Which hit of which fault point kills whoever carries it. */
  readonly kills: readonly { readonly point: number; readonly hit: number }[];
  /** Turns to the other side. */
  readonly legs: number;
  readonly mapped: boolean;
  readonly chunkRows: number;
}

const points: readonly string[] = dataFaultPoints.filter((point) =>
  /^data\.(cutover|move|target)\./.test(point),
);
const keySpace = 16;
/** False alarms before a crossing that end a history. */
const mostAlarms = 2;
const key = fc.integer({ min: 0, max: keySpace - 1 });

export const crossingHistories: fc.Arbitrary<CrossingHistory> = fc.record({
  initial: fc.array(key, { maxLength: keySpace, size: "max" }),
  writes: fc.array(fc.array(fc.record({ key, gone: fc.boolean() }), { minLength: 1, maxLength: 3 }), {
    maxLength: 80,
    size: "max",
  }),
  pace: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 }),
  kills: fc.array(
    fc.record({
      point: fc.integer({ min: 0, max: points.length - 1 }),
      hit: fc.integer({ min: 1, max: 10 }),
    }),
    { maxLength: 5 },
  ),
  legs: fc.integer({ min: 1, max: 4 }),
  mapped: fc.boolean(),
  chunkRows: fc.integer({ min: 1, max: 5 }),
});

type Side = Standing["side"];
export interface Sides {
  readonly old: DataStore;
  readonly new: DataStore;
  /** As an application does. @throws CUTOVER_DATA_FENCED */
  write(side: Side, changes: readonly Change[], epoch: number): Promise<void>;
}

const keyOf = (number: number): Buffer => Buffer.from([Math.floor(number / 6), number % 6]);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** Values are numbers that are given out once; on the new side of a map with a letter before them. */
const numberIn = (value: Uint8Array): number => Number(Buffer.from(value).toString().replace("v", ""));
const bytesOn = (side: Side, mapped: boolean, value: number): Buffer =>
  Buffer.from(side === "new" && mapped ? `v${value}` : String(value));

const to = (side: Side) => ({
  map: ({ collection, key: place, value }: { collection: string; key: Uint8Array; value: Uint8Array }) => ({
    collection,
    key: place,
    value: bytesOn(side, true, numberIn(value)),
  }),
  places: (collection: string, place: Uint8Array) => [{ collection, key: place }],
});

/** Ends whoever carries a crossing. From then on no call of his gets through, as after `kill -9`. */
class Killed extends Error {}

/** Many small waits in the time of one. Limits never come. */
function hastyClock(): Clock {
  let now = 0;
  return {
    ...systemClock,
    monotonic: () => (now += 1),
    after: (ms, run) => systemClock.after(ms < 60_000 ? ms / 50 : ms, run),
  };
}

/**
 * Plays a history and gives what is wrong, if anything: a key of either side that goes back, sides that differ when the switch is
 * turned, or a side in charge that has not what the application was told is written.
 */
export async function playCrossing(history: CrossingHistory, stores: Sides): Promise<string | undefined> {
  const kept = memorySwitch();
  const world = new Application(history, stores, kept);
  await world.begin();
  let kills = [...history.kills];
  const hits = new Map<string, number>();
  let carrier = { dead: false };
  setFaultHandler((name) => {
    const hit = (hits.get(name) ?? 0) + 1;
    hits.set(name, hit);
    const due = kills.find(({ point, hit: at }) => points[point] === name && at === hit);
    if (due === undefined) return;
    kills = kills.filter((kill) => kill !== due);
    carrier.dead = true;
    throw new Killed(`${name} ${hit}`);
  });
  try {
    let state: CrossingState | undefined;
    let moved = false;
    let [leg, alarms] = [1, 0];
    for (let fence = 1; leg <= history.legs && world.wrong === undefined; fence++) {
      const life = { dead: false };
      carrier = life;
      const sides = {
        old: mortal(stores.old, life, world, "old"),
        new: mortal(stores.new, life, world, "new"),
      };
      const by = {
        job: "orders",
        fence,
        clock: hastyClock(),
        ...(history.mapped ? { map: to("new") } : {}),
      };
      try {
        if (!moved)
          await moveData({
            ...by,
            source: sides.old,
            target: sides.new,
            without: ["orders:back", "orders:try"],
            chunk: { rows: history.chunkRows },
          });
        moved = true;
        await (leg % 2 === 1 ? crossOver : goBack)({
          ...by,
          ...sides,
          switch: witnessed(kept, life, world),
          ...(history.mapped ? { back: to("old") } : {}),
          limits: { pauseMs: 1e9, abortMs: 1e9, lagMs: 1e9 },
          random: (length) => new Uint8Array(length).fill(fence),
          ...(state === undefined ? {} : { state }),
          save: (now) => {
            if (life.dead) return Promise.reject(new Killed("it is dead"));
            state = now;
            return Promise.resolve();
          },
        });
      } catch (error) {
        if (life.dead) continue;
        // Nobody was stopped. A row that came and went between two looks is told as a difference; one that stays is told each time.
        if (hasCode(error, "CUTOVER_DATA_DIFFERS") && ++alarms < mostAlarms) continue;
        return `leg ${leg} failed: ${String(error)}`;
      }
      await world.goOn(leg / history.legs);
      state = undefined;
      alarms = 0;
      leg++;
    }
  } finally {
    setFaultHandler(undefined);
  }
  return world.wrong ?? (await world.lost());
}

/** Writes to the side in charge as far as it has heard, and keeps what it was told is written. */
class Application {
  wrong: string | undefined;
  readonly #history: CrossingHistory;
  readonly #stores: Sides;
  readonly #switch: Switch;
  readonly #rows = new Map<string, number>();
  /** Values that a key had, oldest first. */
  readonly #versions = new Map<string, (number | null)[]>();
  /** How far each side has come with each key. */
  readonly #seen = { old: new Map<string, number>(), new: new Map<string, number>() };
  #standing: Standing = { side: "old", epoch: 0 };
  #written = 0;
  #calls = 0;
  #value = 0;
  #busy: Promise<void> = Promise.resolve();

  constructor(history: CrossingHistory, stores: Sides, kept: Switch) {
    this.#history = history;
    this.#stores = stores;
    this.#switch = kept;
  }

  async begin(): Promise<void> {
    const keys = [...new Set(this.#history.initial)];
    if (keys.length > 0) await this.#write(keys.map((each) => ({ key: each, gone: false })));
  }

  /** A few transactions; fewer where the side in charge takes none. Nobody waits for one that has to wait. */
  some(): Promise<void> {
    const { pace } = this.#history;
    return this.#until(this.#written + (pace[this.#calls++ % pace.length] ?? 1));
  }

  /** Up to this share of all that is to be written. */
  goOn(share: number): Promise<void> {
    return this.#until(Math.floor(share * this.#history.writes.length));
  }

  #until(count: number): Promise<void> {
    const done = this.#busy.then(async () => {
      for (let transaction; this.#written < count; this.#written++) {
        transaction = this.#history.writes[this.#written];
        if (transaction === undefined || !(await this.#write(transaction))) return;
      }
    });
    this.#busy = done.catch((error: unknown) => {
      this.wrong ??= `a write failed: ${asError(error).message}`;
    });
    return this.#busy;
  }

  /** False when it was refused, and nothing of it carried out. */
  async #write(keys: readonly { readonly key: number; readonly gone: boolean }[]): Promise<boolean> {
    for (let again = false; ; again = true) {
      const { side, epoch } = this.#standing;
      const last = [...new Map(keys.map((one) => [one.key, one])).values()];
      const values = last.map(({ gone }, index) => (gone ? null : this.#value + index + 1));
      const changes = last.map(({ key: number }, index): Change => {
        const value = values[index] ?? null;
        const bytes = value === null ? null : bytesOn(side, this.#history.mapped, value);
        return { collection: "", key: keyOf(number), value: bytes };
      });
      // Told first: who follows the log may be quicker than the answer.
      const undo = last.map(({ key: number }, index) =>
        this.#tell(side, hex(keyOf(number)), values[index] ?? null),
      );
      try {
        await this.#stores.write(side, changes, epoch);
      } catch (error) {
        for (const each of undo) each();
        if (!hasCode(error, "CUTOVER_DATA_FENCED")) throw error;
        this.#standing = await this.#switch.read();
        if (again) return false;
        continue;
      }
      this.#value += last.length;
      for (const [index, { key: number }] of last.entries()) {
        const value = values[index] ?? null;
        if (value === null) this.#rows.delete(hex(keyOf(number)));
        else this.#rows.set(hex(keyOf(number)), value);
      }
      return true;
    }
  }

  #tell(side: Side, place: string, value: number | null): () => void {
    const versions = this.#versions.get(place) ?? [null];
    const before = this.#seen[side].get(place);
    this.#versions.set(place, [...versions, value]);
    this.#seen[side].set(place, versions.length);
    return () => {
      this.#versions.set(place, versions);
      if (before === undefined) this.#seen[side].delete(place);
      else this.#seen[side].set(place, before);
    };
  }

  /** Looks at what somebody brings to a side. */
  look(side: Side, changes: readonly Omit<Change, "collection">[]): void {
    for (const [place, value] of new Map(changes.map((each) => [hex(each.key), each.value]))) {
      const number = value === null ? null : numberIn(value);
      const versions = this.#versions.get(place) ?? [null];
      const before = this.#seen[side].get(place) ?? 0;
      const at = versions.findIndex((version, index) => index >= before && version === number);
      if (at >= 0) this.#seen[side].set(place, at);
      else
        this.wrong ??= `${place} of the ${side} side went back to ${number} from version ${before} of ${versions.join(" ")}`;
    }
  }

  async sidesDiffer(): Promise<void> {
    const [old, young] = [await rowsOf(this.#stores.old), await rowsOf(this.#stores.new)];
    if (old !== young) this.wrong ??= `at a turn the old side has ${old}, the new one ${young}`;
  }

  /** Whether the side in charge has what was told is written. */
  async lost(): Promise<string | undefined> {
    await this.#busy;
    const { side } = await this.#switch.read();
    const found = await rowsOf(this.#stores[side]);
    const expected = shown([...this.#rows]);
    if (found !== expected) return `the ${side} side has ${found}, expected ${expected}`;
    const right = this.#history.legs % 2 === 1 ? "new" : "old";
    return side === right ? this.wrong : `the ${side} side is in charge, expected the ${right} one`;
  }
}

const shown = (rows: readonly (readonly [string, number])[]): string =>
  rows
    .map(([place, value]) => `${place}:${value}`)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .join(" ");

async function rowsOf(store: DataStore): Promise<string> {
  const found: (readonly [string, number])[] = [];
  for await (const rows of store.scan({ collection: "" }))
    for (const { key: place, value } of rows) found.push([hex(place), numberIn(value)]);
  return shown(found);
}

/** A switch that is only turned to the other side while both hold the same. */
function witnessed(kept: Switch, life: { readonly dead: boolean }, world: Application): Switch {
  return {
    name: kept.name,
    read: async () => {
      if (life.dead) throw new Killed("it is dead");
      return await kept.read();
    },
    follow: (options) => kept.follow(options),
    turn: async (standing) => {
      if (life.dead) throw new Killed("it is dead");
      if ((await kept.read()).side !== standing.side) await world.sidesDiffer();
      await kept.turn(standing);
    },
  };
}

/** The store, with the application writing before each call; whoever is dead gets nothing through any more. */
function mortal(
  store: DataStore,
  life: { readonly dead: boolean },
  world: Application,
  side: Side,
): DataStore {
  const alive = (): void => {
    if (life.dead) throw new Killed("it is dead");
  };
  return new Proxy(store, {
    get(of, name) {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member !== "function") return member;
      if (name === "log")
        return async function* log(...given: Parameters<DataStore["log"]>): AsyncGenerator<LogBatch> {
          for await (const batch of of.log(...given)) {
            alive();
            yield batch;
          }
        };
      const bound = member.bind(of) as (...given: unknown[]) => unknown;
      if (name === "scan" || name === "blocks" || name === "snapshot") return bound;
      return async (...given: unknown[]) => {
        await world.some();
        alive();
        if (name === "applyTxn") {
          const { changes, rows } = given[0] as Parameters<DataStore["applyTxn"]>[0];
          const own = [...changes, ...rows].filter(({ collection }) => collection === "");
          world.look(side, own);
        }
        return await bound(...given);
      };
    },
  });
}
