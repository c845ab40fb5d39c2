import { randomBytes } from "node:crypto";
import {
  asError,
  type Clock,
  CutoverError,
  type Log,
  type RandomBytes,
  type RouteDeclaration,
} from "../core/index.ts";
import { compile, type Compiled, type Migration } from "../plan/index.ts";
import type { RunRecord, Store } from "../store/index.ts";
import { Carrier } from "./carrier.ts";
import { hearDecisions } from "./decisions.ts";
import { createRun, requireNoneUnfinished } from "./create-run.ts";
import { type Graph, graphOf, makeWorkDir, type Settings } from "./desk.ts";
import { Lease } from "./lease.ts";
import { measuredRoutes, requireReaders } from "./measured.ts";
import { rollbackByPerson } from "./people.ts";
import { redefinition } from "./redefine.ts";
import { routeChanges } from "./route-history.ts";
import { handleOf, type RunHandle } from "./run-handle.ts";
import { RunMemory } from "./run-memory.ts";
import { requireSoundRecord } from "./sound-record.ts";
import { finalRunStates } from "./state-tables.ts";

export interface EngineOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Ids and jitter. Default: the system's random bytes. */
  readonly random?: RandomBytes;
  /** Who carries: a name no other process uses, e.g. `host:pid:start`. */
  readonly owner: string;
  /** The `.cutover` folder; runs get `work/<run>` in it. */
  readonly dir: string;
  /** Part of the memory in use, 0 … 1; needed by migrations that measure memory. */
  readonly readMemory?: () => number | Promise<number>;
  /** Pace of triggers and gates, milliseconds. Default 250. */
  readonly judgeEveryMs?: number;
  /** Life of a lease, milliseconds. Default 15 000; renewed at a third, given up at four fifths. */
  readonly leaseMs?: number;
  /** Steps of a phase that may run side by side. Default 4. */
  readonly concurrency?: number;
  /** How long aborted work may take to stop before it is left behind, milliseconds. Default 5 000. */
  readonly graceMs?: number;
  /** What applications declared about a route. Default: nothing is known. */
  readonly declarations?: Settings["declarations"];
  /**
   * True for an owner whose process is known to be gone, e.g. every other owner of this machine while this process
   * holds the folder's lock: its lease need not be waited for. Default: nobody is.
   */
  readonly isDead?: (owner: string) => boolean;
  /**
   * For a store that several machines share: hear the decisions that other processes wrote into the record, at once
   * where the store tells of them, else after so many milliseconds. Default: nobody else writes.
   */
  readonly hearEveryMs?: number;
}

export interface StartOptions {
  readonly by: string;
  /** File the definition came from, relative to the project. */
  readonly source: string;
  /** Phase to begin with: the ones before it must have been sealed, and not rolled back, by an earlier run. */
  readonly from?: string;
}

export interface ResumeOptions {
  readonly by: string;
  /** Go on with a definition that changed since; the difference is recorded. */
  readonly acceptChanges?: boolean;
  /** Instead of going forward, take the run back for this reason. Also for COMPLETED and ROLLBACK_STUCK. */
  readonly rollback?: string;
}

/** Carries runs. Closing it stops them cleanly; `resume` goes on later. */
export interface Engine extends AsyncDisposable {
  /**
   * Creates a run and carries it.
   * @throws CUTOVER_RUN_ACTIVE while another run of this migration is unfinished
   * @throws CUTOVER_RUN_STATE, CUTOVER_PLAN_UNKNOWN_PHASE when `from` cannot be
   * @throws CUTOVER_AUDIT_BROKEN when the record of an earlier run that `from` rests on was edited
   */
  start(migration: Migration, options: StartOptions): Promise<RunHandle>;
  /**
   * Carries a run on from its record. Steps that were in flight are first asked whether they took effect. A paused
   * run stays paused until somebody continues it; one that is over is answered by `done` at once.
   * @throws CUTOVER_RUN_NOT_FOUND
   * @throws CUTOVER_AUDIT_BROKEN when its rows are not what its events make of them
   * @throws CUTOVER_PLAN_CHANGED with the difference, unless `acceptChanges`
   * @throws CUTOVER_STORE_OWNED while somebody else carries it
   * @throws CUTOVER_RUN_ACTIVE when a run that is over is to go back while another one of its migration is unfinished
   */
  resume(run: string, migration: Migration, options: ResumeOptions): Promise<RunHandle>;
  /** Runs this engine carries now. */
  readonly carried: readonly RunHandle[];
}

