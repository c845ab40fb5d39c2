import { CutoverError } from "../core/index.ts";
import type { PhaseState, RunState, StepState } from "../store/index.ts";
import type { Carrier, RunOutcome } from "./carrier.ts";
import { runProcedure } from "./emergency.ts";
import { liftByPerson, triggerByPerson } from "./firing.ts";
import type { LiveView } from "./live.ts";
import {
  approveEvents,
  continueEvents,
  pauseEvents,
  requirePerson,
  rollbackByPerson,
  settleEvents,
} from "./people.ts";

/** A run as the process that carries it sees it. */
export interface RunView extends LiveView {
  readonly id: string;
  readonly migration: string;
  readonly state: RunState;
  /** Why it is in this state; empty when there is nothing to say. */
  readonly reason: string;
  readonly phases: Readonly<Record<string, PhaseState>>;
  /** Steps in each state, over the whole run. */
  readonly steps: Readonly<Partial<Record<StepState, number>>>;
}

/** What one can do with a run that this process carries. Every act is recorded with who and why. */
export interface RunHandle {
  readonly id: string;
  /**
   * Resolves when the run is COMPLETED, ROLLED_BACK or ROLLBACK_STUCK (its emergency procedure has run then), or
   * stopped. Rejects with CUTOVER_LEASE_LOST when another process took it, and with what broke the store.
   */
  readonly done: Promise<RunOutcome>;
  live(): RunView;
  /** Calls after every change worth showing; returns the way to stop. */
  onChange(listener: () => void): () => void;
  /** Work stops at its next checkpoint or abort; triggers stay armed. @throws CUTOVER_RUN_STATE */
  pause(by: string, reason: string): Promise<void>;
  /** Goes on after a pause, or after a hold that a person may end. @throws CUTOVER_RUN_STATE, CUTOVER_STEP_UNKNOWN */
  continue(by: string, reason: string): Promise<void>;
  /** `evidence`: the basis that was seen; refused when another one stands now. @throws CUTOVER_APPROVAL_INVALID */
  approve(phase: string, by: string, reason: string, evidence?: string): Promise<void>;
  /** Starts the rollback; follow it through `done`. @throws CUTOVER_RUN_STATE */
  rollback(by: string, reason: string): Promise<void>;
  /** Answers whether an UNKNOWN step took effect. Recorded as an override. @throws CUTOVER_RUN_STATE */
  settle(step: string, outcome: "done" | "not-done", by: string, reason: string): Promise<void>;
  /**
   * Runs an emergency procedure of the definition as recorded steps, whatever it is for; resolves when it has run.
   * @throws CUTOVER_RUN_STATE, CUTOVER_STEP_FAILED
   */
  contingency(name: string, by: string, reason: string): Promise<void>;
  /** Fires a trigger that was declared for people. @throws CUTOVER_TRIGGER_UNKNOWN, CUTOVER_RUN_STATE */
  trigger(name: string, by: string, reason: string): Promise<void>;
  /** Lifts what a trigger holds or slows; it is armed anew. @throws CUTOVER_TRIGGER_UNKNOWN, CUTOVER_RUN_STATE */
  lift(name: string, by: string, reason: string): Promise<void>;
  /** Stops the work cleanly and gives the run free: nothing is recorded as failed, `resume` goes on. */
  stop(): Promise<void>;
}

export function handleOf(carrier: Carrier, done: Promise<RunOutcome>): RunHandle {
  const { memory, journal, holds, pool, live } = carrier;
  return {
    id: memory.id,
    done,
    live: () => view(carrier),
    onChange: (listener) => live.onChange(listener),
    async pause(by, reason) {
      const events = pauseEvents(memory, { by, reason });
      carrier.fault("engine.pause.before-record");
      await journal.write(...events);
      carrier.fault("engine.pause.after-record");
    },
    async continue(by, reason) {
      const events = continueEvents(memory, { by, reason }, carrier.settings.clock);
      holds.clearAll();
      pool.forgetFailures();
      pool.refresh();
      await journal.write(...events);
      carrier.recallStanding();
      await journal.write(...holds.events(memory));
      carrier.lookNow();
    },
    async approve(phase, by, reason, evidence) {
      const events = approveEvents(memory, phase, { by, reason }, evidence);
      carrier.fault("engine.approval.before-record");
      await journal.write(...events);
      carrier.fault("engine.approval.after-record");
    },
    async rollback(by, reason) {
      await journal.write(...rollbackByPerson(carrier.standing, { by, reason }));
    },
    async settle(step, outcome, by, reason) {
      requirePerson({ by, reason });
      const known = carrier.graph.step.get(step);
      if (known === undefined)
        throw new CutoverError("CUTOVER_RUN_STATE", {
          message: `expected a step of run ${memory.id}, found "${step}"`,
          details: { run: memory.id, step },
        });
      const events = settleEvents(memory, known, outcome, { by, reason });
      carrier.fault("engine.settle.before-record");
      await journal.write(...events);
      holds.clear(`unknown:${step}`);
      pool.refresh();
      await journal.write(...holds.events(memory));
      carrier.lookNow();
    },
    contingency: (name, by, reason) =>
      carrier.beside((controller) => runProcedure(carrier, name, { by, reason }, controller)),
    async trigger(name, by, reason) {
      await journal.write(...triggerByPerson(carrier.standing, name, { by, reason }));
    },
    async lift(name, by, reason) {
      await journal.write(...liftByPerson(carrier.standing, name, { by, reason }));
      carrier.lookNow();
    },
    async stop() {
      const message = `run ${memory.id} was stopped here`;
      carrier.halt(new CutoverError("CUTOVER_INTERRUPTED", { message }));
      await done.catch(() => {});
    },
  };
}

function view(carrier: Carrier): RunView {
  const { memory, live } = carrier;
  const steps: Partial<Record<StepState, number>> = {};
  for (const { state } of memory.steps.values()) steps[state] = (steps[state] ?? 0) + 1;
  return {
    id: memory.id,
    migration: memory.migration,
    state: memory.state,
    reason: memory.reason,
    phases: Object.fromEntries(memory.phases),
    steps,
    ...live.view(carrier.throttledBy()),
  };
}
