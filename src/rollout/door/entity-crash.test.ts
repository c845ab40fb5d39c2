import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Clock, type RouteState, type Side, type Stage } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { Deadlines } from "./deadlines.ts";
import { openEntity } from "./entity.ts";
import { readEntityOptions } from "./entity-options.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { Ledger } from "./ledger.ts";
import { Overhead } from "./overhead.ts";
import { ErrorReporter } from "./report-error.ts";
import type { Write } from "./write-ids.ts";

/** What a crash leaves: files, and the two sides with all that reached them. */
class World {
  readonly clock: ManualClock = new ManualClock();
  readonly random: () => number;
  readonly files: Map<string, { readonly file: number; bytes: Buffer }> = new Map();
  readonly locks: Map<string, Process> = new Map();
  readonly sides: Record<Side, Rows> = { old: new Rows(), new: new Rows() };
  /** Sides that keep the id of the last write of a key, and leave alone what is not newer. */
  readonly fenced: boolean;
  state: RouteState = { route: "r", stage: "dualwrite", share: 0, epoch: 1, salt: "s" };
  readonly acknowledged: Map<string, string> = new Map();
  /** Values whose caller was told that they were refused. */
  readonly refused: Set<string> = new Set();
  trouble = 0.3;
  #file = 0;
  #value = 0;

  constructor(random: () => number, fenced: boolean) {
    this.random = random;
    this.fenced = fenced;
  }

  nextFile(): number {
    return ++this.#file;
  }

  nextValue(): string {
    return `v${++this.#value}`;
  }
}

class Rows {
  readonly rows = new Map<string, { readonly id: string; readonly value: string }>();
  readonly values: Set<string> = new Set();
  /** Ids that reached a key for the first time, in order. */
  readonly order = new Map<string, string[]>();

  apply(key: string, id: string, value: string, fenced: boolean): void {
    if (fenced && (this.rows.get(key)?.id ?? "") >= id) return;
    this.rows.set(key, { id, value });
    this.values.add(value);
    const order = this.order.get(key) ?? [];
    if (!order.includes(id)) order.push(id);
    this.order.set(key, order);
  }

  get contents(): readonly (readonly [string, string])[] {
    return [...this.rows]
      .map(([key, { value }]) => [key, value] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  }
}

class Killed extends Error {}

/** One process: everything it does to the world counts, and at one of these moments it dies. */
class Process {
  alive = true;
  moments = 0;
  readonly #world: World;
  readonly #dieAt: number;
  readonly #entity;
  readonly #ledger: Ledger;

