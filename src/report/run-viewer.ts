import { CutoverError, type Interval } from "../core/index.ts";
import {
  type ApprovalRecord,
  type EvidenceRecord,
  hasEnded,
  type IncidentRecord,
  type PhaseRecord,
  type RunRecord,
  type StepRecord,
  type Store,
  type StoredEvent,
  type VerdictRecord,
} from "../store/index.ts";
import { asideItems, sidecarsOf } from "./aside.ts";
import { type Graph, readGraph } from "./graph.ts";
import { nextCommand } from "./next-command.ts";
import { phaseView } from "./phase-view.ts";
import { liveVerdictView, newestVerdicts, verdictView } from "./verdict-view.ts";
import { recentRate, routeView } from "./route-view.ts";
import type { LiveRun, OverrideView, RouteView, RunView, TriggerView } from "./run-view.ts";
import { unitViews } from "./unit-view.ts";
import { wantedApprovals } from "./wanted-approvals.ts";

/** How far back "calls a second now" looks. */
const rateWindowMs = 3_000;
/** Events read at a time. */
const pageSize = 1_000;
/** A door that was cut off delivers intervals this much later than they ended. */
const lateMs = 60_000;

export interface RunViewOptions {
  /** When the view is made, wall-clock milliseconds: running times count up to it. */
  readonly at: number;
  /** Progress of running steps, when this process carries the run. */
  readonly live?: LiveRun;
  /** It is known that no process carries any run, whoever the record names: the last one was killed. */
  readonly nobodyCarries?: boolean;
}

/** What a viewer has read and need not read again: the record is append-only. */
interface Known {
  /** Events in the store when it was read: while there are no more, nothing has changed. */
  events: number;
  rows: Rows;
  readonly told: Told;
  readonly intervals: Map<string, Interval>;
}

interface Rows {
  readonly run: RunRecord;
  readonly phases: ReadonlyMap<string, PhaseRecord>;
  readonly steps: readonly StepRecord[];
  readonly stepsById: ReadonlyMap<string, StepRecord>;
  readonly evidence: readonly EvidenceRecord[];
  readonly verdicts: readonly VerdictRecord[];
  readonly approvals: readonly ApprovalRecord[];
  readonly incidents: readonly IncidentRecord[];
  readonly graph: Graph;
}

interface Told {
  /** Position of the newest event taken in. */
  seq: number;
  startedBy: string;
  readonly overrides: OverrideView[];
  readonly notes: { at: number; by: string; text: string }[];
  /** Trigger name → when it fired last. */
  readonly fired: Map<string, Fired>;
}

/**
 * Looks at one run again and again: reads what is new since the last look, and nothing when nothing is.
 */
export class RunViewer {
  readonly #store: Store;
  readonly #id: string;
  #known: Known | undefined;

  constructor(store: Store, runId: string) {
    this.#store = store;
    this.#id = runId;
  }

