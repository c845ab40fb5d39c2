import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import type { Gathered } from "../orders/gathered.ts";
import type { ClaimNeeds, JobOutcome, Loaded, Needs, OrderJob, Writes } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import type { Answer, Statement } from "../sql/program.ts";
import type { HeldRows } from "./held-rows.ts";
import { largeSubmit, mayAllBeNew, NotAllNew, submitInSlices } from "./large-submit.ts";
import { OrderLoad } from "./order-load.ts";
import { insertRows, updateRows, writeOrders } from "./order-write.ts";
import type { Transaction } from "./transaction.ts";

/** A packet of its own is worth it from here on. */
const manyRows = 32;
/** So many changed rows are written while later calls are still being decided. */
const rowsAhead = 100;
const newRowsAhead = 200;

export interface OrderOutcome {
  readonly outcomes: readonly JobOutcome[];
  /** Queues with new work. */
  readonly ring: readonly string[];
  /** Rows that were there before and are another way now. */
  readonly changed: number;
  /** These rows, and those that are new. */
  readonly written: readonly OrderRow[];
  /** What was decided on, and what came of it; undefined when there were no calls. */
  readonly decided:
    | { readonly gathered: Gathered; readonly writes: Writes; readonly looked: readonly ClaimNeeds[] }
    | undefined;
}

/** What earlier commits know of the orders. */
export interface Knowledge {
  readonly held: HeldRows;
  /** How many orders more than it takes a claim should read. */
  readonly ahead: (claim: ClaimNeeds) => number;
  /** Many orders that are handed in at once may be taken to be new; when they are not, `decide` or the commit says so. */
  readonly allNew: boolean;
  /** Others may be about to claim. */
  readonly crowded: boolean;
}

/** Stored orders that a call names and may write. */
export function namedBy(job: OrderJob): readonly string[] {
  switch (job.do) {
    case "change":
      return job.changes.map(({ id }) => id);
    case "cancel":
    case "prioritise":
      return [job.id];
    case "submit":
      return job.orders.flatMap(({ after }) => after);
    case "claim":
    case "configure":
    case "settle":
      return [];
  }
}

/** New rows but the last of them, sent while the next ones are put into words; what is left to write. */
function insertAhead(tx: Transaction, writes: Writes): Writes {
  const { inserted } = writes;
  let next = 0;
  for (; inserted.length - next > newRowsAhead; next += newRowsAhead) {
    // Changed rows go first: a new order may have taken over the unique key of one.
    if (next === 0) for (const statement of updateRows(writes.updated)) tx.keep(statement);
    for (const statement of insertRows(inserted.slice(next, next + newRowsAhead))) tx.keep(statement);
    tx.sendAhead();
  }
  return next === 0 ? writes : { ...writes, updated: [], inserted: inserted.slice(next) };
}

/** All calls on work orders of one transaction: what they need is asked with its opening, the rules decide here. */
export class OrderWork {
  readonly #jobs: readonly OrderJob[];
  readonly #rounds: Generator<Needs, Gathered, Loaded>;
  readonly #now: number | undefined;
  readonly #knowledge: Knowledge;
  /** Only the first round asks for claims. */
  #looked: readonly ClaimNeeds[] = [];
  #round: IteratorResult<Needs, Gathered>;
  #load: OrderLoad | undefined;

  /** `now` stands in for the server's time. */
  constructor(jobs: readonly OrderJob[], now: number | undefined, knowledge: Knowledge) {
    this.#knowledge = knowledge;
    this.#jobs = jobs;
    this.#now = now;
    this.#rounds = gather(jobs);
    this.#round = this.#rounds.next();
  }