  constructor(world: World, dieAt = Number.POSITIVE_INFINITY, mostOpen = 1_000) {
    this.#world = world;
    this.#dieAt = dieAt;
    const clock: Clock = {
      now: () => world.clock.now(),
      monotonic: () => world.clock.monotonic(),
      after: (ms, fn) => world.clock.after(ms, () => (this.alive ? fn() : undefined)),
    };
    const options = {
      key: (key: string) => key,
      reads: {
        get: {
          old: (key: string) => world.sides.old.rows.get(key)?.id ?? "",
          new: (key: string) => world.sides.new.rows.get(key)?.id ?? "",
        },
      },
      writes: {
        put: { old: this.#side("old"), new: this.#side("new") },
      },
      unsure: (error: unknown) => (error as Error).message === "timeout",
      attempts: 1_000,
      deadline: "1s",
      journal: "/journals",
    };
    const limits = readEntityOptions("r", options);
    this.#ledger = new Ledger(world.state, {
      clock,
      random: world.random,
      deadline: 1_000,
      expected: undefined,
    });
    this.#entity = openEntity("r", options as never, limits, {
      ledger: this.#ledger,
      apart: new Deadlines(clock, 2_000),
      live: new Deadlines(clock, 1_000),
      errors: new ErrorReporter(undefined, clock),
      clock,
      door: "d",
      random: world.random,
      overhead: new Overhead(clock, 5),
      closing: [],
      sharedEpochs: true,
      mostOpen,
      disk: this.#disk(),
      folder: () => "/journals",
    });
  }

  get backlog() {
    return this.#entity.backlog;
  }

  /** Id of the last write of a key, as a caller reads it. */
  get(key: string): string {
    return (this.#entity.functions["get"] as unknown as (key: string) => string)(key);
  }

  put(key: string): void {
    if (!this.alive) return;
    const value = this.#world.nextValue();
    const put = this.#entity.functions["put"] as unknown as (key: string, value: string) => Promise<string>;
    void (async () => put(key, value))().then(
      (id) => {
        const before = this.#world.acknowledged.get(key) ?? "";
        if (this.alive && id > before) this.#world.acknowledged.set(key, id);
      },
      (error: unknown) => {
        if (this.alive && (error as Error).message === "refused") this.#world.refused.add(value);
      },
    );
  }

  hear(state: RouteState): void {
    if (!this.alive) return;
    this.#ledger.setState(state);
    this.#entity.stateChanged();
  }

  kill(): void {
    this.alive = false;
    for (const [path, holder] of this.#world.locks) if (holder === this) this.#world.locks.delete(path);
  }

  #moment(): void {
    if (!this.alive) throw new Killed();
    if (++this.moments < this.#dieAt) return;
    this.kill();
    throw new Killed();
  }

  #side(side: Side) {
    const { random, clock, sides, fenced } = this.#world;
    const world = this.#world;
    const hang = new Promise<never>(() => {});
    const wait = (ms: number): Promise<void> =>
      new Promise((resolve) => void clock.after(ms, () => (this.alive ? resolve() : undefined)));
    const step = async (): Promise<void> => {
      try {
        this.#moment();
      } catch {
        await hang;
      }
    };
    return async function put(this: Write, key: string, value: string): Promise<string> {
      await step();
      const { id } = this;
      const luck = world.trouble === 0 ? 1 : random();
      if (luck < world.trouble / 3) throw new Error(random() < 0.5 ? "refused" : "timeout");
      await wait(Math.floor(random() * 20));
      await step();
      sides[side].apply(key, id, value, fenced);
      await step();
      if (luck < (2 * world.trouble) / 3) throw new Error("timeout");
      // Only a side that fences may be late: without it an old state could come after a new one.
      if (luck < world.trouble && fenced) await wait(5_000);
      await wait(Math.floor(random() * 20));
      await step();
      return id;
    };
  }

  #disk(): JournalDisk {
    const { files, locks } = this.#world;
    const open = new Map<number, { readonly file: number; bytes: Buffer }>();
    let last = 0;
    const named = (fd: number): { readonly file: number; bytes: Buffer } => {
      const found = open.get(fd);
      if (found === undefined) throw new Error(`descriptor ${fd} is closed`);
      return found;
    };
    const opened = (path: string): number => {
      const file = files.get(path) ?? { file: this.#world.nextFile(), bytes: Buffer.alloc(0) };
      files.set(path, file);
      open.set(++last, file);
      return last;
    };
    const alive = (): void => {
      if (!this.alive) throw new Killed();
    };
    return {
      makeFolder: alive,
      list: () => {
        alive();
        return [...files.keys(), ...locks.keys()].map((path) => path.slice("/journals/".length));
      },
      changedAt: () => Number.NaN,
      look: (path) => {
        alive();
        const found = files.get(path);
        return found === undefined ? undefined : { file: found.file, size: found.bytes.length };
      },
      open: (path) => {
        this.#moment();
        return opened(path);
      },
      openToRead: (path) => {
        alive();
        if (!files.has(path)) throw new Error("no such file");
        return opened(path);
      },
      append: (fd, text) => {
        const file = named(fd);
        const lived = this.alive;
        try {
          this.#moment();
        } catch (error) {
          // A process that dies while it writes leaves any part of it.
          if (lived) {
            const part = Buffer.from(text).subarray(0, Math.floor(this.#world.random() * (text.length + 1)));
            file.bytes = Buffer.concat([file.bytes, part]);
          }
          throw error;
        }
        file.bytes = Buffer.concat([file.bytes, Buffer.from(text)]);
        this.#moment();
      },
      read: (fd, at, length) => {
        alive();
        return named(fd).bytes.subarray(at, at + length);
      },
      truncate: (fd, size) => {
        this.#moment();
        named(fd).bytes = named(fd).bytes.subarray(0, size);
      },
      sync: async () => alive(),
      syncNow: alive,
      close: (fd) => void open.delete(fd),
      rename: (from, to) => {
        this.#moment();
        const found = files.get(from);
        if (found === undefined) throw new Error("no such file");
        files.set(to, found);
        files.delete(from);
      },
      copy: (from, to) => {
        this.#moment();
        const found = files.get(from);
        if (found !== undefined)
          files.set(to, { file: this.#world.nextFile(), bytes: Buffer.from(found.bytes) });
      },
      remove: (path) => {
        this.#moment();
        files.delete(path);
      },
      lock: (path) => {
        this.#moment();
        if (locks.has(path)) return undefined;
        locks.set(path, this);
        return { release: () => void (locks.get(path) === this && locks.delete(path)) };
      },
    };
  }
}

const stages: readonly Stage[] = ["dualwrite", "shadow", "live", "rampdown"];

/** A generator that a seed repeats. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Life {
  /** Keys written, and pauses in milliseconds between. */
  readonly steps: readonly (
    { readonly put: string } | { readonly pause: number } | { readonly share: number }
  )[];
  /** The moment at which it dies. */
  readonly dieAt: number;
}

/** @param look sees the process after each step that it survived */
async function live(world: World, life: Life, look?: (process: Process) => void): Promise<Process> {
  const process = new Process(world, life.dieAt);
  for (const step of life.steps) {
    if (!process.alive) break;
    if ("put" in step) process.put(step.put);
    else if ("pause" in step) await world.clock.advance(step.pause);
    else {
      const stage = stages[Math.floor(world.random() * stages.length)] ?? "live";
      world.state = { ...world.state, stage, share: step.share, epoch: world.state.epoch + 1 };
      process.hear(world.state);
    }
    if (process.alive) look?.(process);
  }
  return process;
}

/** A last process that nothing kills finishes what is left. */
async function finish(world: World): Promise<Process> {
  world.trouble = 0;
  return finishWith(world, new Process(world));
}

async function finishWith(world: World, last: Process): Promise<Process> {
  await world.clock.advanceUntil(() => last.backlog.converged(), 600_000);
  return last;
}

function expectEqualSides(world: World, last: Process): void {
  expect(last.backlog.list()).toEqual([]);
  expect(last.backlog.converged()).toBe(true);
  expect(world.sides.new.contents).toEqual(world.sides.old.contents);
  for (const [key, id] of world.acknowledged) {
    expect((world.sides.old.rows.get(key)?.id ?? "") >= id, `the last acknowledged write of ${key}`).toBe(
      true,
    );
  }
  for (const { order, values } of Object.values(world.sides)) {
    expect([...world.refused].filter((value) => values.has(value))).toEqual([]);
    for (const ids of order.values()) expect(ids).toEqual(ids.toSorted());
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "c").map((put) => ({ put })) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 400 }).map((pause) => ({ pause })) },
  { weight: 1, arbitrary: fc.constantFrom(0, 50, 100).map((share) => ({ share })) },
);

