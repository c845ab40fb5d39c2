import { type Clock, CutoverError, type JsonObject, personKey, personProblem } from "../core/index.ts";
import type { Approval } from "../plan/index.ts";
import type { RunEvent } from "../store/index.ts";
import { approvers, refreshBasis } from "./approvals.ts";
import { continuedEvidence, rearmName } from "./continuation.ts";
import { rollbackEvents, type Standing } from "./incidents.ts";
import { evidenceEvents } from "./records.ts";
import { rollbackScope } from "./rollback-policy.ts";
import type { RunMemory } from "./run-memory.ts";
import { runTransition, stepTransition } from "./transitions.ts";

/**
 * The rule book for what people may do with a run. Each function looks at the record and answers with the events
 * to commit, or refuses. The process that carries the run and a command that finds nobody carrying it use
 * the same functions: there is no second way.
 */
export interface Person {
  readonly by: string;
  readonly reason: string;
}

/** Refuses an empty name or reason, and control characters in a name: the record must say who and why. */
export function requirePerson({ by, reason }: Person): void {
  for (const [what, text] of Object.entries({ by, reason })) {
    if (typeof text === "string" && text.trim() !== "") continue;
    throw new CutoverError("CUTOVER_RUN_STATE", {
      message: `expected "${what}" to say ${what === "by" ? "who asks" : "why"}, found nothing`,
      remedy: "give a name and a reason; they are kept in the record",
      place: what,
    });
  }
  const problem = personProblem(by);
  if (problem === undefined) return;
  throw new CutoverError("CUTOVER_RUN_STATE", {
    message: `expected "by" to be ${problem}, found ${JSON.stringify(by)}`,
    remedy: "write the name as people read it; it is kept in the record",
    place: "by",
  });
}

export function pauseEvents(memory: RunMemory, person: Person): readonly RunEvent[] {
  requirePerson(person);
  return [runTransition(memory, "pause", person)];
}

/**
 * Goes on: what had failed and led to the hold or pause is answered for by this person, so those gates and triggers
 * gather evidence anew from now, what triggers hold is lifted where it was that hold that was ended, and open incidents of
 * a run that could not go back are closed.
 * @throws CUTOVER_STEP_UNKNOWN while a step is UNKNOWN: that needs an answer, not a continuation.
 */
export function continueEvents(memory: RunMemory, person: Person, clock: Clock): readonly RunEvent[] {
  requirePerson(person);
  const unknown = [...memory.steps].filter(([, { state }]) => state === "UNKNOWN").map(([id]) => id);
  if (unknown.length > 0 && memory.state === "HOLDING") {
    throw new CutoverError("CUTOVER_STEP_UNKNOWN", {
      message: `expected to know whether ${unknown.join(", ")} took effect before the run goes on, found it unknown`,
      details: { steps: unknown },
      remedy: "look whether it took effect and settle it as done or not done, or roll back",
    });
  }
  const go = runTransition(memory, "continue", person);
  const stopping = stoppingTriggers(memory);
  const rearmed: string[] = [];
  for (const { gate, role, verdict } of memory.verdicts()) {
    const stands = memory.fired.get(gate)?.recoveredAt === null;
    if (role === "exit" && verdict === "fail") rearmed.push(rearmName(role, gate));
    if (role === "trigger" && stopping.has(gate) && (verdict === "fail" || stands))
      rearmed.push(rearmName(role, gate));
  }
  const outcome = `continued by ${person.by}: ${person.reason}`;
  const over = [...memory.fired]
    .filter(([name, { recoveredAt }]) => recoveredAt === null && stopping.has(name))
    .map(([trigger]): RunEvent => {
      return { type: "trigger.recovered", data: { trigger, reason: outcome, by: person.by } };
    });
  const data: JsonObject = { ...person, at: clock.now(), rearmed };
  const closed = [...memory.openIncidents.keys()].map((id): RunEvent => {
    return { type: "incident.closed", data: { id, outcome, facts: {} } };
  });
  return [go, ...evidenceEvents(memory, continuedEvidence, data).events, ...over, ...closed];
}

/**
 * Triggers that can have stopped the run. One that alerts or throttles goes on as it was, and so does a hold under a
 * pause: who ends the pause has not said anything about it.
 */
