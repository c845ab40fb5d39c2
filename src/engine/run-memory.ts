import type { Json, JsonObject } from "../core/index.ts";
import { type Compiled, contingencyOf } from "../plan/index.ts";
import type {
  ApprovalRecord,
  ErrorRecord,
  EvidenceRecord,
  PhaseState,
  RunEvent,
  RunRecord,
  RunState,
  StepState,
  Store,
  VerdictRecord,
} from "../store/index.ts";
import { countFailures } from "./step-history.ts";

/** Name of the evidence that marks a phase as taken over from an earlier run; this run did nothing there. */
export const carriedEvidence = "phase.carried";
/** Name of the evidence that says a step's `complete` ran. */
export const completedEvidence = "step.completed";
/** Name of the evidence that a phase was taken back and is taken up again: nothing before it counts for it any more. */
export const restartedEvidence = "phase.restarted";

export interface StepMemory {
  readonly state: StepState;
  readonly attempt: number;
  readonly checkpoint: Json | undefined;
  readonly error: ErrorRecord | undefined;
}

const untouched: StepMemory = { state: "PENDING", attempt: 0, checkpoint: undefined, error: undefined };

/** The newest firing of a trigger. */
export interface FiredTrigger {
  readonly firedAt: number;
  /** When what it did began to stand: a repeated firing does not change it. */
  readonly since: number;
  readonly reason: string;
  /** Null while what it did stands. */
  readonly recoveredAt: number | null;
}

const triggerTypes: readonly string[] = ["trigger.fired", "trigger.recovered"];

export type VerdictMemory = Pick<
  VerdictRecord,
  "gate" | "role" | "phase" | "step" | "verdict" | "reason" | "evidence"
> & {
  /** When the first verdict of this gate was given, and when it last changed. */
  readonly firstAt: number;
  readonly at: number;
};

/**
 * What the store knows about one run, held in memory by whoever carries it: a step then costs one commit and no
 * read. Changed only by the events the journal commits, so it always equals the store's projections.
 */
export class RunMemory {
  readonly id: string;
  readonly migration: string;
  readonly createdAt: number;
  hash: string;
  state: RunState;
  reason: string;
  readonly phases: Map<string, PhaseState> = new Map();
  readonly steps: Map<string, StepMemory> = new Map();
  readonly evidence: Map<string, Omit<EvidenceRecord, "id" | "run">> = new Map();
  readonly approvals: Omit<ApprovalRecord, "run">[] = [];
  /** Incidents not closed yet. */
  readonly openIncidents: Map<string, { readonly cause: string; readonly seen: JsonObject; at: number }> =
    new Map();
  /** Steps in DONE by phase: what makes "all done" a comparison of two numbers. */
  readonly doneCount: Map<string, number> = new Map();
  /** Phases taken over from an earlier run, and steps whose `complete` ran: both told by evidence. */
  readonly carried: Set<string> = new Set();
  readonly completed: Set<string> = new Set();
  /** Triggers that have fired, by name. */
  readonly fired: Map<string, FiredTrigger> = new Map();
  /** Contingencies that a trigger has asked for, ever. */
  readonly procedures: Set<string> = new Set();
  /** Steps whose newest attempt failed, or of which nobody knows whether it took effect; a new attempt does not clear it. */
  readonly failing: Set<string> = new Set();
  readonly #beganAt = new Map<string, number>();
  readonly #firstEvents = new Map<string, number>();
  readonly #verdicts = new Map<string, VerdictMemory>();
  #definition: Pick<Compiled, "graph">;

  constructor(
    run: Pick<RunRecord, "id" | "migration" | "createdAt" | "hash" | "state" | "reason">,
    definition: Pick<Compiled, "graph">,
  ) {
    this.id = run.id;
    this.migration = run.migration;
    this.createdAt = run.createdAt;
    this.hash = run.hash;
    this.#definition = definition;
    this.state = run.state;
    this.reason = run.reason;
  }

