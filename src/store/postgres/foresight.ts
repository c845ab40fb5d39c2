import type { ChainEnd } from "../chain-draft.ts";
import type { OrderChange, OrderCounts, QueueConfig } from "../order-records.ts";
import { gather } from "../orders/gather.ts";
import { type Gathered, pair, triple } from "../orders/gathered.ts";
import type { ClaimFound, ClaimNeeds, Loaded, Needs, OrderJob, Writes } from "../orders/order-io.ts";
import { isFinished, isHeld, type OrderRow } from "../orders/row.ts";
import { noOrders } from "../sql/order-reads.ts";
import { ClaimLine } from "./claim-line.ts";
import { Doubt } from "./doubt.ts";
import { decideFrom, type Expected, type Foreseen, type Learned } from "./foreseen.ts";
import type { HeldRows } from "./held-rows.ts";
import { largeSubmit, mayAllBeNew } from "./large-submit.ts";
import type { KnownFacts, StandingFacts } from "./standing-facts.ts";

/** More orders at once are worth the look: their rows cost far more than it. */
export const mostOrders = 100;
/** A claim reads at most so many orders for the ones after it, and at first so many. */
const mostAhead = 200;
const leastAhead = 16;
/** Lanes, queues and priorities that are kept in mind; then it begins anew. */
const mostFacts = 10_000;
/** More are not worth to be asked for each time somebody else has committed. */
const mostRenewed = 100;

const nothingFound: ClaimFound = { candidates: [], due: [], inbox: [], untold: [] };

/**
 * What a few calls need to know of the queues (turns, configuration, depth, orders held here), as it stands at one end of
 * the chain. Every change of it moves that end: as long as the end is the same nobody has to look again, and a batch can
 * be decided before its transaction is begun. Whether the end is the same, the commit itself finds out.
 */
export class Foresight {
  #end: ChainEnd | undefined;
  /** Others have committed up to this event, as far as they have told. */
  #heard = 0;
  #now = 0;
  readonly #lanes = new Map<string, number>();
  /** Complete for each queue and priority that has a lane here. */
  readonly #fronts = new Map<string, number>();
  readonly #configs = new Map<string, QueueConfig | undefined>();
  readonly #counts = new Map<string, OrderCounts>();
  /** Orders whose row among those held is the one that is stored, but for the end of its lease. */
  readonly #held = new Set<string>();
  /** Queues of which the last claim found nothing and nothing has come since: only taken to be so. */
  readonly #empty = new Set<string>();
  /** Of queues that have more, what the next claims will take. */
  readonly #lines = new Map<string, ClaimLine>();
  /** How many orders of a queue were read ahead last. */
  readonly #ahead = new Map<string, number>();
  readonly #rows: HeldRows;
  /** Of new orders alone, and of claims and ends: what misleads one says nothing of the other. */
  readonly #doubts = { submits: new Doubt(), others: new Doubt() };

  constructor(rows: HeldRows) {
    this.#rows = rows;
  }

