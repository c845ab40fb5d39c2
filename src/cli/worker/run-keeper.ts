import { asError, type Clock, hasCode, type Timer } from "../../core/index.ts";
import { type Engine, type RunHandle, unfinishedRunStates } from "../../engine/index.ts";
import type { Migration } from "../../plan/index.ts";
import type { RunRecord, Store } from "../../store/index.ts";

export interface KeeperParts {
  readonly store: Store;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly migrations: readonly Migration[];
  readonly by: string;
  /** Evenly from [0, 1): workers that were started together do not look together. */
  readonly random: () => number;
  /** Who carries a run now; undefined when nobody does. */
  readonly carriedBy: (run: string) => Promise<string | undefined>;
  /** `taken` up here, `ended` here, `refused` with what stands against it. */
  readonly say: (what: "taken" | "ended" | "refused", run: RunRecord, text: string) => void;
}

/** How often unfinished runs are looked for, give or take a third. */
const lookEveryMs = 3_000;
/** A run that was created so lately belongs to who creates it, also before its first claim. */
const newMs = 15_000;
/** What passes by itself: a run that could not be taken up for this is tried again at the next look. */
const passing = [
  "CUTOVER_STORE_OWNED", // Another worker was quicker.
  "CUTOVER_STORE_UNAVAILABLE",
  "CUTOVER_STORE_FULL",
  "CUTOVER_STORE_CONFLICT",
  "CUTOVER_LEASE_LOST",
] as const;

/** Carries on the unfinished runs of its migrations whose carrier is gone. The lease decides who of many gets one. */
export class RunKeeper implements AsyncDisposable {
  readonly #parts: KeeperParts;
  readonly #refused = new Set<string>();
  #timer: Timer | undefined;
  #stopped = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Looks at once, and from then on again and again. */
  start(): void {
    if (this.#parts.migrations.length === 0) return;
    this.#looking = this.#look().finally(() => this.#arm());
  }

  get carried(): readonly RunHandle[] {
    return this.#parts.engine.carried;
  }

  /** The look that is under way, or else the last one: what it took up stands in `carried` then. */
  get looked(): Promise<void> {
    return this.#looking;
  }

  /** Looks no more and gives its runs free; steps stop at their next checkpoint. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
    await this.#parts.engine[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #arm(): void {
    if (this.#stopped) return;
    const { clock, random } = this.#parts;
    this.#timer = clock.after(lookEveryMs * (2 / 3 + (2 / 3) * random()), () => {
      this.#looking = this.#look().finally(() => this.#arm());
    });
  }

  async #look(): Promise<void> {
    const { store, migrations } = this.#parts;
    for (const migration of migrations) {
      try {
        const runs = await store.runs.list({ migration: migration.name, states: unfinishedRunStates });
        for (const run of runs) if (!this.#stopped) await this.#consider(run, migration);
      } catch {
        // A store that does not answer is asked again at the next look; the queue says so meanwhile.
      }
    }
  }

  async #consider(run: RunRecord, migration: Migration): Promise<void> {
    const { store, engine, carriedBy, by, say } = this.#parts;
    const key = `${run.id} ${run.hash}`;
    if (this.#refused.has(key) || engine.carried.some(({ id }) => id === run.id)) return;
    // A stuck way back needs a person, and a run that has just begun its first carrier.
    if (run.state === "ROLLBACK_STUCK") return;
    if (run.fence === 0 && store.clock.now() - run.createdAt < newMs) return;
    if ((await carriedBy(run.id)) !== undefined) return;
    try {
      const handle = await engine.resume(run.id, migration, { by });
      say("taken", run, `taken up, ${run.state}`);
      handle.done.then(
        ({ state, reason }) => say("ended", run, `${state}${reason === "" ? "" : `: ${reason}`}`),
        (error: unknown) => say("ended", run, asError(error).message),
      );
    } catch (error) {
      if (passing.some((code) => hasCode(error, code))) return;
      this.#refused.add(key);
      say("refused", run, asError(error).message);
    }
  }
}