  get #takenAsNew(): boolean {
    return this.#knowledge.allNew && mayAllBeNew(this.#jobs);
  }

  /** Statements of the first round; none when there are no calls. */
  opening(): readonly Statement[] {
    return this.#jobs.length === 0 ? [] : this.#ask();
  }

  /** `opened`: the answers to the statements of the first round. What is to be written is kept for the commit. */
  async decide(tx: Transaction, opened: readonly Answer[]): Promise<OrderOutcome> {
    if (this.#jobs.length === 0)
      return { outcomes: [], ring: [], changed: 0, written: [], decided: undefined };
    let answers = opened;
    let gathered: Gathered;
    for (;;) {
      if (this.#load !== undefined) this.#round = this.#rounds.next(this.#load.loaded(answers));
      if (this.#round.done === true) {
        gathered = this.#round.value;
        break;
      }
      answers = await tx.ask(this.#ask());
    }
    return decideAll(tx, this.#jobs, { gathered, looked: this.#looked, takenAsNew: this.#takenAsNew });
  }

  #ask(): readonly Statement[] {
    if (this.#round.done === true) return [];
    const needs = this.#round.value;
    const claims = needs.claims.map((claim) => {
      const { capacity } = claim;
      if (capacity.max < 1) return claim;
      return { ...claim, capacity: { ...capacity, max: capacity.max + this.#knowledge.ahead(claim) } };
    });
    if (claims.length > 0) this.#looked = claims;
    const ids = this.#takenAsNew ? [] : needs.ids;
    const { held, crowded } = this.#knowledge;
    this.#load = new OrderLoad({ ...needs, ids, claims }, this.#now, held, crowded);
    return this.#load.statements;
  }
}

/**
 * Decides all calls on what was gathered. What is to be written is kept for the commit; of much of it the server writes
 * the first rows while the others are still being decided.
 */
export function decideAll(
  tx: Transaction,
  jobs: readonly OrderJob[],
  known: {
    readonly gathered: Gathered;
    readonly looked: readonly ClaimNeeds[];
    readonly takenAsNew: boolean;
  },
): OrderOutcome {
  const { gathered, looked, takenAsNew } = known;
  const batch = new OrderBatch({ now: tx.now, nextSeq: tx.chain.end.seq + 1, gathered });
  const written = new Map<string, OrderRow>();
  const large = largeSubmit(jobs, gathered);
  if (large === undefined && takenAsNew) throw new NotAllNew();
  const ahead = large === undefined ? undefined : submitInSlices(tx, batch, large);
  for (const row of ahead?.written ?? []) written.set(row.id, row);
  const outcomes = jobs.map((job): JobOutcome => {
    if (ahead !== undefined) return { ok: true, value: ahead.value };
    const outcome = batch.run(job);
    const updated = batch.rowsAhead(rowsAhead);
    for (const { row } of updated) written.set(row.id, row);
    for (const statement of updateRows(updated)) tx.keep(statement);
    tx.sendAhead();
    return outcome;
  });
  const writes = batch.writes();
  const last = insertAhead(tx, writes);
  for (const statement of writeOrders(last)) tx.keep(statement);
  // Rows do not depend on hashes: the server writes hundreds of them while the events are put into words here.
  if (writes.updated.length + writes.inserted.length >= manyRows) tx.sendAhead();
  for (const { stream, event } of writes.events.slice(ahead?.told ?? 0))
    tx.chain.append(tx.now, stream, event);
  for (const { row } of writes.updated) written.set(row.id, row);
  const changed = written.size - (ahead?.written.length ?? 0);
  for (const row of writes.inserted) written.set(row.id, row);
  const decided = { gathered, writes, looked };
  return { outcomes, ring: writes.ring, changed, written: [...written.values()], decided };
}

/** The same on what is expected. Undefined where they are refused: whether that is right is seen when the store was asked. */
export function decideExpected(
  tx: Transaction,
  orders: readonly OrderJob[],
  gathered: Gathered,
): OrderOutcome | undefined {
  try {
    return decideAll(tx, orders, { gathered, looked: [], takenAsNew: mayAllBeNew(orders) });
  } catch {
    return undefined;
  }
}
