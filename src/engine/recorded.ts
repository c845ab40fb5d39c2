import { randomBytes } from "node:crypto";
import { type Clock, CutoverError, faultPoint, type JsonObject, type RandomBytes } from "../core/index.ts";
import type { RunEvent, RunRecord, Store } from "../store/index.ts";
import { liftByPerson, triggerByPerson } from "./firing.ts";
import { Holds } from "./holds.ts";
import type { Standing } from "./incidents.ts";
import { approveEvents, continueEvents, pauseEvents, rollbackByPerson, settleEvents } from "./people.ts";
import { RunMemory } from "./run-memory.ts";

/** Who acts on the record of a run that nobody carries, and with what. */
export interface RecordParts {
  readonly store: Store;
  readonly clock: Clock;
  /** A name of its own, as for `createEngine`; an engine's name would take the run away from that engine. */
  readonly owner: string;
  readonly isDead?: (owner: string) => boolean;
  readonly random?: RandomBytes;
  /** Kept in the commit of the decision, or not at all. */
  readonly along?: RunEvent;
}

export interface ActOptions {
  readonly by: string;
  readonly reason: string;
}

const leaseMs = 15_000;

/**
 * Commits what a person does to a run that nobody carries: claimed for a moment, by the same rules as the carrier's
 * own calls. Whoever carries the run next acts on it.
 * @throws CUTOVER_STORE_OWNED while somebody carries it: speak to that process
 */
async function act(
  parts: RecordParts,
  run: string,
  decide: (standing: Standing) => readonly RunEvent[],
): Promise<RunRecord> {
  const { store, owner, isDead, random = randomBytes } = parts;
  const found = await mustExist(store, run);
  // Decided before the claim as well, so that a refusal leaves no trace.
  decide(await standingOf(store, found, random));
  const dead = found.owner !== null && found.owner !== owner && isDead?.(found.owner) === true;
  const { fence } = await store.runs.claim(run, owner, leaseMs, dead ? "same-machine" : undefined);
  try {
    const events = decide(await standingOf(store, await mustExist(store, run), random));
    const along = parts.along === undefined ? [] : [parts.along];
    await store.runs.commit(run, [...events, ...along], { fence });
  } finally {
    await store.runs.release(run, owner, fence);
  }
  return await mustExist(store, run);
}

/** Pauses a run that nobody carries. @throws CUTOVER_RUN_STATE */
export function pauseRecorded(parts: RecordParts, run: string, person: ActOptions): Promise<RunRecord> {
  return act(parts, run, ({ memory }) => pauseEvents(memory, person));
}

/** Continues it: `resume` then goes on. @throws CUTOVER_RUN_STATE, CUTOVER_STEP_UNKNOWN */
export function continueRecorded(parts: RecordParts, run: string, person: ActOptions): Promise<RunRecord> {
  return act(parts, run, ({ memory }) => continueEvents(memory, person, parts.clock));
}

/** Approves a phase. `evidence`: the basis that was seen. @throws CUTOVER_APPROVAL_INVALID */
export function approveRecorded(
  parts: RecordParts,
  run: string,
  approval: ActOptions & { readonly phase: string; readonly evidence?: string },
): Promise<RunRecord> {
  faultPoint("engine.approval.before-record");
  return act(parts, run, ({ memory }) => approveEvents(memory, approval.phase, approval, approval.evidence));
}

/** Marks a run for its rollback; the next one to carry it takes it back. @throws CUTOVER_RUN_STATE */
export function rollbackRecorded(parts: RecordParts, run: string, person: ActOptions): Promise<RunRecord> {
  return act(parts, run, (standing) => rollbackByPerson(standing, person));
}

/** Fires a trigger for people; the next one to carry the run does what it asks. @throws CUTOVER_TRIGGER_UNKNOWN, CUTOVER_RUN_STATE */
export function triggerRecorded(
  parts: RecordParts,
  run: string,
  firing: ActOptions & { readonly trigger: string },
): Promise<RunRecord> {
  return act(parts, run, (standing) => triggerByPerson(standing, firing.trigger, firing));
}

/** Lifts what a trigger holds or slows. @throws CUTOVER_TRIGGER_UNKNOWN, CUTOVER_RUN_STATE */
export function liftRecorded(
  parts: RecordParts,
  run: string,
  lift: ActOptions & { readonly trigger: string },
): Promise<RunRecord> {
  return act(parts, run, (standing) => liftByPerson(standing, lift.trigger, lift));
}

/** Answers whether an UNKNOWN step took effect, as an override. @throws CUTOVER_RUN_STATE */
export function settleRecorded(
  parts: RecordParts,
  run: string,
  settlement: ActOptions & { readonly step: string; readonly outcome: "done" | "not-done" },
): Promise<RunRecord> {
  const { step, outcome } = settlement;
  return act(parts, run, ({ memory }) => {
    const phase = step.slice(0, Math.max(0, step.indexOf("/")));
    return settleEvents(memory, { id: step, phase }, outcome, settlement);
  });
}

/** A run as its record tells it, with the phases in their order. */
export async function standingOf(store: Store, run: RunRecord, random: RandomBytes): Promise<Standing> {
  const memory = await RunMemory.load(store, run);
  const phases = memory.graph["phases"];
  const order = (Array.isArray(phases) ? (phases as readonly JsonObject[]) : []).map((phase) => ({
    name: typeof phase["name"] === "string" ? phase["name"] : "",
    forwardOnly: phase["forwardOnly"] === true,
  }));
  return { memory, holds: new Holds(), order, random };
}

/** @throws CUTOVER_RUN_NOT_FOUND */
export async function mustExist(store: Store, run: string): Promise<RunRecord> {
  const record = await store.runs.get(run);
  if (record !== undefined) return record;
  throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
    message: `expected a run ${run}, found none of that name`,
    details: { run },
  });
}