  /**
   * The run as it stands, from the record alone (plus live progress, when given).
   * @throws CUTOVER_RUN_NOT_FOUND when the store has no such run.
   */
  async view(options: RunViewOptions): Promise<RunView> {
    const { rows, told, intervals } = await this.#read();
    return assemble(this.#store, rows, told, [...intervals.values()], options);
  }

  async #read(): Promise<Known> {
    const before = this.#known;
    const told = before?.told ?? {
      seq: 0,
      startedBy: "",
      overrides: [],
      notes: [],
      fired: new Map<string, Fired>(),
    };
    // Counted first: what is appended while the rest is read counts as new at the next look.
    const events = await this.#store.events.count();
    const changed = before === undefined || events !== before.events;
    if (changed) await this.#hear(told);
    const rows = changed ? await this.#rows(before?.rows.graph) : before.rows;
    const intervals = before?.intervals ?? new Map<string, Interval>();
    const newest = [...intervals.values()].reduce((most, { to }) => Math.max(most, to), rows.run.createdAt);
    const since = Math.max(rows.run.createdAt, newest - lateMs);
    for (const interval of await this.#store.routes.intervals({ since }))
      intervals.set(interval.id, interval);
    this.#known = { events, rows, told, intervals };
    return this.#known;
  }

  /** Takes in what the run's events tell that no row does: a few types among thousands of steps. */
  async #hear(told: Told): Promise<void> {
    const stream = `run:${this.#id}`;
    for (;;) {
      const page = await this.#store.events.read({
        stream,
        types: tellingTypes,
        after: told.seq,
        limit: pageSize,
      });
      for (const event of page) hear(told, event);
      if (page.length < pageSize) return;
      // Others have a turn between two pages: whoever looks must not hold up the run.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  async #rows(graph: Graph | undefined): Promise<Rows> {
    const { runs } = this.#store;
    const id = this.#id;
    const run = await runs.get(id);
    if (run === undefined) {
      throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
        message: `expected the id of a run, found ${JSON.stringify(id)}`,
        details: { run: id },
      });
    }
    const [phases, steps, evidence, verdicts, approvals, incidents] = await Promise.all([
      runs.phases(id),
      runs.steps(id),
      runs.evidence(id),
      runs.verdicts(id),
      runs.approvals(id),
      runs.incidents(id),
    ]);
    return {
      run,
      phases: new Map(phases.map((phase) => [phase.phase, phase])),
      steps,
      stepsById: new Map(steps.map((step) => [step.step, step])),
      evidence,
      verdicts,
      approvals,
      incidents,
      graph: graph?.hash === run.hash ? graph : readGraph((await runs.graph(id)) ?? {}, run.hash),
    };
  }
}

/**
 * One run as people and machines see it, once; see `RunViewer` for looking again and again.
 * @throws CUTOVER_RUN_NOT_FOUND when the store has no such run.
 */
export function buildRunView(store: Store, runId: string, options: RunViewOptions): Promise<RunView> {
  return new RunViewer(store, runId).view(options);
}

async function assemble(
  store: Store,
  rows: Rows,
  told: Told,
  intervals: readonly Interval[],
  options: RunViewOptions,
): Promise<RunView> {
  const { graph, steps, evidence, verdicts, approvals, incidents } = rows;
  const idle = options.nobodyCarries === true;
  const run = idle ? { ...rows.run, owner: null } : rows.run;
  const endedAt = hasEnded(run.state) ? run.updatedAt : null;
  // The time of a run that nobody carries stands still.
  const until = endedAt ?? (idle ? run.updatedAt : options.at);
  const phases = graph.phases.map((phase) =>
    phaseView({
      phase,
      record: rows.phases.get(phase.name),
      steps: rows.stepsById,
      verdicts: verdicts.filter((verdict) => verdict.phase === phase.name),
      live: options.live,
      at: until,
    }),
  );
  const during = intervals.filter((interval) => interval.to <= until + rateWindowMs);
  const wanted = wantedApprovals(run, phases, approvals, evidence);
  return {
    run: {
      id: run.id,
      migration: run.migration,
      title: graph.title,
      hash: run.hash,
      source: run.source,
      state: run.state,
      reason: run.reason,
      startedBy: told.startedBy,
      createdAt: run.createdAt,
      updatedAt: run.updatedAt,
      endedAt,
      elapsedMs: Math.max(0, until - run.createdAt),
      owner: run.owner,
      at: options.at,
      waitsFor: options.live?.waitsFor ?? "",
      throttledBy: options.live?.throttledBy ?? null,
      callsPerSecond: endedAt === null ? recentRate(during, options.at, rateWindowMs) : null,
    },
    phases,
    units: unitViews(graph, run, rows.phases, rows.stepsById),
    triggers: triggerViews({ graph, run, verdicts, fired: told.fired, phases, live: options.live }),
    routes: await routeViews(store, run, during),
    success: newestVerdicts(
      verdicts.filter(({ role }) => role === "success"),
      [],
    ),
    wanted,
    approvals: approvals.map(({ run: _run, ...approval }) => approval),
    overrides: [...told.overrides],
    incidents: incidents.map(({ run: _run, ...incident }) => incident),
    aside: asideItems(steps, evidence),
    sidecars: sidecarsOf(evidence),
    notes: [...told.notes],
    next: nextCommand(run, phases, wanted, incidents),
  };
}

