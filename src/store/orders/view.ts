import type { QueueConfigured } from "../order-events.ts";
import type { OrderLimit, QueueConfig } from "../order-records.ts";
import { EventGroups, type Told } from "./event-groups.ts";
import { type Gathered, pair, triple } from "./gathered.ts";
import { Journal } from "./journal.ts";
import { type InboxOrder, type LimitKeyState, mostFollowers } from "./order-io.ts";
import { isFinished, isHeld, type OrderRow, withEvent } from "./row.ts";
import { turnAfter, weightOf } from "./turns.ts";

const unconfigured: QueueConfig = { paused: false, weights: {}, limits: {} };

const noOthers: readonly string[] = [];

interface Tell {
  readonly stream: string;
  readonly told: Told;
  readonly alsoConcerns: readonly string[];
}

/** Everything a batch has seen and changed so far. A call that is refused takes its own changes back. */
export class View {
  readonly now: number;
  readonly gathered: Gathered;
  readonly rows: Map<string, OrderRow>;
  /** PENDING rows that wait for room and were touched by this batch. */
  readonly ready: Map<string, OrderRow> = new Map();
  /** Rows that this batch made wait for a time that is over already. */
  readonly due: Map<string, OrderRow> = new Map();
  /** Queues of which a claim has not seen all that has come: it is to be followed by another one. */
  readonly cutShort: Set<string> = new Set();
  readonly lanes: Map<string, { queue: string; priority: number; tenant: string; turn: number }> = new Map();
  readonly fronts: Map<string, { queue: string; priority: number; turn: number }> = new Map();
  readonly configs: Map<string, QueueConfig> = new Map();
  readonly limitKeys: Map<string, LimitKeyState> = new Map();
  readonly links: Map<string, { of: string; id: string }> = new Map();
  readonly unlinked: Map<string, { of: string; id: string }> = new Map();
  readonly taken: Map<number, InboxOrder> = new Map();
  readonly groups: EventGroups = new EventGroups();
  /** Orders that calls kept so far told something of, until somebody clears it. */
  readonly moved: Set<string> = new Set();
  readonly #nextSeq: number;
  readonly #journal = new Journal();
  readonly #holders = new Map<string, string>();
  readonly #opened = new Map<string, number>();
  readonly #lines = new Map<string, Set<string>>();
  readonly #streams = new Map<string, string>();
  readonly #unsettled = new Map<string, { queue: string; key: string }>();
  #tells: Tell[] = [];
  #configured: { readonly stream: string; readonly data: QueueConfigured }[] = [];

  constructor(now: number, nextSeq: number, gathered: Gathered) {
    this.now = now;
    this.#nextSeq = nextSeq;
    this.gathered = gathered;
    this.rows = new Map(gathered.rows);
    for (const row of gathered.rows.values()) {
      if (row.uniqueKey !== null) this.#holders.set(pair(row.queue, row.uniqueKey), row.id);
      if (row.limitKey !== null) this.#lineOf(row.queue, row.limitKey).add(row.id);
    }
  }

  row(id: string): OrderRow | undefined {
    return this.rows.get(id);
  }

  /** The order that holds a unique key. */
  holder(queue: string, key: string): OrderRow | undefined {
    const id = this.#holders.get(pair(queue, key));
    return id === undefined ? undefined : this.rows.get(id);
  }

