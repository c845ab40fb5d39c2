import { isFinished, type OrderEvent } from "../../src/queue/states.ts";
import type { OrderSet } from "../../src/store/order-records.ts";
import type { OrderRow } from "../../src/store/orders/row.ts";
import type { Model, Step } from "./explorer.ts";
import { change, ending, recorded } from "./calls.ts";
import { peopleSteps } from "./people.ts";
import { judge, type Writer, wrongWith } from "./properties.ts";
import { type Rules, rules as truly } from "./rules.ts";
import { newRows } from "./shelf.ts";
import { threadSteps } from "./thread.ts";
import {
  type Applied,
  believesUntil,
  type Claim,
  claimsOf,
  type Found,
  keyOf,
  lease,
  nameOf,
  newWorker,
  type Outcome,
  replaced,
  type Sight,
  type Worker,
  type World,
} from "./world.ts";

/** Which of the things that can happen do happen in a case. All of them at once is many states. */
export interface Case {
  readonly workers: number;
  readonly orders: number;
  /** Processes end without notice. That they stop for longer than a lease is always so. */
  readonly crashes: boolean;
  /** Work fails, or is given back by a queue that stops. */
  readonly failures: boolean;
  /** Somebody cancels orders and requeues them. */
  readonly people: boolean;
  /** A call succeeds, but its answer never comes. */
  readonly lostAnswers: boolean;
  /** Workers tell now and then that they are there, also when they have lost a claim. */
  readonly tells: boolean;
  /** Heartbeats of the first worker are watched over by a thread. */
  readonly thread: boolean;
}

/**
 * Claim, start, heartbeat, end, crash, rescue, cancel and retry as the queue does them, each call of the store one
 * step. A worker that does nothing for a while is one that was stopped: there is no step it has to take in time.
 */
export function protocol(rules: Rules, what: Case): Model<World> {
  return {
    initial: {
      now: 0,
      orders: newRows(what.orders),
      workers: Array.from({ length: what.workers }, (_, place) =>
        newWorker(place, 0, what.thread && place === 0),
      ),
      truth: Array.from({ length: what.orders }, () => ({
        claims: 0,
        failures: 0,
        crashes: 0,
        completions: 0,
      })),
      person: undefined,
    },
    key: keyOf,
    broken: wrongWith,
    finished: ({ orders }) => orders.every(({ state }) => isFinished(state)),
    *steps(world) {
      yield { name: "time passes", to: { ...world, now: world.now + 1 } };
      for (const worker of world.workers) yield* new Hand(rules, what, world, worker).steps();
      if (what.people) yield* peopleSteps(rules, world);
    },
  };
}

const ifWanted = { unlessCancelled: true } as const;

/** One worker about to do something. */
class Hand {
  readonly #rules: Rules;
  readonly #case: Case;
  readonly #world: World;
  readonly #worker: Worker;

  constructor(rules: Rules, what: Case, world: World, worker: Worker) {
    this.#rules = rules;
    this.#case = what;
    this.#world = world;
    this.#worker = worker;
  }

