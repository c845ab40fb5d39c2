import type { JobOutcome, OrderJob } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { ClaimLine } from "./claim-line.ts";
import { Doubt } from "./doubt.ts";
import { type Foresight, mostOrders } from "./foresight.ts";
import { readAhead, readRows } from "./order-load.ts";
import { readOn } from "./read-on.ts";
import type { Session, Settled } from "./session.ts";

type ClaimJob = Extract<OrderJob, { do: "claim" }>;

/** A claim whose next one is asked for, and the line it came from, where the look begins with that. */
interface Asked {
  readonly job: ClaimJob;
  readonly from: { readonly line: ClaimLine; readonly row: OrderRow; readonly seenAt: number } | undefined;
}

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
  #asked: readonly Asked[] = [];
  #answers: Promise<readonly Settled[]> | undefined;
  #now = 0;
  #unused = false;

  constructor(foresight: Foresight) {
    this.#foresight = foresight;
  }

  /**
   * Right after COMMIT was sent, and before its answer. `now`: time of the store. `known`: what was claimed came from what was
   * known, and nobody has committed since that was read.
   */
  begin(
    session: Session,
    jobs: readonly OrderJob[],
    outcomes: readonly JobOutcome[],
    { now, known }: { readonly now: number; readonly known: boolean },
  ): void {
    const claims = jobs.filter((job, index) => job.do === "claim" && wasLargeAndFull(job, outcomes[index]));
    if (claims.length === 0 || !session.pipelined) return;
    if (this.#unused) this.#doubt.wrong();
    this.#unused = false;
    if (!this.#doubt.passes()) return;
    this.#asked = (claims as readonly ClaimJob[]).map((job) => {
      const line = known ? this.#foresight.line(job.queue) : undefined;
      const front = line?.front(job.capacity, now);
      return { job, from: line && front && { line, ...front } };
    });
    this.#now = now;
    this.#unused = true;
    this.#answers = session.settle(
      this.#asked.map(({ job: { queue, capacity }, from }) => {
        const asked = { ...capacity, max: capacity.max + spare };
        return from === undefined ? readAhead(queue, asked) : readOn(from.row, asked);
      }),
    );
  }

  /** What was asked for, before the next commit is decided: the server would answer nothing earlier. */
  async take(): Promise<void> {
    if (this.#answers === undefined) return;
    const settled = await this.#answers;
    this.#answers = undefined;
    this.#asked.forEach(({ job: { queue, capacity }, from }, index) => {
      const found = settled[index];
      if (found?.ok !== true) return;
      // The commit before it, or one since, has brought something better.
      if (from !== undefined && !(from.line.leads && this.#foresight.line(queue) === from.line)) return;
      const { rows, seq, text } = readRows(found.answer);
      if (seq === undefined) return;
      const line = new ClaimLine(
        { ...capacity, max: capacity.max + spare },
        rows,
        from?.seenAt ?? this.#now,
        text,
      );
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