export function createEngine(options: EngineOptions): Engine {
  const settings: Settings = {
    store: options.store,
    clock: options.clock,
    log: options.log,
    owner: options.owner,
    dir: options.dir,
    random: options.random ?? randomBytes,
    judgeEveryMs: options.judgeEveryMs ?? 250,
    leaseMs: options.leaseMs ?? 15_000,
    concurrency: Math.max(1, options.concurrency ?? 4),
    graceMs: options.graceMs ?? 5_000,
    readMemory: options.readMemory,
    declarations: options.declarations ?? noDeclarations,
    isDead: options.isDead ?? (() => false),
    hearEveryMs: options.hearEveryMs,
  };
  const carried = new Map<string, RunHandle>();
  const starting = new Set<string>();

  const carry = async (run: RunRecord, graph: Graph, resume?: ResumeOptions): Promise<RunHandle> => {
    const opened = await openRun(settings, run, graph, resume);
    const handle = opened.carry(() => carried.delete(run.id));
    carried.set(run.id, handle);
    return handle;
  };

  return {
    async start(migration, { by, source, from }) {
      const compiled = readyToRun(settings, migration);
      // Two starts at once would each find no unfinished run.
      if (starting.has(migration.name)) throw startingAlready(migration.name);
      starting.add(migration.name);
      try {
        const run = await createRun(settings, compiled, { by, source, from });
        return await carry(run, graphOf(compiled));
      } finally {
        starting.delete(migration.name);
      }
    },
    async resume(run, migration, resume) {
      const compiled = readyToRun(settings, migration);
      const record = await settings.store.runs.get(run);
      if (record === undefined) throw notFound(run);
      if (carried.has(run)) throw alreadyCarried(run, settings.owner);
      return await carry(record, graphOf(compiled), resume);
    },
    get carried() {
      return [...carried.values()];
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...carried.values()].map((handle) => handle.stop()));
    },
  };
}

function readyToRun(settings: Settings, migration: Migration): Compiled {
  const compiled = compile(migration);
  requireReaders(compiled, settings.readMemory !== undefined);
  return compiled;
}

/** Claims a run and prepares its carrier; nothing of it runs before `carry`. */
async function openRun(
  settings: Settings,
  found: RunRecord,
  graph: Graph,
  resume?: ResumeOptions,
): Promise<{ carry(onOver: () => void): RunHandle }> {
  const { store, clock, owner, leaseMs } = settings;
  // Refused before the claim: a refusal leaves no trace. A run that was just made here has no past that was edited.
  if (resume !== undefined) await requireSoundRecord(store, found.id);
  // An unchanged definition needs no look at the record.
  if (resume !== undefined && found.hash !== graph.compiled.hash)
    redefinition(await RunMemory.load(store, found), graph, resume);
  if (resume?.rollback !== undefined && finalRunStates.includes(found.state))
    await requireNoneUnfinished(store, found.migration);
  const claimedAt = clock.monotonic();
  const dead = found.owner !== null && found.owner !== owner && settings.isDead(found.owner);
  const { fence } = await store.runs.claim(found.id, owner, leaseMs, dead ? "same-machine" : undefined);
  const run = await store.runs.get(found.id);
  if (run === undefined) throw notFound(found.id);
  const memory = await RunMemory.load(store, run, graph.compiled);
  const touched = measuredRoutes(graph.compiled);
  for (const { after } of await routeChanges({ settings, memory })) touched.add(after.route);
  const workDir = await makeWorkDir(settings.dir, run.id);
  const carrier = new Carrier({ settings, graph, memory, fence, workDir, touched });
  carrier.fault("engine.run.after-claim");
  await recordResume(carrier, resume);
  return {
    carry(onOver) {
      const lease = new Lease({
        store,
        clock,
        run: run.id,
        owner,
        fence,
        leaseMs,
        claimedAt,
        onLost: (error) => {
          carrier.journal.close(error);
          carrier.halt(error);
        },
      });
      let deaf = (): void => {};
      const done = (async () => {
        try {
          const outcome = await carrier.carry();
          carrier.journal.close(new CutoverError("CUTOVER_RUN_STATE", { message: overMessage(run.id) }));
          await lease.release();
          return outcome;
        } finally {
          deaf();
          lease.abandon();
          onOver();
        }
      })();
      done.catch((thrown: unknown) => settings.log.error(`run ${run.id}: ${asError(thrown).message}`));
      const handle = handleOf(carrier, done);
      deaf = hearDecisions(carrier, handle);
      return handle;
    },
  };
}

/** Who took the run up again, a changed definition, and the wish to go back: before anything runs. */
async function recordResume(carrier: Carrier, resume: ResumeOptions | undefined): Promise<void> {
  if (resume === undefined) return;
  const { memory, journal, graph } = carrier;
  const { by } = resume;
  const redefined = redefinition(memory, graph, resume);
  if (redefined.length > 0) carrier.fault("engine.run.before-redefine");
  await journal.write({ type: "note.added", data: { by, text: "took the run up again" } }, ...redefined);
  if (resume.rollback === undefined || memory.state === "ROLLING_BACK") return;
  await journal.write(...rollbackByPerson(carrier.standing, { by, reason: resume.rollback }));
}

const noDeclarations = (): readonly RouteDeclaration[] => [];

const overMessage = (run: string): string =>
  `expected run ${run} to be carried here, found that its work here is over: take it up again with \`cutover resume\``;

const startingAlready = (migration: string): CutoverError =>
  new CutoverError("CUTOVER_RUN_ACTIVE", {
    message: `expected no unfinished run of "${migration}", found one that is being started`,
    details: { migration },
  });

const notFound = (run: string): CutoverError =>
  new CutoverError("CUTOVER_RUN_NOT_FOUND", {
    message: `expected a run ${run}, found none of that name`,
    details: { run },
  });

const alreadyCarried = (run: string, owner: string): CutoverError =>
  new CutoverError("CUTOVER_STORE_OWNED", {
    message: `expected run ${run} to be free, found it carried by this engine already`,
    details: { run, owner },
  });
