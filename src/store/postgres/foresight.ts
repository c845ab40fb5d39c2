import { ChainDraft, type ChainEnd } from "../chain-draft.ts";
import type { OrderCounts, QueueConfig } from "../order-records.ts";
import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import { type Gathered, pair, triple } from "../orders/gathered.ts";
import type { JobOutcome, Loaded, Needs, OrderJob, Writes } from "../orders/order-io.ts";

/** What a batch would be, were nothing else committed since the end of the chain that is known. */
export interface Foreseen {
  readonly start: ChainEnd;
  readonly now: number;
  readonly chain: ChainDraft;
  readonly outcomes: readonly JobOutcome[];
  readonly needs: Needs;
  readonly writes: Writes;
  readonly gathered: Gathered;
}

/** What was committed: what it was decided on, and what came of it. */
export interface Learned {
  readonly start: ChainEnd;
  readonly end: ChainEnd;
  readonly now: number;
  readonly gathered: Gathered;
  readonly writes: Writes;
}

/** More new orders at once are worth the look: their rows cost far more than it. */
const mostOrders = 100;
/** Lanes, queues and priorities that are kept in mind; then it begins anew. */
const mostFacts = 10_000;
/** After so many misses one after another, so many commits look first. */
const longestPause = 64;

/**
 * What submitting needs to know of the queues (turns, configuration, depth), as it stands at one end of the chain.
 * Every change of it moves that end: as long as the end is the same nobody has to look again, and a batch of new
 * orders can be decided before the transaction is begun. Whether the end is the same, the commit itself finds out.
 */
export class Foresight {
  #end: ChainEnd | undefined;
  #now = 0;
  readonly #lanes = new Map<string, number>();
  /** Complete for each queue and priority that has a lane here. */
  readonly #fronts = new Map<string, number>();
  readonly #configs = new Map<string, QueueConfig | undefined>();
  readonly #counts = new Map<string, OrderCounts>();
  #misses = 0;
  #pause = 0;

  /** Undefined when the calls need to know more, or when it was wrong too often of late. */
  decide(jobs: readonly OrderJob[], now: number): Foreseen | undefined {
    if (this.#end === undefined || !isPlain(jobs)) return undefined;
    if (this.#pause > 0) {
      this.#pause--;
      return undefined;
    }
    const rounds = gather(jobs);
    const needs = rounds.next().value as Needs;
    const loaded = this.#loaded(needs);
    if (loaded === undefined) return undefined;
    const gathered = rounds.next(loaded);
    if (gathered.done !== true) return undefined;
    return this.#decided(jobs, needs, gathered.value, Math.max(now, this.#now));
  }

  /** Somebody else committed, or an order was there already. */
  missed(): void {
    this.forget();
    this.#pause = Math.min(2 ** this.#misses++, longestPause);
  }

  hit(learned: Learned): void {
    this.#misses = 0;
    this.learn(learned);
  }

  learn({ start, end, now, gathered, writes }: Learned): void {
    if (this.#end?.seq !== start.seq || this.#end.hash !== start.hash || this.#size() > mostFacts)
      this.forget();
    this.#end = end;
    this.#now = now;
    for (const name of gathered.askedLanes) this.#lanes.set(name, gathered.lanes.get(name) ?? 0);
    for (const [name, turn] of gathered.fronts) this.#fronts.set(name, turn);
    for (const queue of gathered.askedConfigs) this.#configs.set(queue, gathered.configs.get(queue));
    for (const [queue, counts] of gathered.counts) this.#counts.set(queue, counts);
    this.#apply(writes);
  }

  forget(): void {
    this.#end = undefined;
    this.#lanes.clear();
    this.#fronts.clear();
    this.#configs.clear();
    this.#counts.clear();
  }

  #size(): number {
    return this.#lanes.size + this.#fronts.size + this.#configs.size;
  }

  #apply({ lanes, fronts, configs, counts }: Writes): void {
    for (const { queue, priority, tenant, turn } of lanes)
      this.#lanes.set(triple(queue, priority, tenant), turn);
    // A lane that the front has passed is gone from the table and says nothing here: the later of both counts.
    for (const { queue, priority, turn } of fronts) {
      const name = pair(queue, priority);
      this.#fronts.set(name, Math.max(turn, this.#fronts.get(name) ?? 0));
    }
    for (const { queue, config } of configs) this.#configs.set(queue, config);
    for (const { queue, state, by } of counts) {
      const known = this.#counts.get(queue);
      if (known !== undefined) this.#counts.set(queue, { ...known, [state]: known[state] + by });
    }
  }

  /** Of ids and unique keys it is taken that nobody has them: the commit makes sure. */
  #loaded(needs: Needs): Loaded | undefined {
    const { lanes, fronts, counts, configs } = {
      lanes: [] as Loaded["lanes"][number][],
      fronts: [] as Loaded["fronts"][number][],
      counts: [] as Loaded["counts"][number][],
      configs: [] as Loaded["configs"][number][],
    };
    for (const { queue, priority, tenant } of needs.lanes) {
      const turn = this.#lanes.get(triple(queue, priority, tenant));
      if (turn === undefined) return undefined;
      lanes.push({ queue, priority, tenant, turn });
      const front = this.#fronts.get(pair(queue, priority));
      if (front !== undefined) fronts.push({ queue, priority, turn: front });
    }
    for (const queue of needs.configs) {
      if (!this.#configs.has(queue)) return undefined;
      const config = this.#configs.get(queue);
      if (config !== undefined) configs.push({ queue, config });
    }
    for (const queue of needs.counts) {
      const known = this.#counts.get(queue);
      if (known === undefined) return undefined;
      counts.push({ queue, counts: known });
    }
    const nothing = { rows: [], claims: [], followers: [], limitKeys: [], inbox: [] };
    return { ...nothing, lanes, fronts, configs, counts };
  }

  #decided(jobs: readonly OrderJob[], needs: Needs, gathered: Gathered, now: number): Foreseen | undefined {
    const start = this.#end as ChainEnd;
    const batch = new OrderBatch({ now, nextSeq: start.seq + 1, gathered });
    const outcomes = jobs.map((job) => batch.run(job));
    const writes = batch.writes();
    // Without an event the end does not move, and nothing would say whether the refusals were right.
    if (writes.events.length === 0) return undefined;
    const chain = new ChainDraft(start);
    try {
      for (const { stream, event } of writes.events) chain.append(now, stream, event);
    } catch {
      return undefined; // It is refused, and for whom, where each call can be done alone.
    }
    return { start, now, chain, outcomes, needs, writes, gathered };
  }
}

/** New orders that wait for no others and for no limit: they touch nothing but the end of their lane. */
function isPlain(jobs: readonly OrderJob[]): boolean {
  let count = 0;
  for (const job of jobs) {
    if (job.do !== "submit" || (count += job.orders.length) > mostOrders) return false;
    if (job.orders.some(({ after, limitKey }) => after.length > 0 || limitKey !== null)) return false;
  }
  return count > 0;
}
