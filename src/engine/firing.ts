import { CutoverError, type Json, type JsonObject, nearest } from "../core/index.ts";
import { contingencyOf } from "../plan/index.ts";
import type { RunEvent } from "../store/index.ts";
import { rollbackEvents, type Standing } from "./incidents.ts";
import { type Person, requirePerson } from "./people.ts";
import type { RunMemory } from "./run-memory.ts";
import { runTransition, stepTransition } from "./transitions.ts";

/**
 * What follows from a trigger that fires or recovers, as events to commit together. The process that carries the run,
 * and a command that finds nobody carrying it, use the same functions; they look at nothing but the record.
 */
interface RecordedTrigger {
  readonly name: string;
  readonly action: string;
  readonly phases: readonly string[] | null;
  readonly manual: boolean;
}

/** The triggers of a run, as its recorded graph says. */
function recordedTriggers(memory: RunMemory): readonly RecordedTrigger[] {
  return objects(memory.graph["triggers"]).map(({ name, action, phases, condition }) => ({
    name: name as string,
    action: action as string,
    phases: Array.isArray(phases) ? phases.map(String) : null,
    manual: objects([condition ?? null])[0]?.["type"] === "manual",
  }));
}

/** Key of the hold of a trigger that has fired. */
export const triggerHold = (trigger: string): string => `trigger:${trigger}`;

/** What a trigger did stands: it has fired and not recovered. */
export const stands = (memory: RunMemory, trigger: string): boolean =>
  memory.fired.get(trigger)?.recoveredAt === null;

interface Firing {
  readonly name: string;
  readonly action: string;
  /** One line for people: why. */
  readonly reason: string;
  readonly phase: string;
  readonly seen: JsonObject;
  readonly by?: string;
}

export function firingEvents(standing: Standing, firing: Firing): readonly RunEvent[] {
  const { memory, holds } = standing;
  const { name, action, reason, phase, seen, by } = firing;
  const who = by === undefined ? {} : { by };
  const author = by ?? `trigger ${name}`;
  const said = `${name}: ${reason}`;
  const fired: RunEvent = {
    type: "trigger.fired",
    data: { trigger: name, action, reason, phase, ...who },
  };
  const note = (text: string): RunEvent => ({
    type: "note.added",
    data: { by: author, text, facts: { phase } },
  });
  const procedure = contingencyOf(action);
  if (procedure !== undefined)
    return [fired, note(`runs the contingency "${procedure}": ${said}`), ...renewal(memory, procedure)];
  switch (action) {
    case "alert":
      return [fired, note(said)];
    case "pause":
      if (memory.state === "PAUSED") return [fired];
      return [fired, runTransition(memory, "pause", { reason: said, by: author })];
    case "throttle":
      return [fired, note(`one step at a time, no share rises: ${said}`)];
    case "hold":
      holds.set(triggerHold(name), said);
      return [fired, ...holds.events(memory)];
    case "rollback":
      return [
        fired,
        ...rollbackEvents(standing, {
          cause: "trigger",
          summary: said,
          seen: { trigger: name, phase, ...seen },
          ...who,
        }),
      ];
    default:
      throw new CutoverError("CUTOVER_INTERNAL", {
        message: `expected an action of a trigger, found "${action}"`,
      });
  }
}

/** The trigger is over: what it held or slowed goes on. */
export function recoveryEvents(
  { memory, holds }: Pick<Standing, "memory" | "holds">,
  name: string,
  reason: string,
  by?: string,
): readonly RunEvent[] {
  const who = by === undefined ? {} : { by };
  holds.clear(triggerHold(name));
  return [{ type: "trigger.recovered", data: { trigger: name, reason, ...who } }, ...holds.events(memory)];
}

