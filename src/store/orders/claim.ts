import type { Json } from "../../core/index.ts";
import { chooseOrders, mayDo } from "./choice.ts";
import { tellFollowers } from "./followers.ts";
import { takeUpInbox } from "./inbox.ts";
import { settleLine } from "./line.ts";
import { arrivalAfter } from "./line-limit.ts";
import { movedOrder, movedRow, placed } from "./move.ts";
import type { ClaimFound, OrderJob } from "./order-io.ts";
import { byRank, type OrderRow } from "./row.ts";
import { noTurn } from "./turns.ts";
import { type View, waitsForRate } from "./view.ts";
import { mayBeFull, mostTakenUp } from "./weight.ts";

type ClaimJob = Extract<OrderJob, { do: "claim" }>;

const nothingFound: ClaimFound = { candidates: [], due: [], inbox: [], untold: [] };

/** Brings the queue up to its time, then gives the worker what fits, best first. The ids of what it got. */
export function claimOrders(view: View, job: ClaimJob): readonly string[] {
  const found = view.gathered.claims.get(job) ?? nothingFound;
  takeUpInbox(view);
  if (mayBeCut(view, found)) view.cutShort.add(job.queue);
  const due = [...new Set([...found.due, ...view.due.keys()])].map((id) => view.row(id));
  for (const row of due.filter((one) => one !== undefined).sort(byDue)) promote(view, row);
  for (const id of found.untold) {
    const row = view.row(id);
    if (row !== undefined && row.endedAt !== null) tellFollowers(view, row);
  }
  settleLines(view);
  if (view.config(job.queue).paused) return [];
  const kinds = new Set(job.capacity.kinds);
  const tags = new Set(job.capacity.tags);
  const ready = new Map<string, OrderRow>();
  for (const id of found.candidates) {
    const row = view.row(id);
    if (row?.waits === "room") ready.set(id, row);
  }
  for (const row of view.ready.values()) if (row.queue === job.queue) ready.set(row.id, row);
  const candidates = [...ready.values()].filter(
    // Of a rate that was configured in this very commit the state is not known yet.
    (row) => mayDo(row, kinds, tags) && (view.mayPlace(row) || !hasRate(view, row)),
  );
  const starts = new Set(job.capacity.starts);
  return chooseOrders(candidates, job.capacity).map((row) => {
    give(view, row, job, starts.has(row.kind));
    return row.id;
  });
}

/** More may be due, or lie in the inbox, than the store has read at once. */
function mayBeCut({ gathered }: View, { due, inbox }: ClaimFound): boolean {
  if (due.length >= mostTakenUp || inbox.length >= mostTakenUp) return true;
  const waiting = due.map((id) => gathered.rows.get(id)?.payload ?? null);
  return mayBeFull(waiting) || mayBeFull(inbox.map(({ order }) => order as unknown as Json));
}

function hasRate(view: View, row: OrderRow): boolean {
  return row.limitKey !== null && view.limitOf(row.queue, row.limitKey).rate !== undefined;
}

/** Settles every limit key that this call has touched. */
export function settleLines(view: View): void {
  for (let keys = view.takeUnsettled(); keys.length > 0; keys = view.takeUnsettled())
    for (const { queue, key } of keys) settleLine(view, queue, key);
}

/** First due, first in line, whatever the order of an index says of those that are due at the same time. */
const byDue = (a: OrderRow, b: OrderRow): number => (a.dueAt ?? 0) - (b.dueAt ?? 0) || byRank(a, b);

/** An order whose time has come; a retry goes back to PENDING first, and one that has had no turn yet gets it now. */
function promote(view: View, row: OrderRow): void {
  if (row.dueAt === null || row.dueAt > view.now || !view.mayPlace(row)) return;
  if (row.state === "WAITING_RETRY") {
    const entry = movedOrder(row, "PENDING", {});
    view.put(placed(movedRow(row, entry, view.now), view.now));
    view.tell(row.queue, { type: "orders.transition", event: "retry-due", entry });
  } else if (waitsForRate(row)) {
    view.put({ ...row, waits: "room", dueAt: null });
    if (row.limitKey !== null) view.unsettle(row.queue, row.limitKey);
  } else if (row.turn !== noTurn) view.put(placed(row, view.now));
  else if (view.knowsLane(row)) {
    const entry = movedOrder(row, "PENDING", { turn: view.nextTurn(row.queue, row.priority, row.tenant) });
    view.put(placed(movedRow(row, entry, view.now), view.now));
    view.tell(row.queue, { type: "orders.transition", event: "due", entry });
  }
}

function give(view: View, row: OrderRow, job: ClaimJob, starts: boolean): void {
  const { now } = view;
  const fence = Math.max(row.fence + 1, job.leastFence ?? 0);
  const { worker } = job;
  const claimed = movedOrder(row, "PREPARING", { fence, worker });
  view.tell(row.queue, { type: "orders.transition", event: "claimed", entry: claimed });
  let last = claimed;
  if (starts) {
    const more = { attempt: row.attempt + 1, fence, set: { startedAt: now }, worker };
    last = movedOrder(row, "RUNNING", more, "PREPARING");
    view.tell(row.queue, { type: "orders.transition", event: "started", entry: last });
  }
  // One row for both steps: hundreds are made in a commit.
  const held = movedRow(row, last, now, now + job.leaseMs);
  view.put(held);
  if (row.limitKey !== null && hasRate(view, row)) {
    const state = view.limitKey(row.queue, row.limitKey);
    const arrivalAt = arrivalAfter(view.limitOf(row.queue, row.limitKey), state.arrivalAt, now);
    view.setLimitKey({ ...state, arrivalAt });
    view.unsettle(row.queue, row.limitKey);
  }
  view.serveTurn(row.queue, row.priority, row.turn);
}
