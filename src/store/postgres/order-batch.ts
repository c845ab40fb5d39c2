import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import type { Gathered } from "../orders/gathered.ts";
import type { JobOutcome, Loaded, Needs, OrderJob } from "../orders/order-io.ts";
import type { Answer, Statement } from "../sql/program.ts";
import { OrderLoad } from "./order-load.ts";
import { writeOrders } from "./order-write.ts";
import type { Transaction } from "./transaction.ts";

export interface OrderOutcome {
  readonly outcomes: readonly JobOutcome[];
  /** Queues with new work. */
  readonly ring: readonly string[];
  /** Rows that were there before and are another way now. */
  readonly changed: number;
}

/** All calls on work orders of one transaction: what they need is asked with its opening, the rules decide here. */
export class OrderWork {
  readonly #jobs: readonly OrderJob[];
  readonly #rounds: Generator<Needs, Gathered, Loaded>;
  readonly #now: number | undefined;
  #round: IteratorResult<Needs, Gathered>;
  #load: OrderLoad | undefined;

  /** `now` stands in for the server's time. */
  constructor(jobs: readonly OrderJob[], now: number | undefined) {
    this.#jobs = jobs;
    this.#now = now;
    this.#rounds = gather(jobs);
    this.#round = this.#rounds.next();
  }

  /** Statements of the first round; none when there are no calls. */
  opening(): readonly Statement[] {
    return this.#jobs.length === 0 ? [] : this.#ask();
  }

  /** `opened`: the answers to the statements of the first round. What is to be written is kept for the commit. */
  async decide(tx: Transaction, opened: readonly Answer[]): Promise<OrderOutcome> {
    if (this.#jobs.length === 0) return { outcomes: [], ring: [], changed: 0 };
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
    const batch = new OrderBatch({ now: tx.now, nextSeq: tx.chain.end.seq + 1, gathered });
    const outcomes = this.#jobs.map((job) => batch.run(job));
    const writes = batch.writes();
    for (const { stream, event } of writes.events) tx.chain.append(tx.now, stream, event);
    for (const statement of writeOrders(writes)) tx.keep(statement);
    return { outcomes, ring: writes.ring, changed: writes.updated.length };
  }

  #ask(): readonly Statement[] {
    if (this.#round.done === true) return [];
    this.#load = new OrderLoad(this.#round.value, this.#now);
    return this.#load.statements;
  }
}
