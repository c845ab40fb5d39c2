import { canonicalJson, CutoverError, faultPoint, type JsonObject, shortId } from "../core/index.ts";
import type { Compiled, CompiledPhase } from "../plan/index.ts";
import type { RunEvent, RunRecord, StepRecord, Store } from "../store/index.ts";
import type { Settings } from "./desk.ts";
import { evidenceEvents } from "./records.ts";
import { carriedEvidence, RunMemory } from "./run-memory.ts";
import { phaseTransition, stepTransition } from "./transitions.ts";
import { requireSoundRecord } from "./sound-record.ts";
import { finalRunStates, unfinishedRunStates } from "./state-tables.ts";

/** Records a new run, together with what it takes over from earlier ones, in one commit. */
export async function createRun(
  settings: Settings,
  compiled: Compiled,
  { by, source, from }: { readonly by: string; readonly source: string; readonly from: string | undefined },
): Promise<RunRecord> {
  const { store, clock, random } = settings;
  const migration = compiled.migration.name;
  await requireNoneUnfinished(store, migration);
  const { hash, graph } = compiled;
  const id = shortId("r", 5, random);
  const memory = new RunMemory(
    { id, migration, createdAt: clock.now(), hash, state: "RUNNING", reason: "" },
    compiled,
  );
  const carried = from === undefined ? [] : await carriedEvents(settings, compiled, memory, from);
  faultPoint("engine.run.before-create");
  await store.runs.commit(id, [
    { type: "run.created", data: { migration, hash, source, by, graph } },
    ...carried,
  ]);
  faultPoint("engine.run.after-create");
  const run = await store.runs.get(id);
  if (run === undefined) throw new CutoverError("CUTOVER_INTERNAL", { message: `run ${id} was not stored` });
  return run;
}

/** @throws CUTOVER_RUN_ACTIVE: two runs of one migration would move the same routes and data. */
export async function requireNoneUnfinished(store: Store, migration: string): Promise<void> {
  const [active] = await store.runs.list({ migration, states: unfinishedRunStates });
  if (active === undefined) return;
  throw new CutoverError("CUTOVER_RUN_ACTIVE", {
    message: `expected no unfinished run of "${migration}", found ${active.id} in state ${active.state}`,
    details: { run: active.id, state: active.state, migration },
  });
}

/** What an earlier run sealed counts as sealed, with its evidence; each phase before `from` must be so. */
async function carriedEvents(
  { store }: Settings,
  compiled: Compiled,
  memory: RunMemory,
  from: string,
): Promise<readonly RunEvent[]> {
  const until = compiled.phases.findIndex(({ name }) => name === from);
  if (until === -1)
    throw new CutoverError("CUTOVER_PLAN_UNKNOWN_PHASE", {
      message: `expected a phase to begin with, found "${from}"; there are ${compiled.phases.map(({ name }) => name).join(", ")}`,
      details: { phase: from },
    });
  const earlier = await store.runs.list({ migration: memory.migration, states: finalRunStates });
  const loaded = await Promise.all(
    earlier.map(async (run) => ({
      run,
      past: await RunMemory.load(store, run),
      steps: await store.runs.steps(run.id),
    })),
  );
  for (const run of earlier) await requireSoundRecord(store, run.id);
  return compiled.phases.slice(0, until).flatMap((phase) => {
    const newest = loaded.find(({ past }) => past.phase(phase.name) !== "PENDING");
    const state = newest?.past.phase(phase.name);
    if (newest === undefined || state !== "SEALED")
      throw new CutoverError("CUTOVER_RUN_STATE", {
        message:
          `expected phase "${phase.name}" to be sealed by an earlier run before one begins with "${from}", ` +
          (newest === undefined ? "found none that did it" : `found it ${state} in run ${newest.run.id}`),
        details: { phase: phase.name, run: newest?.run.id, state },
        remedy: `begin with "${phase.name}" or earlier: what was taken back must be done again`,
      });
    if (phaseWork(newest.past.graph, phase.name) !== phaseWork(compiled.graph, phase.name))
      throw new CutoverError("CUTOVER_RUN_STATE", {
        message: `expected phase "${phase.name}" as run ${newest.run.id} sealed it, found that its steps or gates changed since`,
        details: { phase: phase.name, run: newest.run.id },
        remedy: `begin with "${phase.name}": its evidence tells of other work`,
      });
    return carryPhase(memory, phase, newest.run.id, newest.past, newest.steps);
  });
}

function carryPhase(
  memory: RunMemory,
  phase: CompiledPhase,
  run: string,
  past: RunMemory,
  steps: readonly StepRecord[],
): readonly RunEvent[] {
  const rests = [...past.evidence].filter(([, record]) => record.phase === phase.name).map(([id]) => id);
  const data = { run, phase: phase.name, evidence: rests };
  const results = new Map(steps.map((step) => [step.step, step.result]));
  return [
    ...evidenceEvents(memory, carriedEvidence, data, { phase: phase.name }).events,
    ...phase.steps.map((step) =>
      stepTransition(memory, step, "carry", {
        result: results.get(step.id) ?? null,
        reason: `done by run ${run}`,
      }),
    ),
    phaseTransition(memory, phase.name, "carry", `sealed by run ${run}`),
  ];
}

/** What a phase does and asks, as text to compare: words for people and hints for the display left out. */
function phaseWork(graph: JsonObject, name: string): string {
  const phases = graph["phases"];
  if (!Array.isArray(phases)) return "";
  const phase = (phases as readonly JsonObject[]).find((each) => each["name"] === name);
  if (phase === undefined) return "";
  const { steps, entry, wayBack, exit } = phase;
  const work = Array.isArray(steps)
    ? (steps as readonly JsonObject[]).map(({ id, kind, after, input, code }) => ({
        id,
        kind,
        after,
        input,
        code,
      }))
    : [];
  return canonicalJson({ work, entry, wayBack, exit });
}