const life = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 15 }),
  dieAt: fc.integer({ min: 1, max: 120 }),
});

describe("second writes under crashes", () => {
  test("bring both sides to the same state, each key's writes in order, wherever the processes died", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), fc.integer(), async (lives, seed) => {
        const world = new World(randomOf(seed), false);
        for (const each of lives) {
          const process = await live(world, each);
          process.kill();
        }
        expectEqualSides(world, await finish(world));
      }),
      { numRuns: 150 },
    );
  });

  test("never hide a write from who reads after its answer, however stage and share change", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), fc.integer(), async (lives, seed) => {
        const world = new World(randomOf(seed), false);
        const look = (process: Process): void => {
          for (const [key, id] of world.acknowledged)
            expect(process.get(key) >= id, `the answer for ${key}`).toBe(true);
        };
        for (const each of lives) (await live(world, each, look)).kill();
      }),
      { numRuns: 100 },
    );
  });

  test("survive a crash at every single moment of a life", async () => {
    const steps = ["a", "a", "b", "a"].flatMap((put) => [{ put }, { pause: 30 }]);
    let moments = 0;
    for (let dieAt = 1; dieAt <= moments + 1; dieAt++) {
      const world = new World(randomOf(7), false);
      const process = await live(world, { steps, dieAt });
      if (dieAt === 1) {
        const whole = await live(new World(randomOf(7), false), { steps, dieAt: Number.POSITIVE_INFINITY });
        moments = whole.moments;
        expect(moments).toBeGreaterThan(20);
      }
      process.kill();
      expectEqualSides(world, await finish(world));
    }
  });

  test("that nobody knows the end of do not bring an old state back over a later one", async () => {
    const world = new World(randomOf(1), false);
    world.trouble = 0;
    const dead = new Process(world);
    dead.put("a");
    const living = new Process(world);
    dead.kill();
    living.put("a");
    await world.clock.advance(100);
    expect(world.sides.old.rows.get("a")?.value).toBe("v2");
    expectEqualSides(world, await finishWith(world, living));
    expect(world.sides.new.rows.get("a")?.value).toBe("v2");
    expect(world.sides.old.values.has("v1")).toBe(false);
  });

  test("beyond what a process can hold are counted, and the count outlives it", async () => {
    const world = new World(randomOf(1), false);
    world.trouble = 0;
    const process = new Process(world, Number.POSITIVE_INFINITY, 2);
    for (const key of ["a", "b", "c"]) process.put(key);
    await world.clock.advance(1_000);
    expect([...world.sides.old.rows.keys()].toSorted()).toEqual(["a", "b", "c"]);
    expect([...world.sides.new.rows.keys()].toSorted()).toEqual(["a", "b"]);
    expect([process.backlog.size, process.backlog.lost, process.backlog.converged()]).toEqual([0, 1, false]);
    process.kill();
    const next = new Process(world);
    expect([next.backlog.lost, next.backlog.behind, next.backlog.converged()]).toEqual([1, 1, false]);
    next.backlog.clearLost();
    expect(next.backlog.converged()).toBe(true);
  });

  test("end equal with several processes at once, late answers included, when the sides fence by the id", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 2, maxLength: 4 }), fc.integer(), async (lives, seed) => {
        const world = new World(randomOf(seed), true);
        const processes = await Promise.all(lives.map((each) => live(world, each)));
        for (const process of processes) process.kill();
        const last = await finish(world);
        // A call of a process that is gone may still be on its way.
        await world.clock.advance(10_000);
        expect(last.backlog.converged()).toBe(true);
        expect(world.sides.new.contents).toEqual(world.sides.old.contents);
      }),
      { numRuns: 80 },
    );
  });
});
