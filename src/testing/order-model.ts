import type { Capacity, NewOrder, OrderChange, OrderRecord, OrderState } from "../store/index.ts";

/** An order as the model knows it. */
interface Modelled extends Pick<
  NewOrder,
  "id" | "kind" | "tags" | "tenant" | "limitKey" | "createdAt" | "ifAfterFails"
> {
  readonly slots: number;
  readonly memory: number;
  readonly blockers: Set<string>;
  state: OrderState;
  priority: number;
  turn: number;
  fence: number;
  attempt: number;
  runAt: number;
  /** Was put in line before its time and has not been seen due since. */
  timed: boolean;
  uniqueKey: string | null;
  uniqueUntil: number | null;
  cancelRequested: boolean;
}

const finished = (state: OrderState): boolean => ["COMPLETED", "FAILED", "CANCELLED"].includes(state);
const held = (state: OrderState): boolean => state === "PREPARING" || state === "RUNNING";

/**
 * What the queue of a store promises, in the plainest way: everything is looked for by walking through all orders.
 * Slow and without rates, but short enough to be read and believed; random walks hold the stores against it.
 */
export class OrderModel {
  readonly orders: Map<string, Modelled> = new Map();
  paused: boolean = false;
  /** Of every limit key. */
  concurrency: number = Number.POSITIVE_INFINITY;
  readonly weights: Map<string, number> = new Map();
  readonly #now: () => number;
  readonly #lanes = new Map<string, number>();
  readonly #fronts = new Map<number, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Ids and whether they are new, or the code of a refusal. */
  submit(orders: readonly NewOrder[], depthLimit: number): readonly (readonly [string, boolean])[] | string {
    const fresh: NewOrder[] = [];
    const idOf = new Map<string, string>();
    const taken = new Map<string, string>();
    const outcome = orders.map((order): readonly [string, boolean] => {
      const key = order.uniqueKey;
      const holder = [...this.orders.values()].find(
        (known) => key !== null && known.uniqueKey === key && (known.uniqueUntil ?? Infinity) > this.#now(),
      );
      const known =
        this.orders.get(order.id)?.id ??
        fresh.find(({ id }) => id === order.id)?.id ??
        holder?.id ??
        (key === null ? undefined : taken.get(key));
      idOf.set(order.id, known ?? order.id);
      if (known !== undefined) return [known, false];
      fresh.push(order);
      if (key !== null && (order.uniqueUntil ?? Infinity) > this.#now()) taken.set(key, order.id);
      return [order.id, true];
    });
    const leaders = new Map(fresh.map((order) => [order.id, order.after.map((id) => idOf.get(id) ?? id)]));
    const reaches = (from: string, to: string, seen: Set<string>): boolean =>
      (leaders.get(from) ?? []).some((id) => id === to || (!seen.has(id) && reaches(id, to, seen.add(id))));
    if (fresh.some(({ id }) => reaches(id, id, new Set()))) return "CUTOVER_QUEUE_CYCLE";
    for (const order of fresh) {
      for (const id of leaders.get(order.id) ?? []) {
        const leader = this.orders.get(id);
        if (leader === undefined && !leaders.has(id)) return "CUTOVER_QUEUE_UNKNOWN_ORDER";
        if (leader?.state === "FAILED" || leader?.state === "CANCELLED")
          if (order.ifAfterFails === "cancel") return "CUTOVER_QUEUE_INVALID";
      }
    }
    const open = [...this.orders.values()].filter(({ state }) => !finished(state)).length;
    if (fresh.length > 0 && open + fresh.length > depthLimit) return "CUTOVER_QUEUE_FULL";
    for (const order of fresh) {
      for (const known of this.orders.values())
        if (order.uniqueKey !== null && known.uniqueKey === order.uniqueKey) known.uniqueKey = null;
      const blockers = (leaders.get(order.id) ?? []).filter(
        (id) => leaders.has(id) || !finished(this.orders.get(id)?.state ?? "FAILED"),
      );
      this.orders.set(order.id, {
        ...order,
        blockers: new Set(blockers),
        state: "PENDING",
        // What waits for its time alone comes to its line when it is due.
        turn:
          order.after.length === 0 && order.runAt > this.#now()
            ? 0
            : this.#nextTurn(order.priority, order.tenant),
        fence: 0,
        attempt: 0,
        timed: order.runAt > this.#now(),
        cancelRequested: false,
      });
    }
    return outcome;
  }

  claim(capacity: Capacity): readonly string[] {
    for (const order of this.orders.values()) {
      if (order.state === "WAITING_RETRY" && order.runAt <= this.#now()) this.#place(order);
    }
    const due = this.#ranked(
      [...this.orders.values()].filter((one) => one.timed && one.runAt <= this.#now()),
    );
    for (const order of due.sort((a, b) => a.runAt - b.runAt)) {
      order.timed = false;
      if (order.turn === 0) order.turn = this.#nextTurn(order.priority, order.tenant);
    }
    if (this.paused) return [];
    let { slots, memory } = capacity;
    const chosen: Modelled[] = [];
    for (const order of this.#ranked([...this.orders.values()].filter((one) => this.waits(one) === "room"))) {
      if (chosen.length >= capacity.max) break;
      if (!capacity.kinds.includes(order.kind) || !order.tags.every((tag) => capacity.tags.includes(tag)))
        continue;
      if (order.slots > slots || order.memory > memory) continue;
      slots -= order.slots;
      memory -= order.memory;
      chosen.push(order);
    }
    for (const order of chosen) {
      const starts = capacity.starts.includes(order.kind);
      order.state = starts ? "RUNNING" : "PREPARING";
      order.fence++;
      if (starts) order.attempt++;
      this.#fronts.set(order.priority, Math.max(this.#fronts.get(order.priority) ?? 0, order.turn));
    }
    return chosen.map(({ id }) => id);
  }

  /** Undefined, or the code of a refusal. */
  change({ id, fence, from, to, set = {} }: OrderChange): string | undefined {
    const order = this.orders.get(id);
    if (order === undefined || order.fence !== fence || !from.includes(order.state))
      return "CUTOVER_LEASE_LOST";
    if (order.state === "FAILED" && to === "PENDING")
      order.turn = this.#nextTurn(order.priority, order.tenant);
    order.runAt = set.runAt ?? order.runAt;
    order.attempt = set.attempt ?? order.attempt;
    if (to === "PENDING") this.#place(order);
    else this.#leave(order, to);
    return undefined;
  }

  requestCancel(id: string): void {
    const order = this.orders.get(id);
    if (order !== undefined && !finished(order.state)) order.cancelRequested = true;
  }

  setPriority(id: string, priority: number): void {
    const order = this.orders.get(id);
    if (order === undefined || finished(order.state) || order.priority === priority) return;
    order.priority = priority;
    if (order.turn > 0) order.turn = this.#nextTurn(priority, order.tenant);
  }

  waits(order: Modelled): OrderRecord["waits"] {
    if (order.state !== "PENDING") return null;
    if (order.blockers.size > 0) return "orders";
    if (order.timed) return "time";
    if (order.limitKey === null) return "room";
    const ofKey = [...this.orders.values()].filter(({ limitKey }) => limitKey === order.limitKey);
    const free = this.concurrency - ofKey.filter(({ state }) => held(state)).length;
    const line = ofKey.filter(
      ({ state, blockers, timed }) => state === "PENDING" && blockers.size === 0 && !timed,
    );
    return this.#ranked(line).indexOf(order) < free ? "room" : "limit";
  }

  #place(order: Modelled): void {
    order.state = "PENDING";
    order.timed = order.runAt > this.#now();
  }

  #leave(order: Modelled, to: OrderState): void {
    order.state = to;
    order.timed = false;
    order.blockers.clear();
    if (!finished(to)) return;
    for (const follower of this.orders.values()) {
      if (!follower.blockers.has(order.id)) continue;
      if (to !== "COMPLETED" && follower.ifAfterFails === "cancel") this.#leave(follower, "CANCELLED");
      else if (follower.blockers.delete(order.id) && follower.blockers.size === 0) this.#place(follower);
    }
  }

  #nextTurn(priority: number, tenant: string): number {
    const lane = `${priority} ${tenant}`;
    const last = Math.max(this.#lanes.get(lane) ?? 0, this.#fronts.get(priority) ?? 0);
    const weight = this.weights.get(tenant) ?? 1;
    let turn = 0;
    for (let n = 1; turn <= last; n++) turn = Math.round((n * 1_000) / weight);
    this.#lanes.set(lane, turn);
    return turn;
  }

  #ranked(orders: Modelled[]): Modelled[] {
    return orders.sort(
      (a, b) =>
        b.priority - a.priority || a.turn - b.turn || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1),
    );
  }
}
