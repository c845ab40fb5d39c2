import { ChainDraft, type ChainEnd } from "../chain-draft.ts";
import { OrderBatch } from "../orders/batch.ts";
import type { Gathered } from "../orders/gathered.ts";
import type { ClaimNeeds, JobOutcome, Needs, OrderJob, Writes } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { lotOf } from "./arrays.ts";

/** What a batch would be, were nothing else committed since the end of the chain that is known. */
export interface Foreseen {
  readonly start: ChainEnd;
  readonly now: number;
  readonly chain: ChainDraft;
  readonly outcomes: readonly JobOutcome[];
  /** What the commit has to make sure of: nobody has these ids and keys, and nothing came without an event. */
  readonly free: Pick<Needs, "ids" | "uniqueKeys" | "claims">;
  /** Of these claims, also that no order waits. */
  readonly none: readonly ClaimNeeds[];
  /** And these are still held as they were, or wait as they did. */
  readonly known: readonly OrderRow[];
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
  /** Rows that were written. */
  readonly written: Iterable<OrderRow>;
  /** Claims for which the store was looked through, as it was asked. */
  readonly looked?: readonly ClaimNeeds[];
  /** Queues in which nothing waits. */
  readonly empty?: readonly string[];
}

/** Like `Foreseen`, and not decided yet. */
export type Expected = Pick<Foreseen, "start" | "now" | "gathered" | "free" | "none" | "known">;

/** Undefined when nothing would show whether it was right, or when somebody has to be told why it is refused. */
export function decideFrom(
  start: ChainEnd,
  jobs: readonly OrderJob[],
  gathered: Gathered,
  now: number,
): Pick<Foreseen, "now" | "chain" | "outcomes" | "writes"> | undefined {
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
  // What is too long for one statement is not foreseen.
  if (lotOf(chain.texts) < chain.texts.length) return undefined;
  return { now, chain, outcomes, writes };
}
