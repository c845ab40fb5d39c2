import { join } from "node:path";
import { systemClock } from "../../src/core/index.ts";
import { openSqliteStore, type Store, type StoredEvent } from "../../src/store/index.ts";
import { countMoved, items } from "./crossing.ts";
import { openWorld } from "./world.ts";

/** What must hold after any crash and recovery. Answers with what does not. */
export async function brokenInvariants(dir: string, ended: string): Promise<readonly string[]> {
  await using store = await openSqliteStore({ path: join(dir, ".cutover/cutover.db"), clock: systemClock });
  const broken: string[] = [];
  const runs = await store.runs.list();
  if (runs.length !== 1) return [`expected one run, found ${runs.length}`];
  const run = runs[0] as (typeof runs)[number];
  if (run.state !== ended) broken.push(`the record says ${run.state}, the process ended with ${ended}`);

  const chain = await store.events.verify();
  if (!chain.whole) broken.push(`chain broken at ${chain.brokenAt}: ${chain.reason}`);
  const events = await store.events.read({ stream: `run:${run.id}`, limit: 100_000 });
  broken.push(...resultsTwice(events), ...statesWithoutEvents(events, await store.runs.steps(run.id)));
  broken.push(...(await differsAfterRebuild(store, run.id)));
  broken.push(...worldDiffers(dir, ended), ...(await routeDiffers(store, ended)));
  broken.push(...backOutOfOrder(events));
  return broken;
}

interface StepMove {
  readonly step: string;
  readonly from: string;
  readonly to: string;
}

const stepMoves = (events: readonly StoredEvent[]): readonly StepMove[] =>
  events.filter(({ type }) => type === "step.transition").map(({ data }) => data as unknown as StepMove);

/** A step's result is recorded once, unless it was rolled back or asked for again in between. */
function resultsTwice(events: readonly StoredEvent[]): string[] {
  const done = new Set<string>();
  const broken: string[] = [];
  for (const { step, to } of stepMoves(events)) {
    if (to === "DONE" && done.has(step)) broken.push(`the result of ${step} was recorded twice`);
    if (to === "DONE") done.add(step);
    if (to === "ROLLED_BACK" || to === "PENDING") done.delete(step);
  }
  return broken;
}

/** Following the events alone leads to the states of the rows, and each event starts where the one before ended. */
function statesWithoutEvents(
  events: readonly StoredEvent[],
  rows: readonly { readonly step: string; readonly state: string }[],
): string[] {
  const states = new Map<string, string>();
  const broken: string[] = [];
  for (const { step, from, to } of stepMoves(events)) {
    const before = states.get(step) ?? "PENDING";
    if (before !== from) broken.push(`${step} went from ${from}, but was ${before}`);
    states.set(step, to);
  }
  for (const { step, state } of rows)
    if (state !== (states.get(step) ?? "PENDING")) broken.push(`${step} is ${state} without an event`);
  return broken;
}

/** Rolled back newest first: no step of a phase is undone before one of a later phase that had been started. */
function backOutOfOrder(events: readonly StoredEvent[]): string[] {
  const order = ["prepare", "move", "rollout"];
  const undone = stepMoves(events)
    .filter(({ to }) => to === "ROLLED_BACK")
    .map(({ step }) => order.indexOf(step.split("/")[0] ?? ""));
  return undone.every((phase, index) => index === 0 || phase <= (undone[index - 1] as number))
    ? []
    : [`phases were undone in the order ${undone.join(" ")}`];
}

async function differsAfterRebuild(store: Store, run: string): Promise<string[]> {
  const rows = async (): Promise<string> =>
    JSON.stringify([
      await store.runs.get(run),
      await store.runs.phases(run),
      await store.runs.steps(run),
      await store.runs.verdicts(run),
      await store.runs.approvals(run),
      await store.routes.list(),
    ]);
  const before = await rows();
  await store.rebuild();
  return before === (await rows()) ? [] : ["rebuilt rows differ from those that were kept"];
}

/** What is in effect outside is what the record claims, and nothing that can be verified was applied twice. */
function worldDiffers(dir: string, ended: string): string[] {
  const world = openWorld(dir);
  const broken: string[] = [];
  const wanted = ended === "COMPLETED";
  for (const effect of ["one", "two", "last"])
    if (world.isApplied(effect) !== wanted)
      broken.push(`${effect} is ${wanted ? "not in effect" : "still in effect"}`);
  if (countMoved(world) !== (wanted ? items : 0))
    broken.push(`${countMoved(world)} items are in the new place`);

  const applied = new Map<string, number>();
  for (const line of world.log()) {
    const [act, effect = ""] = line.split(" ");
    if (act === "undo") applied.delete(effect);
    else applied.set(effect, (applied.get(effect) ?? 0) + 1);
  }
  for (const [effect, times] of applied) {
    // An item may be put once more when the process died between the put and its checkpoint.
    const most = effect.startsWith("item-") ? 2 : 1;
    if (times > most) broken.push(`${effect} was applied ${times} times`);
  }
  return broken;
}

async function routeDiffers(store: Store, ended: string): Promise<string[]> {
  const route = await store.routes.get("crash.call");
  const wanted = ended === "COMPLETED" ? "live 100" : "off 0";
  const found = route === undefined ? "off 0" : `${route.stage} ${route.share}`;
  return found === wanted ? [] : [`the route is ${found}, expected ${wanted}`];
}