  /** `known`: the definition at hand. While the run still has it, the recorded graph need not be read. */
  static async load(
    store: Store,
    run: RunRecord,
    known?: Pick<Compiled, "hash" | "graph">,
  ): Promise<RunMemory> {
    const recorded = known?.hash === run.hash ? known : { graph: (await store.runs.graph(run.id)) ?? {} };
    const memory = new RunMemory(run, recorded);
    const [phases, steps, evidence, verdicts, approvals, incidents] = await Promise.all([
      store.runs.phases(run.id),
      store.runs.steps(run.id),
      store.runs.evidence(run.id),
      store.runs.verdicts(run.id),
      store.runs.approvals(run.id),
      store.runs.incidents(run.id),
    ]);
    for (const { phase, state, startedAt } of phases) {
      memory.phases.set(phase, state);
      if (startedAt !== null) memory.#beganAt.set(phase, startedAt);
    }
    for (const { step, phase, state, attempt, checkpoint, error, seq } of steps) {
      if (state !== "DONE") memory.#firstEvents.set(step, seq);
      else memory.doneCount.set(phase, (memory.doneCount.get(phase) ?? 0) + 1);
      const [saved, failed] = [checkpoint ?? undefined, error ?? undefined];
      memory.steps.set(step, { state, attempt, checkpoint: saved, error: failed });
    }
    for (const { id, name, phase, step, at, data } of evidence)
      memory.#setEvidence(id, { name, phase, step, at, data });
    for (const verdict of verdicts) memory.#setVerdict(verdict, verdict.at);
    await memory.#recallTriggers(store);
    await memory.#recallFailing(store);
    memory.approvals.push(...approvals);
    for (const { id, cause, seen, openedAt, closedAt } of incidents)
      if (closedAt === null) memory.openIncidents.set(id, { cause, seen, at: openedAt });
    return memory;
  }

