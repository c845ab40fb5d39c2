import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RandomBytes, setFaultHandler, silentLog } from "../core/index.ts";
import { defineMigration, type Migration, phase, type Step } from "../plan/index.ts";
import { openSqliteStore, type Store } from "../store/index.ts";
import { ManualClock } from "./manual-clock.ts";
import {
  createEngine,
  type Engine,
  type EngineOptions,
  type ResumeOptions,
  type RunHandle,
} from "../engine/index.ts";

/** An engine over a real store on a manual clock, for this room's tests. */
export interface Rig extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly dir: string;
  /** A new engine on the same store; the one before is left where it is, as a killed process would leave it. */
  engine(options?: Partial<EngineOptions>): Engine;
  start(migration: Migration, options?: { readonly from?: string }): Promise<RunHandle>;
  resume(run: string, migration: Migration, options?: Partial<ResumeOptions>): Promise<RunHandle>;
  /** Moves the clock until the run is over, and answers how it ended. */
  end(handle: RunHandle, limitMs?: number): Promise<Awaited<RunHandle["done"]>>;
  /** Stores one second of measured calls of a route, ending now: `[calls, errors]` of each side. */
  measure(route: string, counts: Measured): Promise<void>;
  /** Moves the clock until `done` holds. */
  until(done: () => boolean, limitMs?: number): Promise<void>;
}

export interface Measured {
  readonly old?: readonly [calls: number, errors: number];
  readonly new?: readonly [calls: number, errors: number];
  readonly compared?: number;
  readonly mismatches?: number;
}

/** Runs steps to their end, on the clock that the engine has: how the run ended, and by step (`move/NAME`) its result or error. */
export async function runSteps(
  rig: Rig,
  steps: readonly Step[],
): Promise<{ readonly state: string; readonly results: Readonly<Record<string, unknown>> }> {
  const handle = await rig.start(
    defineMigration({ name: "moving", phases: [phase("move", { steps: [...steps] })] }),
  );
  const { state } = await handle.done;
  const records = await rig.store.runs.steps(handle.id);
  return {
    state,
    results: Object.fromEntries(records.map(({ step: id, result, error }) => [id, error ?? result])),
  };
}

export async function openRig(defaults: Partial<EngineOptions> = {}): Promise<Rig> {
  const clock = new ManualClock();
  const dir = await mkdtemp(join(tmpdir(), "cutover-engine-"));
  const store = await openSqliteStore({ path: ":memory:", clock });
  const engines: Engine[] = [];
  const random = repeatable();
  let intervals = 0;
  const engine = (options: Partial<EngineOptions> = {}): Engine => {
    const owner = `test-${engines.length + 1}`;
    const made = createEngine({ store, clock, log: silentLog, random, owner, dir, ...defaults, ...options });
    engines.push(made);
    return made;
  };
  const latest = (): Engine => engines.at(-1) ?? engine();
  return {
    clock,
    store,
    dir,
    engine,
    start: (migration, options = {}) =>
      latest().start(migration, { by: "ann", source: "test.ts", ...options }),
    resume: (run, migration, options = {}) => latest().resume(run, migration, { by: "ann", ...options }),
    async end(handle, limitMs) {
      let over = false;
      const settled = handle.done.finally(() => (over = true));
      settled.catch(() => {});
      await clock.advanceUntil(() => over, limitMs);
      // The last commits need no timer, only turns of the event loop.
      for (let turn = 0; turn < 200 && !over; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (!over) throw new Error(`the run stands still: ${JSON.stringify(handle.live())}`);
      return await settled;
    },
    async measure(route, { old = [0, 0], new: fresh = [0, 0], compared = 0, mismatches = 0 }) {
      const state = await store.routes.get(route);
      const to = clock.now();
      await store.routes.recordIntervals([
        {
          id: `interval-${(intervals += 1)}`,
          route,
          door: "test",
          epoch: state?.epoch ?? 0,
          stage: state?.stage ?? "off",
          share: state?.share ?? 0,
          from: to - 1_000,
          to,
          old: { calls: old[0], errors: old[1], latency: [] },
          new: { calls: fresh[0], errors: fresh[1], latency: [] },
          shadow: { calls: compared, errors: 0, timeouts: 0, skipped: 0 },
          compared,
          mismatches,
          failedOver: 0,
          operations: {},
        },
      ]);
    },
    async until(done, limitMs) {
      if (!(await clock.advanceUntil(done, limitMs))) throw new Error("it did not come to pass");
    },
    async [Symbol.asyncDispose]() {
      setFaultHandler(undefined);
      await Promise.race([
        Promise.all(engines.map((each) => each[Symbol.asyncDispose]())),
        clock.advanceUntil(() => false, 20_000),
      ]);
      await store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The same bytes in every test, so that ids and jitter are: a linear congruence (Numerical Recipes). */
function repeatable(): RandomBytes {
  let state = 1;
  return (length) =>
    Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
}
