import { asError, backoffDelay, type BackoffPolicy, type JsonObject, sleep } from "../core/index.ts";
import type { CompiledPhase, CompiledStep } from "../plan/index.ts";
import type { RunEvent } from "../store/index.ts";
import { runRollback } from "./attempt.ts";
import { answerCheck } from "./checks.ts";
import type { Desk } from "./desk.ts";
import { barredReason, incidentOpened, noWayBack } from "./incidents.ts";
import { randomFraction } from "./randomness.ts";
import { verdictEvents } from "./records.ts";
import { rollbackScope, undoOrder } from "./rollback-policy.ts";
import { routeChanges, type RunRouteChange } from "./route-history.ts";
import type { StepPool } from "./step-pool.ts";
import { phaseTransition, runTransition, stepTransition } from "./transitions.ts";

const tries = 3;
const betweenTries: BackoffPolicy = { base: 1_000, factor: 4, cap: 30_000, floor: 0, jitter: 0.1 };
/** Steps with nothing to undo are recorded in one commit, up to this many events. */
const batch = 200;

/**
 * Undoes a run, from wherever it is: called again after a crash it goes on where the record ends. Returns when
 * the run's state is another one, or rejects with the reason of `controller`.
 */
export async function rollBack(desk: Desk, pool: StepPool, controller: AbortController): Promise<void> {
  const { memory, journal, graph } = desk;
  const { phases, barredBy } = rollbackScope(graph.compiled.phases, memory);
  const moves = await routeChanges(desk);
  const movers = new Set(moves.map(({ step }) => step));
  const pending: RunEvent[] = [];
  for (const name of phases) {
    const phase = graph.phase.get(name);
    if (phase === undefined) continue;
    if (memory.phase(phase.name) !== "ROLLING_BACK")
      pending.push(phaseTransition(memory, phase.name, "roll-back"));
    if (!(await undoPhase(desk, pool, controller, { phase, movers, pending }))) return;
    // Both transitions may be in one commit, so the state before this one is known, not read.
    const data = {
      from: "ROLLING_BACK",
      to: "ROLLED_BACK",
      event: "rolled-back",
      phase: phase.name,
    } as const;
    pending.push({ type: "phase.transition", data });
  }
  await journal.write(...pending);
  if (barredBy !== undefined) {
    const reason = barredReason(barredBy, memory.reason);
    desk.holds.set(noWayBack, reason);
    await journal.write(runTransition(memory, "bar", { reason }));
    return;
  }
  const trouble = await verifyOld(desk, controller.signal);
  if (trouble !== undefined) return await getStuck(desk, [], trouble, {});
  desk.fault("engine.rollback.before-close");
  const facts = await rollbackFacts(desk);
  const closed = [...memory.openIncidents.keys()].map((id): RunEvent => {
    return { type: "incident.closed", data: { id, outcome: "rolled back", facts } };
  });
  await journal.write(...closed, runTransition(memory, "undone", { reason: memory.reason }));
  desk.fault("engine.rollback.after-close");
}

/** False when it got stuck. */
async function undoPhase(
  desk: Desk,
  pool: StepPool,
  controller: AbortController,
  work: {
    readonly phase: CompiledPhase;
    readonly movers: ReadonlySet<string>;
    /** Events that wait for the next commit. */
    readonly pending: RunEvent[];
  },
): Promise<boolean> {
  const { memory, journal } = desk;
  const order = undoOrder(
    work.phase,
    (id) => memory.step(id).state,
    (id) => work.movers.has(id),
  );
  for (const step of order) {
    if (pool.inFlight(step.id)) {
      await journal.write(...work.pending.splice(0));
      await pool.settled(step.id);
    }
    if (controller.signal.aborted) throw asError(controller.signal.reason);
    work.pending.push(stepTransition(memory, step, "roll-back"));
    if (step.kind.rollback === undefined) {
      work.pending.push(stepTransition(memory, step, "rolled-back", {}, "ROLLING_BACK"));
      if (work.pending.length >= batch) await journal.write(...work.pending.splice(0));
      continue;
    }
    desk.fault("engine.rollback.before-intent");
    await journal.write(...work.pending.splice(0));
    desk.fault("engine.rollback.after-intent");
    if (!(await undoStep(desk, step, controller))) return false;
    desk.fault("engine.rollback.before-result");
    work.pending.push(stepTransition(memory, step, "rolled-back", {}, "ROLLING_BACK"));
    // The result goes with the next intent; whatever follows is committed before the phase is left.
    if (step === order.at(-1)) await journal.write(...work.pending.splice(0));
    desk.fault("engine.rollback.after-result");
  }
  return true;
}

