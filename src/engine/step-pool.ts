import { backoffDelay, defaultBackoff, type Json, type Timer } from "../core/index.ts";
import type { CompiledPhase, CompiledStep } from "../plan/index.ts";
import type { ErrorRecord, RunEvent } from "../store/index.ts";
import { type AttemptOutcome, askVerify, runAttempt } from "./attempt.ts";
import type { Desk } from "./desk.ts";
import { Frontier } from "./frontier.ts";
import { isRetryable } from "./json-value.ts";
import { randomFraction } from "./randomness.ts";
import { countFailures } from "./step-history.ts";
import { phaseTransition, stepTransition } from "./transitions.ts";

/** Why a step that only a person can tell about holds the run. */
export function unknownText(step: string, error: ErrorRecord | undefined): string {
  if (error?.code === "CUTOVER_STEP_UNPROVEN" || error?.code === "CUTOVER_STEP_REVIEW")
    return `step "${step}": ${error.message}`;
  const why = error?.code === "CUTOVER_STEP_UNKNOWN" ? `: ${error.message}` : "";
  return `nobody knows whether step "${step}" took effect${why}`;
}

export interface PoolHooks {
  /** What follows from a step that failed for good: the start of a rollback, or a hold. */
  readonly onFailed: (step: CompiledStep, error: ErrorRecord) => readonly RunEvent[];
}

interface InFlight {
  readonly controller: AbortController;
  readonly settled: Promise<void>;
}

/** Runs the steps of the phase in hand, side by side as far as the graph and the settings allow. */
export class StepPool {
  readonly #desk: Desk;
  readonly #hooks: PoolHooks;
  readonly #inFlight = new Map<string, InFlight>();
  readonly #failures = new Map<string, number>();
  readonly #retries = new Map<string, Timer>();
  #phase: CompiledPhase | undefined;
  #frontier: Frontier | undefined;

  constructor(desk: Desk, hooks: PoolHooks) {
    this.#desk = desk;
    this.#hooks = hooks;
  }

  inFlight(step: string): boolean {
    return this.#inFlight.has(step);
  }

  /** Resolves when the step has stopped, or was left behind after its grace. */
  async settled(step: string): Promise<void> {
    await this.#inFlight.get(step)?.settled;
  }

