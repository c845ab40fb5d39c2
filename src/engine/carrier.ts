import { asError, CutoverError, type Timer, untilAborted } from "../core/index.ts";
import type { CompiledPhase, CompiledStep } from "../plan/index.ts";
import type { ErrorRecord, RunEvent, RunState } from "../store/index.ts";
import { isApproved } from "./phase-runner.ts";
import { refreshBasis } from "./approvals.ts";
import { DeclaredRoutes } from "./declared-routes.ts";
import { breakOnFault, type Desk, type Graph, type Settings } from "./desk.ts";
import { AskedProcedures, emergencySteps, runEmergency } from "./emergency.ts";
import { judgeExit } from "./exit-gates.ts";
import { holdKeys, Holds } from "./holds.ts";
import { noWayBack, rollbackEvents, type Standing } from "./incidents.ts";
import { Journal } from "./journal.ts";
import { Judges } from "./judges.ts";
import { Live } from "./live.ts";
import { coveredRoutes } from "./measured.ts";
import {
  beginPhase,
  checkPhase,
  completePhase,
  finishRun,
  restartPhase,
  stepsToComplete,
} from "./phase-runner.ts";
import {
  type Action,
  currentPhase,
  decide,
  type PhaseSituation,
  type Situation,
  waitText,
} from "./policy.ts";
import { rollBack } from "./rollback.ts";
import type { RunMemory } from "./run-memory.ts";
import { StepPool, unknownText } from "./step-pool.ts";
import { phaseTransition } from "./transitions.ts";
import { Triggers } from "./triggers.ts";

/** How a run ended, or where it stood when it was stopped. */
export interface RunOutcome {
  readonly state: RunState;
  /** Why, for people. */
  readonly reason: string;
  /** The newest incident of this run, if there was one while it was carried. */
  readonly incident?: string;
}

/** Failed checks and completions are tried again after this long, and at once when somebody continues. */
const lookAgainMs = 60_000;

/**
 * Carries one run: asks the policy what to do next, does it, and looks again whenever something changed. Everything
 * it decides on is in the record, so another carrier goes on where this one was killed.
 */
export class Carrier implements Desk {
  readonly settings: Settings;
  readonly graph: Graph;
  readonly memory: RunMemory;
  readonly fence: number;
  readonly workDir: string;
  readonly journal: Journal;
  readonly holds: Holds = new Holds();
  readonly live: Live = new Live();
  readonly judges: Judges;
  readonly standing: Standing;
  readonly pool: StepPool;
  readonly procedures: Set<string> = new Set();
  readonly #triggers: Triggers;
  readonly #declared: DeclaredRoutes;
  readonly #asked: AskedProcedures;
  /** Aborts the action in hand: checks, gates, completion, rollback. Steps have controllers of their own. */
  #work = new AbortController();
  readonly #beside = new Set<AbortController>();
  #action: Action["do"] = "wait";
  #woken: PromiseWithResolvers<void> = Promise.withResolvers();
  #stopped: Error | undefined;
  #lookAgainAt = Number.NEGATIVE_INFINITY;
  #checkedAt = new Map<string, number>();
  #watch: Timer | undefined;
  #watching: Promise<void> = Promise.resolve();
  #incident: string | undefined;