async function undoStep(desk: Desk, step: CompiledStep, outer: AbortController): Promise<boolean> {
  const { memory, journal, settings } = desk;
  for (let attempt = 1; ; attempt++) {
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(outer.signal.reason);
    outer.signal.addEventListener("abort", onAbort, { once: true });
    const outcome = await runRollback(desk, step, controller);
    outer.signal.removeEventListener("abort", onAbort);
    if (outer.signal.aborted) throw asError(outer.signal.reason);
    if (journal.closed !== undefined) throw journal.closed;
    if (outcome.kind === "done") return true;
    const error =
      outcome.kind === "failed"
        ? outcome.error
        : { code: "CUTOVER_INTERRUPTED", message: "it was interrupted" };
    settings.log.warn(`rollback of ${step.id} failed (try ${attempt} of ${tries})`, { ...error });
    if (attempt === tries) {
      const failed = stepTransition(memory, step, "rollback-failed", { error });
      const summary = `the rollback of step "${step.id}" failed ${tries} times: ${error.message}`;
      await getStuck(desk, [failed], summary, { step: step.id, error: { ...error } });
      return false;
    }
    await sleep(
      settings.clock,
      backoffDelay(betweenTries, attempt, randomFraction(settings.random)),
      outer.signal,
    );
    const again = stepTransition(memory, step, "roll-back", {
      reason: `try ${attempt + 1}: ${error.message}`,
    });
    await journal.write(again);
  }
}

async function getStuck(
  desk: Desk,
  before: readonly RunEvent[],
  summary: string,
  seen: JsonObject,
): Promise<void> {
  desk.fault("engine.rollback.before-stuck");
  await desk.journal.write(
    ...before,
    incidentOpened(desk.settings.random, { cause: "rollback-stuck", summary, seen }),
    runTransition(desk.memory, "stick", { reason: summary }),
  );
  desk.fault("engine.rollback.after-stuck");
}

/** The old side must answer as before. Returns what is wrong, or undefined. */
async function verifyOld(desk: Desk, signal: AbortSignal): Promise<string | undefined> {
  const { memory, journal, graph, settings } = desk;
  for (const check of graph.compiled.migration.verifyOld) {
    for (let attempt = 1; ; attempt++) {
      desk.fault("engine.rollback.before-verify-old");
      const { verdict, evidence } = await answerCheck(desk, check, signal);
      if (signal.aborted) throw asError(signal.reason);
      await journal.write(
        ...verdictEvents(memory, { gate: check.name, role: "way-back", verdict, evidence }),
      );
      if (verdict.kind === "pass") break;
      if (attempt === tries) return `the old side is not as it was: ${check.name}: ${verdict.reason}`;
      await sleep(
        settings.clock,
        backoffDelay(betweenTries, attempt, randomFraction(settings.random)),
        signal,
      );
    }
  }
  return undefined;
}

/** How long the way back took: from the first bad interval and from the incident to the first route change. */
async function rollbackFacts(desk: Desk): Promise<JsonObject> {
  const { memory, settings } = desk;
  const incident = [...memory.openIncidents.values()].findLast(({ cause }) => cause !== "rollback-stuck");
  const openedAt = incident?.at ?? settings.clock.now();
  const changes = (await routeChanges(desk)).filter(({ at }) => at >= openedAt);
  const first = changes[0];
  const badSince = incident?.seen["firstBadAt"];
  return {
    tookMs: settings.clock.now() - openedAt,
    routes: changes.map(routeFact),
    ...(first === undefined ? {} : { routeChangedMs: first.at - openedAt }),
    ...(first === undefined || typeof badSince !== "number" ? {} : { badUntilRouteMs: first.at - badSince }),
  };
}

const routeFact = ({ at, step, before, after }: RunRouteChange): JsonObject => ({
  at,
  step,
  route: after.route,
  from: before === null ? null : { stage: before.stage, share: before.share, epoch: before.epoch },
  to: { stage: after.stage, share: after.share, epoch: after.epoch },
});