  put(row: OrderRow): void {
    const journal = this.#journal;
    const before = this.rows.get(row.id);
    journal.set(this.rows, row.id, row);
    if (row.waits === "room") journal.set(this.ready, row.id, row);
    else journal.delete(this.ready, row.id);
    if (row.dueAt !== null && row.dueAt <= this.now) journal.set(this.due, row.id, row);
    if (row.uniqueKey !== null && before === undefined)
      journal.set(this.#holders, pair(row.queue, row.uniqueKey), row.id);
    const open = (isFinished(row.state) ? 0 : 1) - (before === undefined || isFinished(before.state) ? 0 : 1);
    if (open !== 0) journal.set(this.#opened, row.queue, (this.#opened.get(row.queue) ?? 0) + open);
    if (row.limitKey !== null) this.#account(row.limitKey, before, row);
  }

  /** Unfinished orders of a queue whose counts were asked for, with those of this batch. */
  depth(queue: string): number {
    const counts = this.gathered.counts.get(queue);
    const stored =
      counts === undefined ? 0 : counts.PENDING + counts.PREPARING + counts.RUNNING + counts.WAITING_RETRY;
    return stored + (this.#opened.get(queue) ?? 0);
  }

  config(queue: string): QueueConfig {
    return this.configs.get(queue) ?? this.gathered.configs.get(queue) ?? unconfigured;
  }

  configure(queue: string, config: QueueConfig, by: string, reason: string): void {
    this.#journal.set(this.configs, queue, config);
    this.#configured.push({ stream: `queue:${queue}`, data: { by, config, reason } });
  }

  limitOf(queue: string, key: string): OrderLimit {
    return limitIn(this.config(queue), key);
  }

  limitKey(queue: string, key: string): LimitKeyState {
    const name = pair(queue, key);
    return (
      this.limitKeys.get(name) ??
      this.gathered.limitKeys.get(name) ?? { queue, key, admitted: 0, arrivalAt: 0 }
    );
  }

  setLimitKey(state: LimitKeyState): void {
    this.#journal.set(this.limitKeys, pair(state.queue, state.key), state);
  }

  /** Loaded and new orders of a limit key. */
  line(queue: string, key: string): OrderRow[] {
    const rows: OrderRow[] = [];
    for (const id of this.#lineOf(queue, key)) {
      const row = this.rows.get(id);
      if (row?.limitKey === key && row.queue === queue) rows.push(row);
    }
    return rows;
  }

  /** True when an order's limit key, if it has one, was loaded, so that the order may be placed. */
  mayPlace(row: OrderRow): boolean {
    return row.limitKey === null || this.gathered.askedKeys.has(pair(row.queue, row.limitKey));
  }

  /** Keys whose orders changed since they were settled last. */
  takeUnsettled(): readonly { readonly queue: string; readonly key: string }[] {
    if (this.#unsettled.size === 0) return [];
    const keys = [...this.#unsettled.values()];
    for (const name of this.#unsettled.keys()) this.#journal.delete(this.#unsettled, name);
    return keys;
  }

  unsettle(queue: string, key: string): void {
    this.#journal.set(this.#unsettled, pair(queue, key), { queue, key });
  }

  /** The next turn of a tenant. */
  nextTurn(queue: string, priority: number, tenant: string): number {
    const name = triple(queue, priority, tenant);
    const lane = this.lanes.get(name)?.turn ?? this.gathered.lanes.get(name) ?? 0;
    const turn = turnAfter(lane, this.#front(queue, priority), weightOf(this.config(queue).weights, tenant));
    this.#journal.set(this.lanes, name, { queue, priority, tenant, turn });
    return turn;
  }

  /** True when the end of the order's line was loaded, so that it may be given a turn. */
  knowsLane({ queue, priority, tenant }: OrderRow): boolean {
    return this.gathered.askedLanes.has(triple(queue, priority, tenant));
  }

  serveTurn(queue: string, priority: number, turn: number): void {
    if (turn > this.#front(queue, priority))
      this.#journal.set(this.fronts, pair(queue, priority), { queue, priority, turn });
  }

  link(of: string, id: string): void {
    this.#journal.set(this.links, pair(of, id), { of, id });
  }

  unlink(of: string, id: string): void {
    const name = pair(of, id);
    if (this.links.has(name)) this.#journal.delete(this.links, name);
    else this.#journal.set(this.unlinked, name, { of, id });
  }

  /** Orders that wait for this one; `all` is false when more are stored than were loaded. */
  followersOf(id: string): { readonly ids: readonly string[]; readonly all: boolean } {
    const stored = this.gathered.followers.get(id);
    const ids = (stored ?? []).filter((follower) => !this.unlinked.has(pair(id, follower)));
    for (const link of this.links.values()) if (link.of === id) ids.push(link.id);
    const all =
      stored === undefined ? this.gathered.rows.get(id)?.followed !== true : stored.length < mostFollowers;
    return { ids, all };
  }

  take(entry: InboxOrder): void {
    this.#journal.set(this.taken, entry.position, entry);
  }

  /** Notes an event of an order of `queue`; it gets its place when the call is kept. */
  tell(queue: string, told: Told, alsoConcerns: readonly string[] = noOthers): void {
    this.#tells.push({ stream: this.#streamOf(queue), told, alsoConcerns });
  }

  /** Keeps what the call has done: its events get their places, and its rows the way to them. */
  keep(): void {
    for (const { stream, told, alsoConcerns } of this.#tells) {
      const seq = this.#nextSeq + this.groups.add(stream, told, alsoConcerns);
      const row = this.rows.get(told.entry.id);
      if (row === undefined) continue;
      const traced = withEvent(row, seq, told.type === "orders.transition" && told.event === "progressed");
      this.rows.set(row.id, traced);
      this.moved.add(row.id);
      if (this.ready.has(row.id)) this.ready.set(row.id, traced);
    }
    for (const { stream, data } of this.#configured) this.groups.addConfigured(stream, data);
    this.#journal.keep();
    this.#tells = [];
    this.#configured = [];
  }

  undo(): void {
    this.#journal.undo();
    this.#tells = [];
    this.#configured = [];
  }

  /** The same text each time: one that is put together anew is hashed anew as well. */
  #streamOf(queue: string): string {
    let stream = this.#streams.get(queue);
    if (stream === undefined) this.#streams.set(queue, (stream = `queue:${queue}`));
    return stream;
  }

  #front(queue: string, priority: number): number {
    const name = pair(queue, priority);
    return Math.max(this.fronts.get(name)?.turn ?? 0, this.gathered.fronts.get(name) ?? 0);
  }

  #lineOf(queue: string, key: string): Set<string> {
    const name = pair(queue, key);
    let line = this.#lines.get(name);
    if (line === undefined) this.#lines.set(name, (line = new Set()));
    return line;
  }

  /** Keeps the number of admitted orders, and has the line settled when one left it or came to it. */
  #account(key: string, before: OrderRow | undefined, row: OrderRow): void {
    this.#lineOf(row.queue, key).add(row.id); // An id that is taken back stays in the set.
    const by = (isAdmitted(row) ? 1 : 0) - (before !== undefined && isAdmitted(before) ? 1 : 0);
    if (by !== 0) {
      const state = this.limitKey(row.queue, key);
      this.setLimitKey({ ...state, admitted: state.admitted + by });
    }
    if (by < 0 || (row.waits === "limit" && before?.waits !== "limit")) this.unsettle(row.queue, key);
  }
}

/** What a configuration says of a key: its own limit, else the one of all keys. */
export function limitIn({ limits }: QueueConfig, key: string): OrderLimit {
  return (Object.hasOwn(limits, key) ? limits[key] : limits["*"]) ?? {};
}

/** Counts against the concurrency of its key: it waits for room, holds a claim, or waits for the key's next time. */
export function isAdmitted(row: OrderRow): boolean {
  return row.waits === "room" || isHeld(row.state) || waitsForRate(row);
}

/** It waits for the time its limit key allows, not for its own. */
export function waitsForRate(row: OrderRow): boolean {
  return row.waits === "time" && row.dueAt !== null && row.dueAt > row.runAt;
}
