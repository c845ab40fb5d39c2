import type { NewOrder, OrderChange } from "../order-records.ts";
import { Gathered } from "./gathered.ts";
import { type Loaded, type Needs, type OrderJob, spareRows } from "./order-io.ts";
import { isFinished, isHeld, type OrderRow } from "./row.ts";
import { noTurn } from "./turns.ts";
import { Wanted } from "./wanted.ts";
import { mostTakenUp } from "./weight.ts";

/** Rounds of loading; what is not seen by then is left to later commits. A chain of followers is the only long one. */
const mostRounds = 10;
const mostKeyRows = 1_000;
const mostKeys = 300;

/**
 * Asks for everything the rules want to see before they decide on `jobs`: yields needs, is handed what was found.
 * A store runs it inside its transaction, with the chain locked, so that nothing changes between the rounds.
 */
export function* gather(jobs: readonly OrderJob[]): Generator<Needs, Gathered, Loaded> {
  const known = new Gathered();
  const first = firstRound(jobs, known);
  const claims = jobs.filter((job) => job.do === "claim");
  known.add(first, yield first, claims);
  for (let round = 1; round < mostRounds; round++) {
    const needs = nextRound(jobs, known);
    if (needs === undefined) break;
    known.add(needs, yield needs);
  }
  return known;
}

function firstRound(jobs: readonly OrderJob[], known: Gathered): Needs {
  const wanted = new Wanted(known);
  const claimed = new Map<string, number>();
  const spare = spareCandidates(jobs);
  for (const job of jobs) {
    switch (job.do) {
      case "submit":
        for (const order of job.orders) {
          wantNew(wanted, order);
          if (job.depthLimit !== undefined) wanted.counts.add(order.queue);
        }
        break;
      case "claim": {
        wanted.config(job.queue);
        const max = (claimed.get(job.queue) ?? 0) + Math.max(0, job.capacity.max);
        claimed.set(job.queue, max);
        const capacity = { ...job.capacity, max: max === 0 ? 0 : max + spare };
        wanted.claims.push({ queue: job.queue, capacity, due: mostTakenUp, inbox: mostTakenUp, untold: 50 });
        break;
      }
      case "change":
        for (const { id, leaseOver } of job.changes) {
          wanted.ids.add(id);
          if (leaseOver === true) wanted.leasesOf.add(id);
        }
        break;
      case "cancel":
      case "prioritise":
        wanted.ids.add(job.id);
        break;
      case "configure":
        wanted.config(job.queue);
        for (const key of Object.keys(job.change.limits ?? {}))
          wanted.limitKey(job.queue, key, key === "*" ? mostKeys : mostKeyRows);
        break;
      case "settle":
        wanted.config(job.queue);
        for (const key of job.keys) wanted.limitKey(job.queue, key, mostKeyRows);
        break;
    }
  }
  return wanted.needs();
}

/**
 * Candidates that other calls of the batch may take out of the line before a claim chooses. The limits may too, when
 * they let in better orders: of those a few are enough, since a claim that finds less than there is comes again.
 */
function spareCandidates(jobs: readonly OrderJob[]): number {
  // Claims and ends take nothing from each other that was not counted: a worker that asks for one order reads three.
  if (jobs.every((job) => job.do === "claim" || (job.do === "change" && job.changes.every(isOfHeld))))
    return 2;
  let spare = 16;
  for (const job of jobs) {
    if (job.do === "prioritise") spare++;
    else if (job.do === "change") spare += job.changes.filter(({ from }) => from.includes("PENDING")).length;
    else if (job.do === "submit") spare += job.orders.filter(({ limitKey }) => limitKey !== null).length;
  }
  return spare;
}

/** Its order has left the line already. */
const isOfHeld = ({ from }: OrderChange): boolean => from.every((state) => isHeld(state));

/** What a new order touches before anything of it is stored. */
function wantNew(wanted: Wanted, order: NewOrder): void {
  wanted.ids.add(order.id);
  for (const id of order.after) wanted.ids.add(id);
  if (order.uniqueKey !== null) wanted.uniqueKey(order.queue, order.uniqueKey);
  wanted.lane(order.queue, order.priority, order.tenant);
  wanted.config(order.queue);
  if (order.limitKey !== null) wanted.limitKey(order.queue, order.limitKey, spareRows);
}

