import { CutoverError, type Interval } from "../core/index.ts";
import type { RunRecord, Store, StoredEvent, VerdictRecord } from "../store/index.ts";
import { asideItems } from "./aside.ts";
import { type Graph, readGraph } from "./graph.ts";
import { hasEnded, nextCommand } from "./next-command.ts";
import { phaseView } from "./phase-view.ts";
import { liveVerdictView, newestVerdicts, verdictView } from "./verdict-view.ts";
import { recentRate, routeView } from "./route-view.ts";
import type { LiveRun, OverrideView, RouteView, RunView, TriggerView } from "./run-view.ts";
import { wantedApprovals } from "./wanted-approvals.ts";

/** How far back "calls a second now" looks. */
const rateWindowMs = 3_000;
/** Events read at a time. */
const pageSize = 1_000;

export interface RunViewOptions {
  /** When the view is made, wall-clock milliseconds: running times count up to it. */
  readonly at: number;
  /** Progress of running steps, when this process carries the run. */
  readonly live?: LiveRun;
}

/**
 * One run as people and machines see it, read from the record alone (plus live progress, when given).
 * @throws CUTOVER_RUN_NOT_FOUND when the store has no such run.
 */
export async function buildRunView(store: Store, runId: string, options: RunViewOptions): Promise<RunView> {
  const run = await store.runs.get(runId);
  if (run === undefined) {
    throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
      message: `expected the id of a run, found ${JSON.stringify(runId)}`,
      details: { run: runId },
    });
  }
  const [phases, steps, evidence, verdicts, approvals, incidents, told] = await Promise.all([
    store.runs.phases(runId),
    store.runs.steps(runId),
    store.runs.evidence(runId),
    store.runs.verdicts(runId),
    store.runs.approvals(runId),
    store.runs.incidents(runId),
    tellingEvents(store, runId),
  ]);
  const graph = readGraph(run.graph);
  const endedAt = hasEnded(run.state) ? run.updatedAt : null;
  const until = endedAt ?? options.at;
  const stepsById = new Map(steps.map((step) => [step.step, step]));
  const phaseRecords = new Map(phases.map((phase) => [phase.phase, phase]));
  const phaseViews = graph.phases.map((phase) =>
    phaseView({
      phase,
      record: phaseRecords.get(phase.name),
      steps: stepsById,
      verdicts: verdicts.filter((verdict) => verdict.phase === phase.name),
      live: options.live,
      at: until,
    }),
  );
  const intervals = await store.routes.intervals({ since: run.createdAt });
  const during = intervals.filter((interval) => interval.to <= until + rateWindowMs);
  const wanted = wantedApprovals(run, phaseViews, approvals, evidence);
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
    phases: phaseViews,
    triggers: triggerViews({
      graph,
      run,
      verdicts,
      fired: told.fired,
      phases: phaseViews,
      live: options.live,
    }),
    routes: await routeViews(store, run, during),
    success: newestVerdicts(
      verdicts.filter(({ role }) => role === "success"),
      [],
    ),
    wanted,
    approvals: approvals.map(({ phase, by, reason, evidence: hash, at, lapsed }) => ({
      phase,
      by,
      reason,
      evidence: hash,
      at,
      lapsed,
    })),
    overrides: told.overrides,
    incidents: incidents.map(({ run: _run, ...incident }) => incident),
    aside: asideItems(steps, evidence),
    notes: told.notes,
    next: nextCommand(run, phaseViews, wanted, incidents),
  };
}

interface Told {
  startedBy: string;
  readonly overrides: OverrideView[];
  readonly notes: { at: number; by: string; text: string }[];
  /** Trigger name → when it fired last. */
  readonly fired: Map<string, number>;
}

/** What only the events tell: who began, overrides, notes, triggers that fired. */
async function tellingEvents(store: Store, runId: string): Promise<Told> {
  const told: Told = { startedBy: "", overrides: [], notes: [], fired: new Map() };
  for (let after = 0; ;) {
    const page = await store.events.read({ stream: `run:${runId}`, after, limit: pageSize });
    for (const event of page) hear(told, event);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return told;
    after = last.seq;
  }
}

function hear(told: Told, { type, at, data }: StoredEvent): void {
  const word = (name: string): string => (typeof data[name] === "string" ? data[name] : "");
  if (type === "run.created") told.startedBy = word("by");
  if (type === "override.recorded")
    told.overrides.push({ at, what: word("what"), by: word("by"), reason: word("reason") });
  if (type === "note.added") told.notes.push({ at, by: word("by"), text: word("text") });
  if (type === "trigger.fired") told.fired.set(word("trigger"), at);
}

function triggerViews(facts: {
  readonly graph: Graph;
  readonly run: RunRecord;
  readonly verdicts: readonly VerdictRecord[];
  readonly fired: ReadonlyMap<string, number>;
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
      armed: inPhase && (run.state === "RUNNING" || run.state === "HOLDING" || run.state === "PAUSED"),
      last:
        live !== undefined ? liveVerdictView(live) : recorded === undefined ? null : verdictView(recorded),
      firedAt: facts.fired.get(trigger.name) ?? null,
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
