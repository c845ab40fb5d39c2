import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFaultHandler, silentLog } from "../core/index.ts";
import type { Migration } from "../plan/index.ts";
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
  /** Moves the clock until `done` holds. */
  until(done: () => boolean, limitMs?: number): Promise<void>;
}

export async function openRig(defaults: Partial<EngineOptions> = {}): Promise<Rig> {
  const clock = new ManualClock();
  const dir = await mkdtemp(join(tmpdir(), "cutover-engine-"));
  const store = await openSqliteStore({ path: ":memory:", clock });
  const engines: Engine[] = [];
  const engine = (options: Partial<EngineOptions> = {}): Engine => {
    const owner = `test-${engines.length + 1}`;
    const made = createEngine({ store, clock, log: silentLog, owner, dir, ...defaults, ...options });
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
      if (!(await clock.advanceUntil(() => over, limitMs)))
        throw new Error(`the run stands still: ${JSON.stringify(handle.live())}`);
      return await settled;
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
