import {
  CutoverError,
  type Json,
  type JsonObject,
  type PlanItem,
  type PlanItemState,
  type PlanProof,
} from "../core/index.ts";
import type { PhaseState, StepRecord, StepState, Store, StoredEvent, VerdictRecord } from "../store/index.ts";
import { isObject, readGraph } from "./graph.ts";
import type { RunView } from "./run-view.ts";
import { triggerState } from "./words.ts";

export interface PlanRecord {
  /** The written plan the definition was made from; null when it names none. */
  readonly document: { readonly file: string; readonly hash: string } | null;
  readonly items: readonly PlanItem[];
  readonly proofs: readonly PlanProof[];
}

/**
 * Everything a written plan may say of a run, from the record alone: each check, gate, step, phase, unit and trigger of the
 * definition with its state and the events that show it.
 * @throws CUTOVER_RUN_NOT_FOUND when the store has no such run
 */
export async function readPlanRecord(store: Store, runId: string, view: RunView): Promise<PlanRecord> {
  const json = await store.runs.graph(runId);
  const run = await store.runs.get(runId);
  if (json === undefined || run === undefined)
    throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
      message: `expected the id of a run, found ${JSON.stringify(runId)}`,
      details: { run: runId },
    });
  const history = await readHistory(store, runId);
  const verdicts = await store.runs.verdicts(runId);
  const steps = new Map((await store.runs.steps(runId)).map((step) => [step.step, step]));
  const graph = readGraph(json, run.hash);
  const froms = fromsOf(json);
  const phaseStates = new Map(view.phases.map(({ name, state }) => [name, state]));
  const items: PlanItem[] = [];
  const add = (item: Omit<PlanItem, "from">): void =>
    void items.push({ ...item, from: froms.get(`${item.role}\n${item.name}\n${item.phase ?? ""}`) ?? null });

  const judged = (role: string, phase: string | null, name: string): void => {
    const last = verdicts.findLast(
      (each) => each.gate === name && each.role === role && each.phase === phase,
    );
    add({
      role,
      phase,
      name,
      title: name,
      ...stateOfVerdict(last, phase === null ? undefined : phaseStates.get(phase)),
      startedAt: null,
      endedAt: last?.at ?? null,
      events: last === undefined ? [] : history.ofVerdict(last),
    });
  };
  for (const phase of objects(json["phases"])) {
    const name = text(phase["name"]);
    const seen = view.phases.find((each) => each.name === name);
    const state = seen?.state ?? "PENDING";
    add({
      role: "phase",
      phase: name,
      name,
      title: text(phase["title"]) || name,
      state: phaseTruth[state],
      note: seen?.headline ?? "",
      startedAt: seen?.startedAt ?? null,
      endedAt: seen?.endedAt ?? null,
      events: history.ofPhase(name),
    });
    for (const [member, role] of [
      ["entry", "entry"],
      ["wayBack", "way-back"],
      ["exit", "exit"],
    ] as const)
      for (const part of objects(phase[member])) judged(role, name, text(part["name"]));
  }
  for (const phase of graph.phases)
    for (const { id, name } of phase.steps) {
      const record = steps.get(id);
      add({
        role: "step",
        phase: phase.name,
        name: id,
        title: name,
        ...stateOfStep(record, history.settledBy(id)),
        startedAt: record?.startedAt ?? null,
        endedAt: record?.endedAt ?? null,
        events: history.ofStep(id),
      });
    }
  for (const part of objects(json["success"])) judged("success", null, text(part["name"]));
  for (const trigger of view.triggers)
    add({
      role: "trigger",
      phase: null,
      name: trigger.name,
      title: trigger.name,
      state: trigger.firedAt !== null ? "fired" : trigger.armed ? "armed" : "open",
      note: triggerState(trigger),
      startedAt: trigger.firedAt,
      endedAt: trigger.recoveredAt,
      events: history.ofTrigger(trigger.name),
    });
  for (const unit of view.units)
    add({
      role: "unit",
      phase: null,
      name: unit.name,
      title: unit.title || unit.name,
      state: unitTruth[unit.state],
      note: unit.line,
      startedAt: unit.startedAt,
      endedAt: unit.endedAt,
      events: graph.phases.flatMap(({ steps: own }) =>
        own.filter((step) => step.unit === unit.name).flatMap(({ id }) => history.ofStep(id)),
      ),
    });
  const document = json["document"];
  return {
    document:
      isObject(document) && typeof document["file"] === "string" && typeof document["hash"] === "string"
        ? { file: document["file"], hash: document["hash"] }
        : null,
    items,
    proofs: history.proofs(new Set(items.flatMap(({ events }) => events))),
  };
}

const phaseTruth: Readonly<Record<PhaseState, PlanItemState>> = {
  PENDING: "open",
  CHECKING: "running",
  RUNNING: "running",
  GATING: "running",
  AWAITING_APPROVAL: "holds",
  SEALED: "done",
  ROLLING_BACK: "back",
  ROLLED_BACK: "back",
};

const stepTruth: Readonly<Record<StepState, PlanItemState>> = {
  PENDING: "open",
  RUNNING: "running",
  DONE: "done",
  FAILED: "failed",
  UNKNOWN: "unknown",
  ROLLING_BACK: "back",
  ROLLED_BACK: "back",
  ROLLBACK_FAILED: "failed",
};

const unitTruth: Readonly<Record<RunView["units"][number]["state"], PlanItemState>> = {
  pending: "open",
  moving: "running",
  judging: "running",
  moved: "done",
  failed: "failed",
  unknown: "unknown",
  "taking-back": "back",
  back: "back",
};

