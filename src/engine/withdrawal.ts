import { randomBytes } from "node:crypto";
import { hasCode, type Json, type RouteState, type Stage } from "../core/index.ts";
import type { Store } from "../store/index.ts";
import { requireNoneUnfinished } from "./create-run.ts";
import { type ActOptions, mustExist, type RecordParts, standingOf } from "./recorded.ts";
import { rollbackByPerson } from "./people.ts";
import { rollbackScope, undoOrder } from "./rollback-policy.ts";
import { routeAuthor } from "./route-control.ts";
import { routeChanges, type RunRouteChange } from "./route-history.ts";
import type { RunMemory } from "./run-memory.ts";
import { requireSoundRecord } from "./sound-record.ts";
import { finalRunStates } from "./state-tables.ts";

/** Steps whose whole way back is the setting that their route had before. */
export interface RouteSteps {
  readonly kinds: ReadonlySet<string>;
  /** That setting, from the step's checkpoint; undefined when it changed nothing. */
  before(checkpoint: Json | undefined): { readonly stage: Stage; readonly share: number } | undefined;
}

/** How far traffic came back. */
export interface Withdrawal {
  /** Routes that stand where this run found them. */
  readonly back: readonly RouteState[];
  /** Routes this run has moved that still stand elsewhere. */
  readonly left: readonly RouteState[];
  /** The step whose rollback has to come first for these, if one has. */
  readonly waitsFor: string | undefined;
}

const leaseMs = 15_000;

/**
 * Takes traffic back by the record alone, for a run that nobody carries and whose definition is not at hand: the run
 * rolls back from here on, and routes go back in the order of a rollback, up to the first step that has work of another
 * sort to undo. Whoever carries the run later undoes all steps, those of the routes too.
 * @param asked who wants it back; undefined for a run that rolls back already
 * @throws CUTOVER_STORE_OWNED, CUTOVER_RUN_STATE when there is no way back, CUTOVER_RUN_ACTIVE, CUTOVER_AUDIT_BROKEN
 */
export async function withdrawRecorded(
  parts: RecordParts,
  run: string,
  asked: ActOptions | undefined,
  steps: RouteSteps,
): Promise<Withdrawal> {
  const { store, owner, isDead, random = randomBytes } = parts;
  const found = await mustExist(store, run);
  await requireSoundRecord(store, run);
  const standing = await standingOf(store, found, random);
  if (asked !== undefined && found.state !== "ROLLING_BACK") rollbackByPerson(standing, asked);
  if (finalRunStates.includes(found.state)) await requireNoneUnfinished(store, found.migration);
  const dead = found.owner !== null && found.owner !== owner && isDead?.(found.owner) === true;
  const { fence } = await store.runs.claim(run, owner, leaseMs, dead ? "same-machine" : undefined);
  try {
    const now = await standingOf(store, await mustExist(store, run), random);
    if (asked !== undefined && now.memory.state !== "ROLLING_BACK")
      await store.runs.commit(run, rollbackByPerson(now, asked), { fence });
    // A run that may not pass a forward-only phase holds instead, with its routes as they are.
    const { state } = await mustExist(store, run);
    const moved = await routeChanges({ settings: { store }, memory: now.memory });
    const order = state === "ROLLING_BACK" ? recordedOrder(now.memory, moved) : [];
    let waitsFor: string | undefined;
    for (const step of order) {
      if (step.undo !== "rollback") continue;
      if (!steps.kinds.has(step.kind)) {
        waitsFor = step.id;
        break;
      }
      const before = steps.before(now.memory.step(step.id).checkpoint);
      const route = moved.findLast((change) => change.step === step.id)?.after.route;
      if (before === undefined || route === undefined) continue;
      const by = routeAuthor(run, step.id);
      await giveBack(store, route, before, { by, run: { id: run, fence } });
    }
    return { ...(await standNow(store, moved)), waitsFor };
  } finally {
    await store.runs.release(run, owner, fence);
  }
}

interface RecordedStep {
  readonly id: string;
  readonly kind: string;
  readonly undo: string;
  readonly after: readonly string[];
}

interface RecordedPhase {
  readonly name: string;
  readonly forwardOnly: boolean;
  readonly steps: readonly RecordedStep[];
}

/** Steps to undo, in the order of a rollback, from the graph that the record keeps. */
function recordedOrder(memory: RunMemory, moved: readonly RunRouteChange[]): readonly RecordedStep[] {
  const order = (memory.graph["phases"] ?? []) as unknown as readonly RecordedPhase[];
  const movers = new Set(moved.map(({ step }) => step));
  return rollbackScope(order, memory).phases.flatMap((name) => {
    const phase = order.find((each) => each.name === name);
    if (phase === undefined) return [];
    return undoOrder(
      phase,
      (id) => memory.step(id).state,
      (id) => movers.has(id),
    );
  });
}

/** Attempts against others who change the route at the same time. */
const mostTries = 20;

async function giveBack(
  store: Store,
  route: string,
  to: { readonly stage: Stage; readonly share: number },
  { by, run }: { readonly by: string; readonly run: { readonly id: string; readonly fence: number } },
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const found = await store.routes.get(route);
    if (found === undefined || (found.stage === to.stage && found.share === to.share)) return;
    try {
      await store.routes.set({ route, epoch: found.epoch, ...to, by }, run);
      return;
    } catch (error) {
      if (!hasCode(error, "CUTOVER_ROUTE_EPOCH") || attempt >= mostTries) throw error;
    }
  }
}

/** A route is back when it stands where the run found it: one whose first step is not undone yet is not. */
async function standNow(
  store: Store,
  moved: readonly RunRouteChange[],
): Promise<Pick<Withdrawal, "back" | "left">> {
  const names = [...new Set(moved.map(({ after }) => after.route))].sort();
  const stand = (await Promise.all(names.map((name) => store.routes.get(name)))).filter(
    (state) => state !== undefined,
  );
  const atHome = ({ stage, share, route }: RouteState): boolean => {
    const before = moved.find(({ after }) => after.route === route)?.before;
    return stage === (before?.stage ?? "off") && share === (before?.share ?? 0);
  };
  return {
    back: stand.filter((state) => atHome(state)),
    left: stand.filter((state) => !atHome(state)),
  };
}