  async allSettled(): Promise<void> {
    await Promise.all([...this.#inFlight.values()].map(({ settled }) => settled));
  }

  /** Tells everything in flight to stop and forgets what was about to start. */
  abort(reason: Error): void {
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
    this.#phase = undefined;
    this.#frontier = undefined;
    for (const { controller } of this.#inFlight.values()) controller.abort(reason);
  }

  /** The record of some step changed from outside: the state is read anew. What is in flight goes on. */
  refresh(): void {
    this.#phase = undefined;
    this.#frontier = undefined;
  }

  /** A person said to go on: a step that failed gets all its retries again. */
  forgetFailures(): void {
    this.#failures.clear();
  }

  /** Starts what may start. The first call for a phase reads its state; later ones only fill free places. */
  async work(phase: CompiledPhase): Promise<void> {
    if (this.#phase !== phase) await this.#enter(phase);
    const { picked, events } = this.#pick();
    await this.#commitStarts(picked, events);
  }

  async #enter(phase: CompiledPhase): Promise<void> {
    const { memory, settings } = this.#desk;
    const open = phase.steps.filter(({ id, retries }) => {
      const { state } = memory.step(id);
      return retries > 0 && (state === "RUNNING" || state === "FAILED") && !this.#failures.has(id);
    });
    if (open.length > 0) {
      const began = new Map(open.map(({ id }) => [id, memory.firstEvent(id)]));
      const counts = await countFailures(settings.store, memory.id, began);
      for (const [id, count] of counts) this.#failures.set(id, count);
    }
    const held = (id: string): boolean => this.#inFlight.has(id) || this.#retries.has(id);
    this.#frontier = new Frontier(phase, (id) => memory.step(id).state, held);
    this.#phase = phase;
  }

  /** Ready steps for the free places: intents of those that start, none for those asked first whether they took effect. */
  #pick(): { readonly picked: readonly CompiledStep[]; readonly events: RunEvent[] } {
    const { memory, settings } = this.#desk;
    if (memory.state !== "RUNNING") return { picked: [], events: [] };
    const width = this.#desk.throttledBy() === undefined ? settings.concurrency : 1;
    const picked = this.#frontier?.take(width - this.#inFlight.size) ?? [];
    const events = picked
      .filter(({ id }) => memory.step(id).state !== "RUNNING")
      .map((step) => stepTransition(memory, step, "start"));
    return { picked, events };
  }

  async #commitStarts(picked: readonly CompiledStep[], events: readonly RunEvent[]): Promise<void> {
    if (picked.length === 0) return;
    const asked = new Set(picked.filter(({ id }) => this.#desk.memory.step(id).state === "RUNNING"));
    // Taken before the commit: a second round must not see these places as free.
    const launches = picked.map((step) => this.#reserve(step));
    try {
      if (events.length > 0) this.#desk.fault("engine.step.before-intent");
      await this.#desk.journal.write(...events);
      if (events.length > 0) this.#desk.fault("engine.step.after-intent");
    } finally {
      for (const [index, step] of picked.entries()) launches[index]?.(asked.has(step) ? "ask" : "start");
    }
  }

  /** Takes a place for the step; the returned function launches it. */
  #reserve(step: CompiledStep): (how: "ask" | "start") => void {
    const controller = new AbortController();
    const launch = Promise.withResolvers<"ask" | "start">();
    const settled = this.#follow(step, controller, launch.promise);
    this.#inFlight.set(step.id, { controller, settled });
    return launch.resolve;
  }

  /** One step from its launch to the commit of its outcome. Never rejects: a journal that broke has told so itself. */
  async #follow(
    step: CompiledStep,
    controller: AbortController,
    launch: Promise<"ask" | "start">,
  ): Promise<void> {
    const desk = this.#desk;
    try {
      let outcome: AttemptOutcome = { kind: "interrupted" };
      const how = await launch;
      const stopped = (): boolean => controller.signal.aborted || desk.journal.closed !== undefined;
      if (!stopped()) {
        outcome = how === "ask" ? await askVerify(desk, step, controller) : { kind: "not-done" };
        const again = outcome.kind === "not-done" && !stopped() && desk.memory.state === "RUNNING";
        if (again && how === "ask") await this.#startAgain(step);
        if (again && !stopped()) outcome = await runAttempt(desk, step, controller);
      }
      await this.#conclude(step, outcome);
    } catch (error) {
      if (desk.journal.closed === undefined) desk.settings.log.error(`step ${step.id}: ${String(error)}`);
    } finally {
      this.#inFlight.delete(step.id);
      desk.live.dropProgress(step.id);
      desk.wake();
    }
  }

  async #startAgain(step: CompiledStep): Promise<void> {
    this.#desk.fault("engine.step.before-intent");
    await this.#desk.journal.write(stepTransition(this.#desk.memory, step, "start"));
    this.#desk.fault("engine.step.after-intent");
  }

  async #conclude(step: CompiledStep, outcome: AttemptOutcome): Promise<void> {
    const { memory, journal, holds } = this.#desk;
    const undone = memory.state === "ROLLING_BACK" || memory.step(step.id).state !== "RUNNING";
    if (undone || journal.closed !== undefined) return;
    switch (outcome.kind) {
      case "done":
        return await this.#succeed(step, outcome.result);
      case "failed":
        return await this.#fail(step, outcome.error);
      case "unknown": {
        const error = { code: outcome.code ?? "CUTOVER_STEP_UNKNOWN", message: outcome.reason };
        holds.set(`unknown:${step.id}`, unknownText(step.id, error));
        const lost = stepTransition(memory, step, "lose", { reason: outcome.reason, error });
        return await journal.write(lost, ...holds.events(memory));
      }
      case "interrupted":
      case "not-done":
        this.#inFlight.delete(step.id);
        return this.#frontier?.putBack(step.id);
    }
  }

  /** The result, and in the same commit what it makes possible: the next intents, or the end of the phase's steps. */
  async #succeed(step: CompiledStep, result: Json): Promise<void> {
    const desk = this.#desk;
    desk.fault("engine.step.before-result");
    const events: RunEvent[] = [stepTransition(desk.memory, step, "succeed", { result })];
    this.#inFlight.delete(step.id);
    this.#failures.delete(step.id);
    this.#frontier?.done(step.id);
    const phase = this.#phase;
    const last =
      phase !== undefined && (desk.memory.doneCount.get(phase.name) ?? 0) + 1 === phase.steps.length;
    if (last && desk.memory.state === "RUNNING")
      events.push(phaseTransition(desk.memory, phase.name, "gate"));
    const next = this.#pick();
    if (next.picked.length === 0) await desk.journal.write(...events);
    else await this.#commitStarts(next.picked, [...events, ...next.events]);
    desk.fault("engine.step.after-result");
  }

  async #fail(step: CompiledStep, error: ErrorRecord): Promise<void> {
    const desk = this.#desk;
    const failures = (this.#failures.get(step.id) ?? 0) + 1;
    this.#failures.set(step.id, failures);
    const failed = stepTransition(desk.memory, step, "fail", { error });
    desk.fault("engine.step.before-failure");
    if (failures > step.retries || !isRetryable(error)) {
      await desk.journal.write(failed, ...this.#hooks.onFailed(step, error));
      return;
    }
    await desk.journal.write(failed);
    const delay = backoffDelay(defaultBackoff, failures, randomFraction(desk.settings.random));
    desk.settings.log.warn(`step ${step.id} failed, next attempt in ${Math.round(delay)} ms`, { ...error });
    this.#inFlight.delete(step.id);
    const frontier = this.#frontier;
    const retry = desk.settings.clock.after(delay, () => {
      this.#retries.delete(step.id);
      // After a pause the frontier is another one and holds the step already.
      if (this.#frontier === frontier) frontier?.putBack(step.id);
      desk.wake();
    });
    this.#retries.set(step.id, retry);
  }
}