/** Failures by which a step asks a person instead of having done anything. */
const asking: ReadonlySet<string> = new Set(["CUTOVER_STEP_UNPROVEN", "CUTOVER_STEP_REVIEW"]);

function stateOfStep(
  record: StepRecord | undefined,
  settled: string | undefined,
): { readonly state: PlanItemState; readonly note: string } {
  const state = record?.state ?? "PENDING";
  if (state === "DONE" && settled !== undefined) return { state: "on-word", note: settled };
  const note = record?.error?.message ?? "";
  if ((state === "UNKNOWN" || state === "FAILED") && asking.has(record?.error?.code ?? ""))
    return { state: "holds", note };
  if (state === "UNKNOWN") return { state: "unknown", note: note || "nobody knows whether it took effect" };
  return { state: stepTruth[state], note: state === "DONE" || state === "PENDING" ? "" : note };
}

/** A verdict of a phase that was taken back shows nothing any more. */
function stateOfVerdict(
  verdict: VerdictRecord | undefined,
  phase: PhaseState | undefined,
): { readonly state: PlanItemState; readonly note: string } {
  if (verdict === undefined) return { state: "open", note: "" };
  const { reason } = verdict;
  if (phase === "ROLLING_BACK" || phase === "ROLLED_BACK") return { state: "back", note: reason };
  return {
    state: ({ pass: "proven", fail: "failed", hold: "holds" } as const)[verdict.verdict],
    note: reason,
  };
}

function fromsOf(graph: JsonObject): ReadonlyMap<string, string> {
  return new Map(
    objects(graph["origins"]).map((each) => [
      `${text(each["role"])}\n${text(each["name"])}\n${text(each["phase"])}`,
      text(each["from"]),
    ]),
  );
}

const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const objects = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : [];

/** Events a page shows. */
const shown = ["evidence.recorded", "verdict.given", "step.transition", "phase.transition", "trigger.fired"];
const pageSize = 1_000;

/** The positions of the events of a run, by what they speak of. */
class History {
  readonly #events: Map<number, PlanProof> = new Map();
  readonly #evidence: Map<string, number> = new Map();
  readonly #verdicts: { readonly seq: number; readonly event: StoredEvent }[] = [];
  readonly #steps: Map<string, number> = new Map();
  readonly #phases: Map<string, number> = new Map();
  readonly #triggers: Map<string, number> = new Map();
  readonly #settled: Map<string, string> = new Map();

  take(event: StoredEvent): void {
    const { seq, at, type, data } = event;
    const word = (name: string): string => text(data[name]);
    const keep = (what: string, evidence: string | null = null): void =>
      void this.#events.set(seq, { seq, at, what, evidence });
    if (type === "evidence.recorded") {
      this.#evidence.set(word("id"), seq);
      keep(`evidence "${word("name")}"`, word("id"));
    } else if (type === "verdict.given") {
      this.#verdicts.push({ seq, event });
      keep(`verdict of "${word("gate")}": ${word("verdict")}, ${word("reason")}`);
    } else if (type === "step.transition") {
      // Only the newest change tells how a step stands.
      this.#steps.set(word("step"), seq);
      if (word("to") !== "DONE" || word("event") !== "settle-done") this.#settled.delete(word("step"));
      else this.#settled.set(word("step"), word("reason"));
      keep(`step ${word("step")}: ${word("from")} → ${word("to")}`);
    } else if (type === "phase.transition") {
      this.#phases.set(word("phase"), seq);
      keep(`phase ${word("phase")}: ${word("from")} → ${word("to")}`);
    } else if (type === "trigger.fired") {
      this.#triggers.set(word("trigger"), seq);
      keep(`trigger "${word("trigger")}" fired: ${word("reason")}`);
    }
  }

  /** The verdict itself and the evidence it rests on. */
  ofVerdict({ gate, role, phase, at, evidence }: VerdictRecord): readonly number[] {
    const given = this.#verdicts.findLast(
      ({ event: { data, at: when } }) =>
        data["gate"] === gate &&
        data["role"] === role &&
        (text(data["phase"]) || null) === phase &&
        when === at,
    );
    const rests = evidence.flatMap((id) => this.#evidence.get(id) ?? []);
    return [...new Set([...rests, ...(given === undefined ? [] : [given.seq])])].toSorted((a, b) => a - b);
  }

  ofStep(id: string): readonly number[] {
    return one(this.#steps.get(id));
  }

  ofPhase(name: string): readonly number[] {
    return one(this.#phases.get(name));
  }

  ofTrigger(name: string): readonly number[] {
    return one(this.#triggers.get(name));
  }

  /** Why a person said that a step is done; undefined when its own result says so. */
  settledBy(id: string): string | undefined {
    return this.#settled.get(id);
  }

  proofs(wanted: ReadonlySet<number>): readonly PlanProof[] {
    return [...this.#events.values()].filter(({ seq }) => wanted.has(seq));
  }
}

const one = (seq: number | undefined): readonly number[] => (seq === undefined ? [] : [seq]);

async function readHistory(store: Store, runId: string): Promise<History> {
  const history = new History();
  for (let after = 0; ;) {
    const page = await store.events.read({ stream: `run:${runId}`, types: shown, after, limit: pageSize });
    for (const event of page) history.take(event);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return history;
    after = last.seq;
    // Others have a turn between two pages: whoever looks must not hold up the run.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
