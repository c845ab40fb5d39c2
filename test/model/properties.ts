import { isFinished, orderTransitions, type OrderEvent } from "../../src/queue/states.ts";
import type { OrderRow } from "../../src/store/orders/row.ts";
import { type Applied, believesUntil, nameOf, poisonAfter, type World } from "./world.ts";

/** Who writes: by which of the order's claims, and under which name when it is the holder itself. */
export interface Writer {
  readonly id: string;
  readonly claims: number;
  /** Undefined for one that holds nothing: a rescue, a person. */
  readonly name: string | undefined;
}

/** What must hold in every state; the first thing that does not. */
export function wrongWith(world: World): string | undefined {
  return world.orders.map((row, at) => rowWrong(row, world, at)).find((why) => why !== undefined);
}

function rowWrong(row: OrderRow, world: World, at: number): string | undefined {
  const { now, workers } = world;
  const { failures = 0, crashes = 0, completions = 0 } = world.truth[at] ?? {};
  const acting = workers.filter(
    (worker) =>
      worker.claim?.order.id === row.id && worker.claim.outcome === undefined && now < believesUntil(worker),
  );
  if (acting.length > 1) return `${row.id}: ${acting.map(nameOf).join(" and ")} both believe they hold it`;
  if (completions > 1) return `${row.id}: its result was recorded ${completions} times`;

  const held = row.state === "PREPARING" || row.state === "RUNNING";
  if (held !== (row.leaseUntil !== null))
    return `${row.id}: ${row.state} with a lease until ${row.leaseUntil}`;
  if (held && row.worker === null) return `${row.id}: ${row.state} without a worker`;
  if (isFinished(row.state)) return undefined;
  const counted = failures + (row.state === "RUNNING" ? 1 : 0);
  if (row.attempt !== counted) return `${row.id}: attempt ${row.attempt}, but ${counted} count`;
  if (row.crashes !== crashes) return `${row.id}: ${row.crashes} crashes are counted, but ${crashes} count`;
  if (crashes >= poisonAfter) return `${row.id}: ${row.state} after it took ${crashes} workers down`;
  return undefined;
}

/** What must hold of every call of the store that was made by `writer`. */
export function judge(before: World, applied: Applied, writer: Writer | undefined): string | undefined {
  const changed = applied.orders.filter((row, at) => row !== before.orders[at]);
  if (applied.refused) return changed.length > 0 ? "a refused call changed rows" : undefined;
  return notInTable(before, applied) ?? (writer === undefined ? undefined : notAllowed(before, writer));
}

/** What counts for nothing once somebody has asked for the end of an order. */
const outcomes: ReadonlySet<string> = new Set([
  "completed",
  "failed",
  "exhausted",
  "retry-scheduled",
  "released",
  "lost",
  "poisoned",
]);

function notInTable(before: World, { moved, orders }: Applied): string | undefined {
  const states = new Map(before.orders.map(({ id, state }) => [id, state]));
  const asked = new Set(before.orders.filter((row) => row.cancelRequested).map(({ id }) => id));
  for (const { id, event, from, to } of moved) {
    const state = states.get(id);
    if (asked.has(id) && outcomes.has(event)) return `${id}: ${event} although its end was asked for`;
    const next = state === undefined ? null : orderTransitions[state][event as OrderEvent];
    if (state !== from || next !== to) return `${id}: ${event} led from ${from} (was ${state}) to ${to}`;
    states.set(id, to);
  }
  const silent = orders.find(({ id, state }) => states.get(id) !== state);
  return silent && `${silent.id}: became ${silent.state} without an event`;
}

function notAllowed(before: World, { id, claims, name }: Writer): string | undefined {
  const at = before.orders.findIndex((row) => row.id === id);
  const row = before.orders[at] as OrderRow;
  const newest = before.truth[at]?.claims ?? 0;
  if (claims !== newest) return `${id}: claim ${claims} wrote although there is claim ${newest}`;
  const held = row.state === "PREPARING" || row.state === "RUNNING";
  if (name === undefined || (held && row.worker === name)) return undefined;
  return `${id}: ${name} wrote, but ${row.worker} holds it (${row.state})`;
}