  /** Undefined when the calls need to know more, or when it was wrong too often of late. */
  decide(jobs: readonly OrderJob[], now: number): Foreseen | undefined {
    const start = this.#end;
    const at = Math.max(now, this.#now);
    if (start === undefined || this.isPassed) return undefined;
    const waiting = this.#suited(jobs, at);
    if (waiting === undefined || !this.#doubtOf(jobs).passes()) return undefined;
    const rounds = gather(jobs);
    const needs = rounds.next().value as Needs;
    const held = needs.ids.flatMap((id) => (this.#held.has(id) ? (this.#rows.get(id)?.row ?? []) : []));
    const loaded = this.#loaded(needs, held, waiting);
    if (loaded === undefined) return undefined;
    const gathered = rounds.next(loaded);
    if (gathered.done !== true) return undefined;
    const free = { ...needs, ids: needs.ids.filter((id) => !gathered.value.rows.has(id)) };
    const none = needs.claims.filter((_, index) => waiting[index]?.length === 0);
    const decided = decideFrom(start, jobs, gathered.value, at);
    if (decided === undefined) return undefined;
    return { ...decided, start, free, none, known: [...held, ...waiting.flat()], gathered: gathered.value };
  }

  /**
   * How many orders more than it takes a claim should read. Each time those read ahead were taken before anybody else
   * committed it is four times as many; otherwise reading them was in vain.
   */
  ahead({ queue, capacity }: ClaimNeeds): number {
    const line = this.#lines.get(queue);
    const before = this.#ahead.get(queue) ?? 0;
    const wanted = line?.isUsed === true ? Math.max(leastAhead, before * 4) : Math.floor(before / 4);
    const ahead =
      line === undefined || capacity.max > mostOrders ? 0 : Math.min(mostAhead, line.worth, wanted);
    if (ahead === 0) this.#ahead.delete(queue);
    else this.#ahead.set(queue, ahead);
    return ahead;
  }

  /**
   * What a commit that is too large for one statement may be decided on before the store is asked: ends of orders held
   * here with claims of what is next in line, or many orders that are taken to be new.
   */
  expect(jobs: readonly OrderJob[], now: number): Expected | undefined {
    const start = this.#end;
    const at = Math.max(now, this.#now);
    if (start === undefined || this.isPassed) return undefined;
    const fresh = mayAllBeNew(jobs);
    const waiting = fresh ? [] : this.#waiting(jobs, at);
    if (waiting === undefined || !this.#doubtOf(jobs).passes()) return undefined;
    const rounds = gather(jobs);
    const needs = rounds.next().value as Needs;
    const held = fresh ? [] : needs.ids.flatMap((id) => this.#rows.get(id)?.row ?? []);
    const loaded = this.#loaded(needs, held, waiting);
    if (loaded === undefined) return undefined;
    const gathered = rounds.next(loaded);
    if (gathered.done !== true) return undefined;
    if (fresh && largeSubmit(jobs, gathered.value) === undefined) return undefined;
    const known = [...held, ...waiting.flat()];
    // Ids are not looked for: the rows themselves are refused when one is there already.
    const free = { ...needs, ids: [] };
    return { start, now: at, gathered: gathered.value, free, none: [], known };
  }

  /** What claims get; undefined when that is not certain, or when calls beside them may bring or take orders. */
  #waiting(jobs: readonly OrderJob[], now: number): readonly (readonly OrderRow[])[] | undefined {
    const waiting = new Map<string, readonly OrderRow[]>();
    for (const job of jobs) {
      if (job.do === "claim") {
        const best = this.#lines.get(job.queue)?.best(job.capacity, now);
        if (best === undefined || waiting.has(job.queue)) return undefined;
        waiting.set(job.queue, best);
      } else if (job.do !== "change" || !job.changes.every((change) => this.#ends(change))) return undefined;
    }
    return waiting.size === 0 ? undefined : [...waiting.values()];
  }

  /** What the next claims of a queue will take, as far as it is known. */
  line(queue: string): ClaimLine | undefined {
    return this.#lines.get(queue);
  }

  /** What was read for the next claim of a queue, when nobody has committed since this process did. */
  look(queue: string, line: ClaimLine, seq: number): boolean {
    if (this.#end?.seq !== seq) return false;
    this.#lines.set(queue, line);
    return true;
  }

  /** Others have told of commits up to this event, with work in these queues; null: in any. */
  passed(seq: number, queues: readonly string[] | null): void {
    this.#heard = Math.max(this.#heard, seq);
    for (const queue of queues ?? [...this.#empty]) this.#empty.delete(queue);
  }

  /** Others have committed since. */
  get isPassed(): boolean {
    return this.#end !== undefined && this.#heard > this.#end.seq;
  }

  /** What has to be asked for anew, since others have committed; undefined when there is nothing, or too much. */
  get outdated(): KnownFacts | undefined {
    if (!this.isPassed || this.#size() > mostRenewed || this.#configs.size === 0) return undefined;
    const lanes = [...this.#lanes.keys()].map((name) => {
      const [queue = "", priority, tenant = ""] = name.split("\0");
      return { queue, priority: Number(priority), tenant };
    });
    const held = [...this.#held].flatMap((id) => {
      const xact = this.#rows.xactOf(id);
      return xact === undefined ? [] : [{ id, xact }];
    });
    return { lanes, counts: [...this.#counts.keys()], configs: [...this.#configs.keys()], held };
  }

  /** How what was asked for stands. Lines are not asked for: claims that others make shorten them. */
  renew({ end, at, facts, changed }: StandingFacts, asked: KnownFacts): void {
    const empty = [...this.#empty];
    this.forget();
    this.#end = end;
    // Of those who told, nobody can know of more.
    this.#heard = Math.min(this.#heard, end.seq);
    this.#now = Math.max(this.#now, at);
    for (const { queue, priority, tenant } of asked.lanes)
      this.#lanes.set(triple(queue, priority, tenant), 0);
    for (const { queue, priority, tenant, turn } of facts.lanes)
      this.#lanes.set(triple(queue, priority, tenant), turn);
    for (const { queue, priority, turn } of facts.fronts) this.#fronts.set(pair(queue, priority), turn);
    for (const queue of asked.configs) this.#configs.set(queue, undefined);
    for (const { queue, config } of facts.configs) this.#configs.set(queue, config);
    for (const queue of asked.counts) this.#counts.set(queue, facts.counts.get(queue) ?? noOrders);
    for (const { id } of asked.held) if (!changed.has(id)) this.#held.add(id);
    // Only taken to be so, as before.
    for (const queue of empty) this.#empty.add(queue);
    for (const doubt of Object.values(this.#doubts)) doubt.mended();
  }

  /** Somebody else committed, or something was there already. */
  missed(jobs: readonly OrderJob[]): void {
    this.forget();
    this.#doubtOf(jobs).wrong();
  }

  hit(jobs: readonly OrderJob[], learned: Learned): void {
    this.#doubtOf(jobs).right();
    this.learn(learned);
  }

  learn({ start, end, now, gathered, writes, written, looked = [], empty = [] }: Learned): void {
    if (this.#end?.seq !== start.seq || this.#end.hash !== start.hash || this.#size() > mostFacts)
      this.forget();
    this.#end = end;
    this.#now = now;
    for (const name of gathered.askedLanes) this.#lanes.set(name, gathered.lanes.get(name) ?? 0);
    for (const [name, turn] of gathered.fronts) this.#fronts.set(name, turn);
    for (const queue of gathered.askedConfigs) this.#configs.set(queue, gathered.configs.get(queue));
    for (const [queue, counts] of gathered.counts) this.#counts.set(queue, counts);
    for (const [job, found] of gathered.claims) {
      if (job.do !== "claim") continue;
      if (Object.values(found).every(({ length }) => length === 0)) this.#empty.add(job.queue);
      else this.#empty.delete(job.queue);
    }
    this.#apply(writes);
    this.#look(looked, gathered, now);
    for (const row of written) {
      const { id, queue, state, waits } = row;
      if (isHeld(state)) this.#held.add(id);
      else this.#held.delete(id);
      if (waits === "room") this.#empty.delete(queue);
      this.#lines.get(queue)?.wrote(row);
    }
    for (const queue of empty) this.#empty.add(queue);
    for (const [queue, line] of this.#lines) {
      if (!line.isOver) continue;
      this.#lines.delete(queue);
      this.#empty.add(queue);
    }
  }

  forget(): void {
    this.#end = undefined;
    this.#lanes.clear();
    this.#fronts.clear();
    this.#configs.clear();
    this.#counts.clear();
    this.#held.clear();
    this.#empty.clear();
    this.#lines.clear();
  }

  #doubtOf(jobs: readonly OrderJob[]): Doubt {
    return jobs.every((job) => job.do === "submit") ? this.#doubts.submits : this.#doubts.others;
  }

  #size(): number {
    const facts = [this.#lanes, this.#fronts, this.#configs, this.#held, this.#lines, this.#ahead];
    return facts.reduce((sum, { size }) => sum + size, 0);
  }

  /** What claims have seen and left, before what came of them is noted. */
  #look(looked: readonly ClaimNeeds[], gathered: Gathered, now: number): void {
    const found = [...gathered.claims.values()];
    looked.forEach(({ queue, capacity }, index) => {
      const read = (found[index]?.candidates ?? []).flatMap((id) => gathered.rows.get(id) ?? []);
      if (read.length === 0) this.#lines.delete(queue);
      else this.#lines.set(queue, new ClaimLine(capacity, read, now));
    });
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

  /**
   * New orders that wait for no others and for no limit: they touch nothing but the end of their lane. Ends of orders that
   * are held here and followed by none. Claims where there is nothing but what comes with them, and claims of what is
   * next in line, as long as nothing comes with them. For each claim what it will get of the orders that wait.
   */
  #suited(jobs: readonly OrderJob[], now: number): readonly (readonly OrderRow[])[] | undefined {
    if (handledBy(jobs) > mostOrders) return undefined;
    const waiting: (readonly OrderRow[])[] = [];
    const claimed = new Set<string>();
    let submits = 0;
    let others = 0;
    for (const job of jobs) {
      if (job.do === "submit") {
        submits += job.orders.length;
        if (job.orders.some(({ after, limitKey }) => after.length > 0 || limitKey !== null)) return undefined;
      } else if (job.do === "change") {
        others += job.changes.length;
        if (!job.changes.every((change) => this.#ends(change))) return undefined;
      } else if (job.do !== "claim") return undefined;
      else if (this.#empty.has(job.queue)) waiting.push([]);
      else {
        const best = this.#lines.get(job.queue)?.best(job.capacity, now) ?? [];
        // Two claims of one queue would be given the same.
        if (best.length === 0 || claimed.has(job.queue)) return undefined;
        claimed.add(job.queue);
        others += best.length;
        waiting.push(best);
      }
    }
    // New orders may be better, or take the room of those in line.
    if (claimed.size > 0 && submits > 0) return undefined;
    const count = submits + others;
    return count > 0 && count <= mostOrders ? waiting : undefined;
  }

  #ends({ id, to, leaseOver }: OrderChange): boolean {
    if (leaseOver === true || !isFinished(to) || !this.#held.has(id)) return false;
    const row = this.#rows.peek(id);
    return row !== undefined && !row.followed && row.limitKey === null;
  }

  /** Of new ids and unique keys it is taken that nobody has them: the commit makes sure. */
  #loaded(
    needs: Needs,
    held: readonly OrderRow[],
    waiting: readonly (readonly OrderRow[])[],
  ): Loaded | undefined {
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
    const claims = waiting.map((rows) => ({ ...nothingFound, candidates: rows.map(({ id }) => id) }));
    const nothing = { followers: [], limitKeys: [], inbox: [] };
    return { ...nothing, rows: [...held, ...waiting.flat()], claims, lanes, fronts, configs, counts };
  }
}

/** New orders and changes. */
function handledBy(jobs: readonly OrderJob[]): number {
  let count = 0;
  for (const job of jobs) {
    if (job.do === "submit") count += job.orders.length;
    else if (job.do === "change") count += job.changes.length;
  }
  return count;
}
