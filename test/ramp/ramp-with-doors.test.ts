/** A ramp as a run carries it: real store, engine and doors in two processes' worth of rollouts, on a manual clock. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defineMigration, type Migration, phase, rate, type Step, value, when } from "cutover";
import type { RunHandle } from "cutover/engine";
import { createRollout, ramp, type RampOptions, type Rollout } from "cutover/rollout";
import { storeLink } from "cutover/store";
import { openRig, type Rig } from "../../src/testing/engine-rig.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "../../src/engine/measured-judge.ts";

type Keys = "random" | "sequential" | "skewed";

/** Numbers from 0 up to 1, the same in every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Ids as customers have them: at random, one after the other, or a few of them most of the time (Zipf 1.1 of 5,000). */
function keysOf(kind: Keys): () => string {
  const next = numbers(7);
  let i = 0;
  if (kind === "sequential") return () => `order-${(i += 1)}`;
  if (kind === "random") return () => `order-${Math.floor(next() * 1e9)}`;
  const weights = Array.from({ length: 5_000 }, (_, rank) => 1 / (rank + 1) ** 1.1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return () => {
    let left = next() * total;
    const rank = weights.findIndex((weight) => (left -= weight) < 0);
    return `customer-${rank}`;
  };
}

/** An application of two doors that call the same route; remembers which side answered which key, and when. */
class Application {
  readonly #rig: Rig;
  readonly #doors: readonly Rollout[];
  readonly #submits: readonly ((key: string) => string)[];
  readonly #key: () => string;
  /** Keys by side, since the share was last changed. */
  readonly seen = { old: new Set<string>(), new: new Set<string>() };
  readonly calls = { old: 0, new: 0 };
  /** Keys the new side once answered and the old side answered later. */
  readonly movedBack: string[] = [];
  readonly #onNew = new Set<string>();
  failing = 0;
  #failures = numbers(11);

  constructor(rig: Rig, keys: Keys) {
    this.#rig = rig;
    this.#key = keysOf(keys);
    const names = ["host:1", "host:2"];
    this.#doors = names.map((name) =>
      createRollout({ clock: rig.clock, link: storeLink(rig.store, { clock: rig.clock }), name }),
    );
    this.#submits = this.#doors.map((door) =>
      door.route("orders", {
        old: (key: string) => this.#answer("old", key),
        new: (key: string) => this.#answer("new", key),
        key: (key) => key,
        effects: "none",
      }),
    );
  }

  #answer(side: "old" | "new", key: string): string {
    if (side === "new" && this.#failures() < this.failing) throw new Error("the new side broke");
    this.calls[side]++;
    this.seen[side].add(key);
    if (side === "new") this.#onNew.add(key);
    else if (this.failing === 0 && this.#onNew.has(key)) this.movedBack.push(key);
    return `${side} ${key}`;
  }

  forget(): void {
    this.seen.old.clear();
    this.seen.new.clear();
    this.calls.old = this.calls.new = 0;
  }

  /** A second of the clock with 200 calls in four bursts; `before` each of them. */
  async second(before: () => Promise<void> = async () => {}): Promise<void> {
    for (let i = 0; i < 200; i++) {
      if (i % 50 === 0) {
        await this.#rig.clock.advance(250);
        await before();
      }
      try {
        this.#submits[i % 2]?.(this.#key());
      } catch {
        // the caller's own affair
      }
    }
  }

  async close(): Promise<void> {
    const closing = Promise.all(this.#doors.map((door) => door.close()));
    await Promise.race([closing, this.#rig.clock.advance(5_000)]);
  }
}

let rig: Rig;
let app: Application | undefined;
beforeEach(async () => {
  rig = await openRig();
});
afterEach(async () => {
  await app?.close();
  app = undefined;
  await rig[Symbol.asyncDispose]();
});

const shares = [10, 50, 100];
const migration = (
  options: RampOptions,
  more: Partial<Parameters<typeof defineMigration>[0]> = {},
): Migration =>
  defineMigration({
    name: "rollout",
    phases: [phase("rollout", { steps: [ramp("orders", shares, options) as Step] })],
    ...more,
  });

const shareNow = async (): Promise<number> => (await rig.store.routes.get("orders"))?.share ?? 0;

/** Drives traffic until the run is over or `done`, and tells at each change of the share. */
async function drive(
  handle: RunHandle,
  seconds: number,
  onShare: (share: number) => void = () => {},
  done: () => boolean = () => false,
): Promise<boolean> {
  let over = false;
  const settled = handle.done.then(
    () => (over = true),
    () => (over = true),
  );
  void settled;
  let share = await shareNow();
  const look = async (): Promise<void> => {
    const now = await shareNow();
    if (now === share) return;
    onShare(share);
    app?.forget();
    share = now;
  };
  for (let i = 0; i < seconds && !over && !done(); i++) await app?.second(look);
  return over;
}

/** Five standard deviations of a share among `n` keys or calls. */
const within = (part: number, share: number, n: number): boolean =>
  Math.abs(part - share) <= 5 * Math.sqrt((share * (1 - share)) / n) + 1 / n;

describe.each<Keys>(["random", "sequential", "skewed"])("a ramp under %s keys", (keys) => {
  test("goes through its shares by itself, each respected within its bounds, and no key moves back", async () => {
    app = new Application(rig, keys);
    await app.second();
    const handle = await rig.start(migration({ hold: "20s" }));
    const stages: { share: number; keys: number; part: number; calls: number; callPart: number }[] = [];
    const over = await drive(handle, 600, (share) => {
      const seen = app?.seen ?? { old: new Set(), new: new Set() };
      const total = seen.old.size + seen.new.size;
      const calls = (app?.calls.old ?? 0) + (app?.calls.new ?? 0);
      stages.push({
        share,
        keys: total,
        part: seen.new.size / total,
        calls,
        callPart: (app?.calls.new ?? 0) / calls,
      });
    });
    expect(over).toBe(true);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(await rig.store.routes.get("orders")).toMatchObject({ stage: "live", share: 100 });
    expect(stages.map(({ share }) => share)).toEqual([0, 10, 50]);
    for (const { share, keys: n, part, calls, callPart } of stages.slice(1)) {
      expect(n).toBeGreaterThan(500);
      expect(within(part, share / 100, n)).toBe(true);
      if (keys !== "skewed") expect(within(callPart, share / 100, calls)).toBe(true);
    }
    expect(app.movedBack).toEqual([]);
    const [step] = await rig.store.runs.steps(handle.id);
    const result = step?.result as unknown as { levels: { share: number; ms: number }[] } | undefined;
    const levels = result?.levels ?? [];
    expect(levels.map(({ share }) => share)).toEqual(shares);
    for (const { ms } of levels) expect(ms).toBeGreaterThanOrEqual(20_000);
  });
});

describe("a ramp in a run", () => {
  test("goes back to where the route was as soon as its gate fails", async () => {
    app = new Application(rig, "random");
    await app.second();
    const handle = await rig.start(migration({ hold: "20s" }));
    let failedAt = 0;
    const over = await drive(handle, 300, (share) => {
      if (share !== 10 || app === undefined) return;
      app.failing = 0.3;
      failedAt = rig.clock.now();
    });
    expect(over).toBe(true);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(await rig.store.routes.get("orders")).toMatchObject({ stage: "off", share: 0 });
    expect(rig.clock.now() - failedAt).toBeLessThan(30_000);
  });

  test("asks a person when a share takes too long, goes on looking, and waits as long again for who continues", async () => {
    app = new Application(rig, "random");
    await app.second();
    const handle = await rig.start(
      migration({ gate: rate.error("orders").below(0.01), atLeast: 5_000, atMost: "30s", otherwise: "ask" }),
    );
    const holding = (): boolean => handle.live().state === "HOLDING";
    await drive(handle, 120, undefined, holding);
    expect(handle.live().reason).toContain(
      'step "rollout/ramp" asks: expected orders at 10 % to be proven within 30 s',
    );
    expect(handle.live().reason).toContain("more calls");
    await handle.continue("ann", "traffic is slow today");
    expect(handle.live().state).toBe("RUNNING");
    await drive(handle, 20);
    expect(handle.live().state).toBe("RUNNING");
    await drive(handle, 60, undefined, holding);
    expect(await shareNow()).toBe(10);
    // Held still, it is cleared by what comes in meanwhile, and takes its question back.
    await drive(handle, 400, undefined, () => !holding());
    await drive(handle, 3);
    expect(await shareNow()).toBe(50);
  });

  test("a question outlives the time limit of its step", async () => {
    app = new Application(rig, "random");
    await app.second();
    const handle = await rig.start(
      migration({ atLeast: 1_000_000, atMost: "30s", otherwise: "ask" }, { name: "patient" }),
    );
    await drive(handle, 60, undefined, () => handle.live().state === "HOLDING");
    await rig.clock.advance(4_000_000);
    expect(handle.live()).toMatchObject({ state: "HOLDING", steps: { RUNNING: 1 } });
    await handle.rollback("ann", "another day");
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
  }, 60_000);

  test("raises no share while a trigger holds, and goes on by itself", async () => {
    app = new Application(rig, "random");
    await app.second();
    let bad = 0;
    const guard = when(value("load", () => bad).above(0.5, { n: 1, of: 1, interval: "1s" })).then("hold");
    const handle = await rig.start(migration({ hold: "10s" }, { triggers: [guard] }));
    await drive(handle, 60, undefined, () => app?.calls.new !== 0);
    bad = 1;
    await drive(handle, 90);
    expect(handle.live().state).toBe("HOLDING");
    expect(await shareNow()).toBe(10);
    bad = 0;
    expect(await drive(handle, 200)).toBe(true);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });
});