  async #recallTriggers(store: Store): Promise<void> {
    const stream = `run:${this.id}`;
    for (let after = 0; ;) {
      const page = await store.events.read({ stream, types: triggerTypes, after, limit: 1_000 });
      for (const { type, at, data } of page) this.apply({ type, data } as unknown as RunEvent, at);
      const last = page.at(-1);
      if (last === undefined || page.length < 1_000) return;
      after = last.seq;
    }
  }

  async #recallFailing(store: Store): Promise<void> {
    const again = new Map<string, number>();
    for (const [id, { state, attempt }] of this.steps) {
      if (state === "FAILED" || state === "UNKNOWN") this.failing.add(id);
      if (state === "RUNNING" && attempt > 1) again.set(id, this.firstEvent(id));
    }
    // Whether an attempt follows a failure or a crash, only the events tell.
    if (again.size > 0)
      for (const id of (await countFailures(store, this.id, again)).keys()) this.failing.add(id);
  }

  /** As the run recorded it. */
  get graph(): JsonObject {
    return this.#definition.graph;
  }

  step(id: string): StepMemory {
    return this.steps.get(id) ?? untouched;
  }

  /** Position before which no event tells of a step; 1 for one that began in this process. */
  firstEvent(step: string): number {
    return this.#firstEvents.get(step) ?? 1;
  }

  phase(name: string): PhaseState {
    return this.phases.get(name) ?? "PENDING";
  }

  /** When the phase was first looked at: what is measured from then on is evidence for its gates. */
  beganAt(phase: string): number {
    return this.#beganAt.get(phase) ?? this.createdAt;
  }

  /** The newest verdict of each gate, in the order in which the gates were first judged. */
  verdicts(): Iterable<VerdictMemory> {
    return this.#verdicts.values();
  }

  verdict(key: Pick<VerdictMemory, "role" | "phase" | "step" | "gate">): VerdictMemory | undefined {
    return this.#verdicts.get(verdictKey(key));
  }

  /** Newest evidence with this name, if any. */
  newestEvidence(name: string, phase?: string): Omit<EvidenceRecord, "id" | "run"> | undefined {
    let newest: Omit<EvidenceRecord, "id" | "run"> | undefined;
    for (const record of this.evidence.values()) {
      if (record.name !== name || (phase !== undefined && record.phase !== phase)) continue;
      if (newest === undefined || record.at >= newest.at) newest = record;
    }
    return newest;
  }

  apply(event: RunEvent, at: number): void {
    switch (event.type) {
      case "run.transition":
        this.state = event.data.to;
        this.reason = event.data.reason ?? "";
        return;
      case "run.redefined":
        this.hash = event.data.to;
        this.#definition = event.data;
        return;
      case "phase.transition":
        this.phases.set(event.data.phase, event.data.to);
        if (!this.#beganAt.has(event.data.phase)) this.#beganAt.set(event.data.phase, at);
        return;
      case "step.transition": {
        const { step, phase, to, attempt, error } = event.data;
        const before = this.step(step);
        this.#setStep(step, phase, {
          state: to,
          attempt,
          checkpoint: to === "ROLLED_BACK" ? undefined : before.checkpoint,
          error: error ?? (to === "RUNNING" ? undefined : before.error),
        });
        return;
      }
      case "step.checkpoint": {
        const { step, checkpoint } = event.data;
        this.steps.set(step, { ...this.step(step), checkpoint: checkpoint ?? undefined });
        return;
      }
      case "evidence.recorded": {
        const { id, name, phase, step, data } = event.data;
        this.#setEvidence(id, { name, phase: phase ?? null, step: step ?? null, at, data });
        return;
      }
      case "verdict.given": {
        const { phase, step } = event.data;
        this.#setVerdict({ ...event.data, phase: phase ?? null, step: step ?? null }, at);
        return;
      }
      case "approval.given":
        this.approvals.push({ ...event.data, at, lapsed: false });
        return;
      case "approval.lapsed":
        for (const [index, approval] of this.approvals.entries()) {
          const { phase, by, evidence } = event.data;
          if (approval.phase === phase && approval.by === by && approval.evidence === evidence)
            this.approvals[index] = { ...approval, lapsed: true };
        }
        return;
      case "incident.opened":
        this.openIncidents.set(event.data.id, { cause: event.data.cause, seen: event.data.seen, at });
        return;
      case "incident.closed":
        this.openIncidents.delete(event.data.id);
        return;
      case "trigger.fired": {
        const { trigger, reason, action } = event.data;
        const before = this.fired.get(trigger);
        const since = before?.recoveredAt === null ? before.since : at;
        this.fired.set(trigger, { firedAt: at, since, reason, recoveredAt: null });
        const procedure = contingencyOf(action);
        if (procedure !== undefined) this.procedures.add(procedure);
        return;
      }
      case "trigger.recovered": {
        const fired = this.fired.get(event.data.trigger);
        if (fired !== undefined) this.fired.set(event.data.trigger, { ...fired, recoveredAt: at });
        return;
      }
      case "run.created":
      case "run.claimed":
      case "override.recorded":
      case "route.changed":
      case "note.added":
      case "decision.asked":
      case "decision.answered":
        return;
    }
  }

  #setEvidence(id: string, record: Omit<EvidenceRecord, "id" | "run">): void {
    this.evidence.set(id, record);
    if (record.name === carriedEvidence && record.phase !== null) this.carried.add(record.phase);
    if (record.name === completedEvidence && record.step !== null) this.completed.add(record.step);
    if (record.name === restartedEvidence && record.phase !== null) this.#beginAnew(record.phase, record.at);
  }

  #beginAnew(phase: string, at: number): void {
    this.#beganAt.set(phase, at);
    for (const { name, phase: of, step } of this.evidence.values())
      if (name === completedEvidence && of === phase && step !== null) this.completed.delete(step);
  }

  #setStep(id: string, phase: string, next: StepMemory): void {
    const before = this.step(id).state === "DONE" ? 1 : 0;
    const after = next.state === "DONE" ? 1 : 0;
    if (before !== after) this.doneCount.set(phase, (this.doneCount.get(phase) ?? 0) + after - before);
    this.steps.set(id, next);
    if (next.state === "FAILED" || next.state === "UNKNOWN") this.failing.add(id);
    else if (next.state !== "RUNNING") this.failing.delete(id);
  }

  #setVerdict(verdict: Omit<VerdictMemory, "firstAt" | "at">, at: number): void {
    const key = verdictKey(verdict);
    const { gate, role, phase, step, verdict: kind, reason, evidence } = verdict;
    const firstAt = this.#verdicts.get(key)?.firstAt ?? at;
    this.#verdicts.set(key, { gate, role, phase, step, verdict: kind, reason, evidence, firstAt, at });
  }
}

const verdictKey = (verdict: Pick<VerdictMemory, "role" | "phase" | "step" | "gate">): string =>
  `${verdict.role}\n${verdict.phase ?? ""}\n${verdict.step ?? ""}\n${verdict.gate}`;