function stoppingTriggers(memory: RunMemory): ReadonlySet<unknown> {
  const triggers = memory.graph["triggers"];
  if (!Array.isArray(triggers)) return new Set();
  return new Set(
    (triggers as readonly JsonObject[])
      .filter(({ action }) => {
        if (action === "hold") return memory.state === "HOLDING";
        return action === "pause" || action === "rollback";
      })
      .map(({ name }) => name),
  );
}

/**
 * One person approves a phase. `evidence`: the hash they saw; refused when another one stands now.
 * @throws CUTOVER_APPROVAL_INVALID
 */
export function approveEvents(
  memory: RunMemory,
  phase: string,
  person: Person,
  seen?: string,
): readonly RunEvent[] {
  requirePerson(person);
  const { by, reason } = person;
  const refuse = (message: string, remedy?: string): never => {
    throw new CutoverError("CUTOVER_APPROVAL_INVALID", {
      message,
      details: { run: memory.id, phase, by },
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  const state = memory.phase(phase);
  if (state !== "AWAITING_APPROVAL")
    return refuse(
      `expected phase "${phase}" to wait for an approval, found it ${state}`,
      "approve a phase once it asks for it: `cutover status` shows when",
    );
  if (memory.state !== "RUNNING" && memory.state !== "HOLDING" && memory.state !== "PAUSED")
    return refuse(`expected run ${memory.id} to go forward, found it ${memory.state}`);
  const { from } = approvalOf(memory, phase);
  if (from !== undefined && !from.map(personKey).includes(personKey(by)))
    return refuse(`expected one of ${from.join(", ")} to approve phase "${phase}", found ${by}`);
  const basis = refreshBasis(memory, phase);
  if (seen !== undefined && seen !== basis.id)
    return refuse(
      `expected an approval of evidence ${basis.id}, found one of ${seen}, which no longer stands`,
    );
  if (approvers(memory, phase, basis.id).has(personKey(by)))
    return refuse(
      `expected somebody who has not approved phase "${phase}" yet, found ${by} again`,
      "another person must approve it as well",
    );
  return [...basis.events, { type: "approval.given", data: { phase, by, reason, evidence: basis.id } }];
}

/** What a phase asks of its approvers, as the recorded graph says. */
function approvalOf(memory: RunMemory, phase: string): Partial<Approval> {
  const phases = memory.graph["phases"];
  if (!Array.isArray(phases)) return {};
  for (const each of phases as readonly JsonObject[]) {
    const approval = each["approval"];
    if (each["name"] !== phase || typeof approval !== "object" || approval === null) continue;
    const from: unknown = (approval as JsonObject)["from"];
    return Array.isArray(from) ? { from: from.map(String) } : {};
  }
  return {};
}

/** A person takes the run back, or learns that it cannot be: then it holds with an incident. */
export function rollbackByPerson(standing: Standing, person: Person): readonly RunEvent[] {
  requirePerson(person);
  const { memory, order } = standing;
  // A run that cannot even begin to roll back is refused before an incident is opened.
  runTransition(memory, "roll-back");
  const { phases, barredBy } = rollbackScope(order, memory);
  const over = memory.state === "COMPLETED" || memory.state === "ROLLBACK_STUCK";
  if (over && barredBy !== undefined && phases.length === 0) {
    throw new CutoverError("CUTOVER_RUN_STATE", {
      message: `expected a way back from ${memory.state}, found none: the forward-only phase "${barredBy}" has begun`,
      details: { run: memory.id, phase: barredBy },
    });
  }
  const summary = `${person.by} rolls back: ${person.reason}`;
  const seen = { by: person.by, reason: person.reason, state: memory.state };
  return rollbackEvents(standing, { cause: "manual", summary, seen, by: person.by });
}

/**
 * A person says what became of a step that nobody could tell about. Kept as an override: it stands on their word.
 * @throws CUTOVER_RUN_STATE when the step is not UNKNOWN.
 */
export function settleEvents(
  memory: RunMemory,
  step: { readonly id: string; readonly phase: string },
  outcome: "done" | "not-done",
  person: Person,
): readonly RunEvent[] {
  requirePerson(person);
  const { by, reason } = person;
  const settled =
    outcome === "done"
      ? stepTransition(memory, step, "settle-done", { result: null, reason })
      : stepTransition(memory, step, "settle-not-done", {
          error: { code: "CUTOVER_STEP_UNKNOWN", message: `settled as not done by ${by}: ${reason}` },
          reason,
        });
  return [
    { type: "override.recorded", data: { what: `step ${step.id} settled as ${outcome}`, by, reason } },
    settled,
  ];
}