  constructor(parts: {
    readonly settings: Settings;
    readonly graph: Graph;
    readonly memory: RunMemory;
    readonly fence: number;
    readonly workDir: string;
    readonly touched: Set<string>;
  }) {
    const { settings, memory } = parts;
    this.settings = settings;
    this.graph = parts.graph;
    this.memory = memory;
    this.fence = parts.fence;
    this.workDir = parts.workDir;
    const { store, clock, log, readMemory, random } = settings;
    this.journal = new Journal({
      store,
      clock,
      memory,
      fence: parts.fence,
      onBroken: (error) => this.halt(error),
      onCommitted: () => this.#committed(),
    });
    this.#declared = new DeclaredRoutes(settings, memory, this.journal);
    const declared = async (route: string): ReturnType<DeclaredRoutes["of"]> =>
      await this.#declared.of(route);
    const sources = { runId: memory.id, store, clock, log, readMemory, touched: parts.touched, declared };
    this.judges = new Judges(sources);
    this.standing = { memory, holds: this.holds, order: parts.graph.compiled.phases, random };
    this.pool = new StepPool(this, { onFailed: (step, error) => this.#stepFailed(step, error) });
    this.#triggers = new Triggers(this, sources);
    this.#asked = new AskedProcedures(this, (work) => this.beside(work));
    this.#recallHolds();
  }

  throttledBy(): string | undefined {
    return this.#triggers.throttledBy;
  }

  restrainedBy(): string | undefined {
    return this.#triggers.restrainedBy;
  }

  wake(): void {
    this.#woken.resolve();
  }

  fault(name: string): void {
    breakOnFault(this.journal, name);
  }

  /** A person acted: what waited for its time is looked at now, failed steps get their retries again. */
  lookNow(): void {
    this.#lookAgainAt = Number.NEGATIVE_INFINITY;
    this.wake();
  }

  /** Work that goes on beside the run's own, until it is done or the carrier stops. */
  async beside(work: (controller: AbortController) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    this.#beside.add(controller);
    try {
      await work(controller);
    } finally {
      this.#beside.delete(controller);
    }
  }

  /** Stops the work: nothing in flight is recorded as failed, and after it the journal takes no more. */
  halt(reason: Error): void {
    this.#stopped ??= reason;
    this.pool.abort(reason);
    this.#work.abort(reason);
    for (const controller of this.#beside) controller.abort(reason);
    this.#watch?.cancel();
    this.wake();
  }

  /** Carries the run until it is over or stopped. Rejects when the record cannot be written any more. */
  async carry(): Promise<RunOutcome> {
    try {
      await this.journal.write(...this.holds.events(this.memory));
      this.#watchTriggers();
      this.#asked.begin();
      for (let over = false; !over && this.#stopped === undefined;) over = await this.#step();
      // The way back waits for nothing, but what was begun beside it ends in the record.
      await this.#asked.settled();
    } catch (thrown) {
      if (this.#stopped === undefined) this.journal.close(asError(thrown));
      this.halt(asError(thrown));
    } finally {
      this.#watch?.cancel();
      this.#stopped ??= new CutoverError("CUTOVER_INTERRUPTED", { message: "the run is over" });
      await this.pool.allSettled();
      await this.#asked.settled();
      await this.#watching;
    }
    if (this.journal.closed !== undefined) throw this.journal.closed;
    const { state, reason } = this.memory;
    return { state, reason, ...(this.#incident === undefined ? {} : { incident: this.#incident }) };
  }

  /** One look and one action. True when the run is over. */
  async #step(): Promise<boolean> {
    this.#woken = Promise.withResolvers();
    await this.#refreshApprovals();
    const action = decide(this.#situation());
    this.#action = action.do;
    this.live.waitsFor = waitText(action, this.memory.reason);
    if (this.#work.signal.aborted && this.#stopped === undefined) this.#work = new AbortController();
    try {
      return await this.#do(action);
    } catch (thrown) {
      // An action that was told to stop by a pause or a rollback leaves its place to the next look.
      const told =
        this.#work.signal.aborted && this.#stopped === undefined && this.journal.closed === undefined;
      if (!told) throw thrown;
      return false;
    }
  }

  async #do(action: Action): Promise<boolean> {
    const { signal } = this.#work;
    switch (action.do) {
      case "end":
        return true;
      case "wait":
        await this.#sleep();
        return false;
      case "finish":
        if (this.#asked.names !== "") {
          this.live.waitsFor = `the procedure ${this.#asked.names} to end`;
          await untilAborted(this.#asked.settled(), signal);
          // Meanwhile it may have been paused or taken back: the next look decides anew.
          return false;
        }
        await finishRun(this, signal);
        return false;
      case "roll-back":
        await rollBack(this, this.pool, this.#work);
        return false;
      case "emergency":
        await runEmergency(this, this.#work);
        return false;
      case "check":
      case "begin":
      case "run-steps":
      case "gate":
      case "judge":
      case "complete":
      case "restart": {
        const phase = this.graph.phase.get(action.phase);
        if (phase === undefined) throw unknownPhase(action.phase);
        await this.#doPhase(action.do, phase, signal);
        return false;
      }
    }
  }

  async #doPhase(
    what: Extract<Action, { readonly phase: string }>["do"],
    phase: CompiledPhase,
    signal: AbortSignal,
  ): Promise<void> {
    switch (what) {
      case "check": {
        if (!this.#isTime()) return await this.#sleep(this.#lookAgainAt);
        const passed = await checkPhase(this, phase, signal);
        if (passed) this.#checkedAt.set(phase.name, this.settings.clock.monotonic());
        else this.#again();
        return;
      }
      case "begin": {
        // People may take days: what was true when they were asked must still be.
        const checked = this.#checkedAt.get(phase.name) ?? Number.NEGATIVE_INFINITY;
        if (this.settings.clock.monotonic() - checked <= lookAgainMs) return await beginPhase(this, phase);
        return await this.journal.write(phaseTransition(this.memory, phase.name, "check"));
      }
      case "run-steps":
        await this.pool.work(phase);
        return await this.#sleep();
      case "gate":
        return await this.journal.write(phaseTransition(this.memory, phase.name, "gate"));
      case "judge": {
        const before = this.memory.phase(phase.name);
        await judgeExit(this, phase, signal);
        const moved = before !== this.memory.phase(phase.name) || this.memory.state === "ROLLING_BACK";
        if (!moved) await this.#sleep(this.settings.clock.monotonic() + this.settings.judgeEveryMs);
        return;
      }
      case "complete":
        if (!this.#isTime()) return await this.#sleep(this.#lookAgainAt);
        if (!(await completePhase(this, phase, signal))) this.#again();
        return;
      case "restart":
        return await restartPhase(this, phase);
    }
  }

  #isTime(): boolean {
    return this.settings.clock.monotonic() >= this.#lookAgainAt;
  }

  #again(): void {
    this.#lookAgainAt = this.settings.clock.monotonic() + lookAgainMs;
  }

  /** Until something wakes it, or until `until` (monotonic). */
  async #sleep(until?: number): Promise<void> {
    const { clock } = this.settings;
    const timer =
      until === undefined
        ? undefined
        : clock.after(Math.max(0, until - clock.monotonic()), () => this.wake());
    this.live.changed();
    await this.#woken.promise;
    timer?.cancel();
  }

  #situation(): Situation {
    return {
      run: this.memory.state,
      phases: this.graph.compiled.phases.map((phase) => this.#phaseSituation(phase)),
      emergenciesLeft: this.memory.state === "ROLLBACK_STUCK" ? emergencySteps(this).length : 0,
    };
  }

  #phaseSituation(phase: CompiledPhase): PhaseSituation {
    const state = this.memory.phase(phase.name);
    return {
      name: phase.name,
      state,
      forwardOnly: phase.forwardOnly,
      stepsLeft: phase.steps.length - (this.memory.doneCount.get(phase.name) ?? 0),
      completesLeft: state === "SEALED" ? stepsToComplete(this, phase).length : 0,
      approved:
        state === "AWAITING_APPROVAL" && isApproved(this, phase, refreshBasis(this.memory, phase.name).id),
      hasGates: phase.exit.length > 0,
    };
  }

  /** While people are asked, what they are asked about is kept up to date, and approvals of something else lapse. */
  async #refreshApprovals(): Promise<void> {
    for (const [phase, state] of this.memory.phases)
      if (state === "AWAITING_APPROVAL") await this.journal.write(...refreshBasis(this.memory, phase).events);
  }

  #committed(): void {
    const { state } = this.memory;
    if (state === "PAUSED" || state === "ROLLING_BACK") {
      const reason = new CutoverError("CUTOVER_INTERRUPTED", {
        message: `the run is ${state === "PAUSED" ? "paused" : "being rolled back"}: ${this.memory.reason}`,
      });
      this.pool.abort(reason);
      if (this.#action !== "roll-back" && this.#action !== "wait") this.#work.abort(reason);
    }
    for (const id of this.memory.openIncidents.keys()) this.#incident = id;
    if (this.#stopped === undefined) this.#asked.begin();
    this.live.changed();
    this.wake();
  }

  #stepFailed(step: CompiledStep, error: ErrorRecord): readonly RunEvent[] {
    const summary = `step "${step.id}" failed: ${error.message}`;
    const seen = { step: step.id, phase: step.phase, error: { ...error } };
    return rollbackEvents(this.standing, { cause: "step-failed", summary, seen });
  }

  /** Judges the triggers at a steady pace for as long as the run is carried, whatever the run waits for. */
  #watchTriggers(): void {
    const covered = coveredRoutes(this.graph.compiled);
    if (this.graph.compiled.triggers.length === 0 && covered.length === 0) return;
    const { clock, judgeEveryMs, log } = this.settings;
    const look = async (): Promise<void> => {
      const phase = currentPhase(this.graph.compiled.phases.map((each) => this.#phaseSituation(each)));
      if (phase === undefined) return;
      try {
        // From the start on: an application may have declared and be gone by the time its coverage is judged.
        for (const route of covered) await this.#declared.note(route);
        const { signal } = this.#work;
        await this.#triggers.look(phase.name, signal);
      } catch (thrown) {
        if (this.journal.closed === undefined)
          log.error(`triggers cannot be judged: ${asError(thrown).message}`);
      }
    };
    const arm = (): void => {
      if (this.#stopped !== undefined) return;
      this.#watch = clock.after(judgeEveryMs, () => {
        this.#watching = look().finally(arm);
      });
    };
    arm();
  }

  /** What holds the run whoever continues it: a step that nobody can tell about, a trigger that still stands. */
  recallStanding(): void {
    this.#triggers.recallHolds();
    for (const [id, { state, error }] of this.memory.steps)
      if (state === "UNKNOWN") this.holds.set(`unknown:${id}`, unknownText(id, error));
  }

  /** The causes of a hold that the record tells of; the others are found again by looking. */
  #recallHolds(): void {
    const { memory, holds } = this;
    this.recallStanding();
    if (memory.state !== "HOLDING") return;
    if (memory.openIncidents.size > 0) holds.set(noWayBack, memory.reason);
    else if (holds.text === "") {
      const phase = currentPhase(this.graph.compiled.phases.map((each) => this.#phaseSituation(each)));
      const key = phase === undefined ? undefined : holdKeys[phase.state];
      if (key !== undefined) holds.set(key, memory.reason);
    }
  }
}

const unknownPhase = (phase: string): CutoverError =>
  new CutoverError("CUTOVER_INTERNAL", { message: `expected a phase of the graph, found "${phase}"` });