/** What the rows found so far lead to; undefined when that is nothing new. */
function nextRound(jobs: readonly OrderJob[], known: Gathered): Needs | undefined {
  const wanted = new Wanted(known);
  const fresh = new Map<string, NewOrder>();
  for (const { order } of known.inbox.values()) {
    wantNew(wanted, order);
    for (const id of order.after) inboxed(wanted, known, id);
    fresh.set(order.id, order);
  }
  const failing = new Set<string>();
  const ending = new Set<string>();
  const endsAs = (row: OrderRow, state: string): void => {
    if (!row.followed) return;
    ending.add(row.id);
    if (state !== "COMPLETED") failing.add(row.id);
  };
  for (const job of jobs) {
    if (job.do === "submit") {
      for (const order of job.orders) {
        fresh.set(order.id, order);
        for (const id of order.after) inboxed(wanted, known, id);
      }
    } else if (job.do === "cancel") inboxed(wanted, known, job.id);
    else if (job.do === "prioritise") {
      inboxed(wanted, known, job.id);
      const order = known.rows.get(job.id) ?? fresh.get(job.id);
      if (order === undefined) continue;
      wanted.config(order.queue);
      wanted.lane(order.queue, job.priority, order.tenant);
      wantLine(wanted, order);
    } else if (job.do === "change") {
      for (const { id, from, to } of job.changes) {
        const row = known.rows.get(id);
        if (row === undefined) continue;
        wantLine(wanted, row);
        if (isFinished(to)) endsAs(row, to);
        if (to === "PENDING" && (from.includes("FAILED") || from.includes("CANCELLED"))) {
          wanted.config(row.queue);
          wanted.lane(row.queue, row.priority, row.tenant);
        }
      }
    } else if (job.do === "claim") {
      const found = known.claims.get(job);
      for (const id of found?.due ?? []) {
        const row = known.rows.get(id);
        if (row === undefined) continue;
        wantLine(wanted, row);
        if (row.turn === noTurn) wanted.lane(row.queue, row.priority, row.tenant);
      }
      for (const id of found?.candidates ?? []) {
        const row = known.rows.get(id);
        if (row !== undefined && hasRate(known, row)) wantLine(wanted, row);
      }
      for (const id of found?.untold ?? []) {
        const row = known.rows.get(id);
        if (row !== undefined) endsAs(row, row.state);
      }
    }
  }
  for (const id of ending) {
    const followers = known.followers.get(id);
    if (followers === undefined) wanted.followersOf.add(id);
    for (const follower of followers ?? []) {
      const waiting = known.rows.get(follower);
      if (waiting === undefined) continue;
      wantLine(wanted, waiting);
      // A set that grows while it is walked is walked to its new end.
      if (failing.has(id) && waiting.ifAfterFails === "cancel") endsAs(waiting, "CANCELLED");
    }
  }
  return wanted.isEmpty ? undefined : wanted.needs();
}

/** What begins uses up the rate of its limit key; of a key without one nothing changes with a claim. */
function hasRate(known: Gathered, row: OrderRow): boolean {
  if (row.limitKey === null) return false;
  const limits = known.configs.get(row.queue)?.limits ?? {};
  return (Object.hasOwn(limits, row.limitKey) ? limits[row.limitKey] : limits["*"])?.rate !== undefined;
}

function wantLine(wanted: Wanted, order: Pick<OrderRow, "queue" | "limitKey">): void {
  if (order.limitKey === null) return;
  wanted.config(order.queue);
  wanted.limitKey(order.queue, order.limitKey, spareRows);
}

/** An order that is named but not stored may lie in the inbox. */
function inboxed(wanted: Wanted, known: Gathered, id: string): void {
  if (known.askedIds.has(id) && !known.rows.has(id) && !known.askedInbox.has(id)) wanted.inboxIds.add(id);
}