  *steps(): Generator<Step<World>> {
    const { claim, rescue, life, place, thread } = this.#worker;
    const involved = claim !== undefined || rescue !== undefined || this.#holdsUnknowingly();
    if (this.#case.crashes && involved) {
      const to = this.#becomes(newWorker(place, life + 1, thread !== undefined));
      yield { name: this.#says("crashes"), to, bad: true };
    }
    if (claim === undefined) yield* this.#claim();
    else yield* this.#hold(claim);
    yield* threadSteps(this.#rules.thread, this.#world, this.#worker);
    if (rescue === undefined) yield* this.#look();
    else yield* this.#rescue(rescue);
    if (this.#case.tells) yield* this.#tell();
  }

  /** That it is there. It matters where its lease is over and it has not told since. */
  *#tell(): Generator<Step<World>> {
    const { now, orders } = this.#world;
    const name = nameOf(this.#worker);
    const news = orders.some(
      ({ worker, leaseUntil }) =>
        worker === name && leaseUntil !== null && leaseUntil < now && this.#worker.seenAt <= leaseUntil,
    );
    if (news) yield { name: this.#says("tells that it is there"), to: this.#becomes({ seenAt: now }) };
  }

  #holdsUnknowingly(): boolean {
    return this.#world.orders.some(({ worker }) => worker === nameOf(this.#worker));
  }

  *#claim(): Generator<Step<World>> {
    const { now, orders, truth } = this.#world;
    const starts = this.#rules.starts ? ["k"] : [];
    const capacity = { slots: 1, memory: 1, max: 1, kinds: ["k"], starts, tags: [] };
    const worker = nameOf(this.#worker);
    const job = { do: "claim", queue: "q", worker, capacity, leaseMs: lease } as const;
    const applied = this.#rules.apply(orders, job, now);
    const [order] = applied.value;
    if (order === undefined) return;
    const claims = (truth[orders.findIndex(({ id }) => id === order.id)]?.claims ?? 0) + 1;
    const claim = { order, claims, until: now + lease, outcome: undefined };
    yield* this.#writes("claims", applied, undefined, { claim, ...this.#beaten() }, {});
  }

  *#hold(claim: Claim): Generator<Step<World>> {
    const { now, orders } = this.#world;
    const { order, outcome } = claim;
    yield* this.#beat(claim);
    if (now >= believesUntil(this.#worker))
      yield { name: this.#says("sees that its lease is over"), to: this.#becomes({ claim: undefined }) };
    if (outcome !== undefined) {
      yield* this.#end(claim, outcome);
      return;
    }
    const asked = orders.some(({ id, cancelRequested }) => id === order.id && cancelRequested);
    if (order.cancelRequested || asked) yield this.#ended(claim, "cancelled");
    const { failures } = this.#case;
    if (failures) yield this.#ended(claim, "fails", true);
    if (failures) yield this.#ended(claim, "released", true);
    if (order.state === "PREPARING") {
      if (!order.cancelRequested) yield* this.#start(claim);
    } else {
      if (failures) yield this.#ended(claim, "fails for good", true);
      if (!order.cancelRequested) yield this.#ended(claim, "completed");
    }
  }

  *#beat(claim: Claim): Generator<Step<World>> {
    const { now, orders } = this.#world;
    if (!this.#rules.mayRenew(this.#world, this.#worker, claim)) {
      yield { name: this.#says("hears that its claim is lost"), to: this.#becomes({ claim: undefined }) };
      return;
    }
    const renewed = orders.map((row) =>
      row.id === claim.order.id ? { ...row, leaseUntil: now + lease } : row,
    );
    yield {
      name: this.#says("beats"),
      to: {
        ...this.#becomes({ claim: { ...claim, until: now + lease }, ...this.#beaten() }),
        orders: renewed,
      },
      broken: judge(
        this.#world,
        { orders: renewed, moved: [], value: [], refused: false },
        this.#writer(claim),
      ),
    };
  }

  /** What its thread hears of a claim or a heartbeat. */
  #beaten(): Partial<Worker> {
    const { thread } = this.#worker;
    return thread === undefined ? {} : { thread: { ...thread, beatAt: this.#world.now } };
  }

  *#start(claim: Claim): Generator<Step<World>> {
    const { order } = claim;
    const set = { attempt: order.attempt + 1, startedAt: this.#world.now };
    const applied = this.#change(order, "started", set);
    const started = applied.value[0] ?? order;
    yield* this.#writes(
      "starts",
      applied,
      this.#writer(claim),
      { claim: applied.refused ? undefined : { ...claim, order: started } },
      { claim },
    );
  }

  #ended(claim: Claim, outcome: Outcome, bad = false): Step<World> {
    return {
      name: this.#says(`ends its work: ${outcome}`),
      to: this.#becomes({ claim: { ...claim, outcome } }),
      bad,
    };
  }

  *#end(claim: Claim, outcome: Outcome): Generator<Step<World>> {
    const { order } = claim;
    const { event, set } = ending(order, outcome, this.#world.now);
    const guard = outcome !== "cancelled" && this.#rules.wanted("worker") ? ifWanted : {};
    const applied = change(this.#rules, this.#world, order, event, set, guard);
    // It was not heard of here that somebody asked for its end.
    const next = applied.unwanted === true ? { ...claim, outcome: "cancelled" as const } : undefined;
    yield* this.#writes(`writes ${event}`, applied, this.#writer(claim), { claim: next }, { claim });
  }

  *#look(): Generator<Step<World>> {
    for (const order of this.#world.orders) {
      if (order.id === this.#worker.claim?.order.id || !this.#rules.mayRescue(this.#world, order)) continue;
      const byLease = this.#rules.byLease(this.#world, order);
      const lives = this.#rules.lives(this.#world, order, this.#worker);
      const told = truly.lives(this.#world, order, this.#worker);
      const rescue = { order, claims: claimsOf(this.#world, order.id), byLease, lives, told };
      yield { name: this.#says(`finds ${order.id} without a worker`), to: this.#becomes({ rescue }) };
    }
  }

  *#rescue(found: Found): Generator<Step<World>> {
    const seen = this.#rules.seen(this.#world, found);
    if (seen.order.leaseUntil === null) {
      yield { name: this.#says("was too late"), to: this.#becomes({ rescue: undefined }) };
      return;
    }
    const { event, set } = this.#rules.rescue(seen.order, this.#world.now, found.lives);
    const guard = {
      ...(found.byLease ? { leaseOver: true as const } : {}),
      ...(event !== "cancelled" && this.#rules.wanted("rescue") ? ifWanted : {}),
    };
    const applied = change(this.#rules, this.#world, seen.order, event, set, guard);
    const writer = { name: undefined, claims: seen.claims, id: seen.order.id };
    const done = { rescue: undefined };
    yield* this.#writes(`rescues: ${event}`, applied, writer, done, done, found.told);
  }

  #change(order: OrderRow, event: OrderEvent, set: OrderSet): Applied {
    return change(this.#rules, this.#world, order, event, set);
  }

  #writer({ claims, order }: Sight): Writer {
    return { name: nameOf(this.#worker), claims, id: order.id };
  }

  /** `after`: what becomes of the worker; `unanswered`: what becomes of it when it never hears of its success. */
  *#writes(
    name: string,
    applied: Applied,
    writer: Writer | undefined,
    after: Partial<Worker>,
    unanswered: Partial<Worker>,
    told = false,
  ): Generator<Step<World>> {
    const broken = judge(this.#world, applied, writer);
    const stored = recorded(this.#world, applied, told);
    const says = this.#says(applied.refused ? `${name}, refused` : name);
    yield { name: says, to: this.#becomes(after, stored), broken };
    if (!this.#case.lostAnswers || applied.refused) return;
    yield { name: `${says}, and never hears of it`, to: this.#becomes(unanswered, stored), bad: true };
  }

  #becomes(change: Partial<Worker>, world: World = this.#world): World {
    return { ...world, workers: replaced(world.workers, this.#worker.place, { ...this.#worker, ...change }) };
  }

  #says(what: string): string {
    return `${nameOf(this.#worker)} ${what}`;
  }
}
