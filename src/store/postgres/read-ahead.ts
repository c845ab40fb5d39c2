import type { JobOutcome, OrderJob } from "../orders/order-io.ts";
import { ClaimLine } from "./claim-line.ts";
import { Doubt } from "./doubt.ts";
import { type Foresight, mostOrders } from "./foresight.ts";
import { readAhead, readRows } from "./order-load.ts";
import type { Session, Settled } from "./session.ts";

type ClaimJob = Extract<OrderJob, { do: "claim" }>;

/** More than a claim takes are read: what a class ends with is known only when there are more. */
const spare = 16;

/**
 * Large claims one after the other: what the next one will take is asked for right behind the commit of the one before,
 * so that the server reads it while this process does the work. It counts only where the chain still ends with that
 * commit; where others commit in between it is soon not asked for any more.
 */
export class ReadAhead {
  readonly #foresight: Foresight;
  readonly #doubt = new Doubt();
  #asked: readonly ClaimJob[] = [];
  #answers: Promise<readonly Settled[]> | undefined;
  #now = 0;
  #unused = false;

  constructor(foresight: Foresight) {
    this.#foresight = foresight;
  }

  /** Right after COMMIT was sent, and before its answer. `now`: time of the store. */
  begin(session: Session, jobs: readonly OrderJob[], outcomes: readonly JobOutcome[], now: number): void {
    const claims = jobs.filter((job, index) => job.do === "claim" && wasLargeAndFull(job, outcomes[index]));
    if (claims.length === 0 || !session.pipelined) return;
    if (this.#unused) this.#doubt.wrong();
    this.#unused = false;
    if (!this.#doubt.passes()) return;
    this.#asked = claims as readonly ClaimJob[];
    this.#now = now;
    this.#unused = true;
    this.#answers = session.settle(
      this.#asked.map(({ queue, capacity }) => readAhead(queue, { ...capacity, max: capacity.max + spare })),
    );
  }

  /** What was asked for, before the next commit is decided: the server would answer nothing earlier. */
  async take(): Promise<void> {
    if (this.#answers === undefined) return;
    const settled = await this.#answers;
    this.#answers = undefined;
    this.#asked.forEach(({ queue, capacity }, index) => {
      const found = settled[index];
      if (found?.ok !== true) return;
      const { rows, seq, text } = readRows(found.answer);
      if (seq === undefined) return;
      const line = new ClaimLine({ ...capacity, max: capacity.max + spare }, rows, this.#now, text);
      this.#foresight.look(queue, line, seq);
    });
  }

  /** The last claim came out of what was read. */
  used(): void {
    this.#unused = false;
    this.#doubt.right();
  }
}

function wasLargeAndFull({ capacity }: ClaimJob, outcome: JobOutcome | undefined): boolean {
  if (outcome?.ok !== true || capacity.max <= mostOrders) return false;
  return (outcome.value as readonly unknown[]).length >= capacity.max;
}