/** The newest firing of a trigger. */
interface Fired {
  readonly firedAt: number;
  readonly firedFor: string;
  readonly firedBy: string | null;
  readonly recoveredAt: number | null;
}

const neverFired = { firedAt: null, firedFor: null, firedBy: null, recoveredAt: null } as const;

const tellingTypes: readonly string[] = [
  "run.created",
  "override.recorded",
  "note.added",
  "trigger.fired",
  "trigger.recovered",
];

function hear(told: Told, { seq, type, at, data }: StoredEvent): void {
  told.seq = seq;
  const word = (name: string): string => (typeof data[name] === "string" ? data[name] : "");
  if (type === "run.created") told.startedBy = word("by");
  if (type === "override.recorded")
    told.overrides.push({ at, what: word("what"), by: word("by"), reason: word("reason") });
  if (type === "note.added") told.notes.push({ at, by: word("by"), text: word("text") });
  if (type === "trigger.fired")
    told.fired.set(word("trigger"), {
      firedAt: at,
      firedFor: word("reason"),
      firedBy: word("by") || null,
      recoveredAt: null,
    });
  const fired = type === "trigger.recovered" ? told.fired.get(word("trigger")) : undefined;
  if (fired !== undefined) told.fired.set(word("trigger"), { ...fired, recoveredAt: at });
}

function triggerViews(facts: {
  readonly graph: Graph;
  readonly run: RunRecord;
  readonly verdicts: readonly VerdictRecord[];
  readonly fired: ReadonlyMap<string, Fired>;
  readonly phases: RunView["phases"];
  readonly live: LiveRun | undefined;
}): readonly TriggerView[] {
  const { run } = facts;
  const begun = facts.phases.filter((phase) => phase.state !== "PENDING" && phase.state !== "SEALED");
  return facts.graph.triggers.map((trigger) => {
    const recorded = facts.verdicts.findLast(({ role, gate }) => role === "trigger" && gate === trigger.name);
    const live = facts.live?.verdicts.find(({ role, gate }) => role === "trigger" && gate === trigger.name);
    const inPhase = trigger.phases.length === 0 || begun.some((phase) => trigger.phases.includes(phase.name));
    return {
      name: trigger.name,
      action: trigger.action,
      phases: trigger.phases,
      armed:
        inPhase &&
        !trigger.unproven &&
        (run.state === "RUNNING" || run.state === "HOLDING" || run.state === "PAUSED"),
      last:
        live !== undefined ? liveVerdictView(live) : recorded === undefined ? null : verdictView(recorded),
      manual: trigger.manual,
      unproven: trigger.unproven,
      ...(facts.fired.get(trigger.name) ?? neverFired),
    };
  });
}

/** Routes that this run touched or that were measured while it ran. */
async function routeViews(
  store: Store,
  run: RunRecord,
  intervals: readonly Interval[],
): Promise<readonly RouteView[]> {
  const views: RouteView[] = [];
  for (const state of await store.routes.list()) {
    const changes = (await store.routes.changes(state.route)).filter(({ at }) => at >= run.createdAt);
    const measured = intervals.filter((interval) => interval.route === state.route);
    if (changes.length === 0 && measured.length === 0) continue;
    const samples = await store.routes.mismatches(state.route);
    views.push(
      routeView({
        state,
        intervals: measured,
        changes,
        samples: samples.filter(({ at }) => at >= run.createdAt),
      }),
    );
  }
  return views;
}