/** A person fires a trigger that was declared for people. @throws CUTOVER_TRIGGER_UNKNOWN, CUTOVER_RUN_STATE */
export function triggerByPerson(standing: Standing, name: string, person: Person): readonly RunEvent[] {
  requirePerson(person);
  const { memory, order } = standing;
  const trigger = knownTrigger(memory, name);
  const refuse = (message: string, remedy?: string): never => {
    throw new CutoverError("CUTOVER_RUN_STATE", {
      message,
      details: { run: memory.id, trigger: name, state: memory.state },
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  if (!trigger.manual)
    return refuse(
      `expected a trigger that people fire, found "${name}", which fires by itself`,
      "use pause or rollback, or declare one with manual(…)",
    );
  if (memory.state !== "RUNNING" && memory.state !== "HOLDING" && memory.state !== "PAUSED")
    return refuse(`expected run ${memory.id} to go forward, found it ${memory.state}: nothing is armed`);
  const phase = order.find((each) => memory.phase(each.name) !== "SEALED")?.name ?? order.at(-1)?.name ?? "";
  if (trigger.phases !== null && !trigger.phases.includes(phase))
    return refuse(
      `expected "${name}" to be armed, found phase "${phase}" in hand; it is armed in ${trigger.phases.join(", ")}`,
    );
  const { by, reason } = person;
  return firingEvents(standing, {
    name,
    action: trigger.action,
    reason,
    phase,
    seen: { by, reason },
    by,
  });
}

/** A person lifts what a trigger holds or slows. @throws CUTOVER_TRIGGER_UNKNOWN, CUTOVER_RUN_STATE */
export function liftByPerson(
  standing: Pick<Standing, "memory" | "holds">,
  name: string,
  person: Person,
): readonly RunEvent[] {
  requirePerson(person);
  const { memory } = standing;
  const { action } = knownTrigger(memory, name);
  if ((action !== "hold" && action !== "throttle") || !stands(memory, name))
    throw new CutoverError("CUTOVER_RUN_STATE", {
      message: `expected "${name}" to hold or slow run ${memory.id}, found that it does not`,
      details: { run: memory.id, trigger: name },
      remedy: "a pause ends with `cutover continue`; nothing else lasts that could be lifted",
    });
  return recoveryEvents(standing, name, `lifted by ${person.by}: ${person.reason}`, person.by);
}

function knownTrigger(memory: RunMemory, name: string): RecordedTrigger {
  const all = recordedTriggers(memory);
  const found = all.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = all.filter(({ manual }) => manual).map((each) => each.name);
  const meant = nearest(name, names);
  const known = names.map((each) => `"${each}"`).join(", ");
  throw new CutoverError("CUTOVER_TRIGGER_UNKNOWN", {
    message: `expected a trigger of run ${memory.id}, found "${name}"`,
    details: { run: memory.id, trigger: name, known: names },
    ...(meant !== undefined
      ? { remedy: `did you mean "${meant}"?` }
      : { remedy: known === "" ? "this migration declares none: manual(…) does" : `people fire: ${known}` }),
  });
}

/** Steps of a procedure that is asked for again begin anew; one that is under way goes on. */
function renewal(memory: RunMemory, procedure: string): readonly RunEvent[] {
  const steps = procedureSteps(memory, procedure);
  const states = steps.map((id) => memory.step(id).state);
  if (isUnderWay(memory, procedure)) return [];
  const phase = `contingency:${procedure}`;
  return steps
    .filter((_, index) => states[index] === "DONE" || states[index] === "FAILED")
    .map((id) => stepTransition(memory, { id, phase }, "restart"));
}

/** A trigger asked for it, none of its steps failed, and some are left to do. */
export function isUnderWay(memory: RunMemory, procedure: string): boolean {
  if (!memory.procedures.has(procedure)) return false;
  const states = procedureSteps(memory, procedure).map((id) => memory.step(id).state);
  return !states.includes("FAILED") && states.some((state) => state !== "DONE");
}

function procedureSteps(memory: RunMemory, procedure: string): readonly string[] {
  const found = objects(memory.graph["contingencies"]).find(({ name }) => name === procedure);
  return objects(found?.["steps"]).map(({ id }) => id as string);
}

const objects = (list: Json | undefined): readonly JsonObject[] =>
  Array.isArray(list)
    ? (list as readonly Json[]).filter(
        (each): each is JsonObject => typeof each === "object" && each !== null && !Array.isArray(each),
      )
    : [];
