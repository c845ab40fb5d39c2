import type { Json } from "../../core/index.ts";
import type { OrderJob } from "./order-io.ts";

/** Order calls beyond this go into the next commit: putting 1 MB into words, and packing it, takes some 20 ms. */
export const mostInCommit = 8_000_000;

/** A claim takes up so many orders that are due, and as many that lie in the inbox; fewer where they are long. */
export const mostTakenUp = 500;

/** About how long a value is as text. Nothing is put together for it: a long text counts by its length. */
export function roughBytes(value: Json | undefined): number {
  if (typeof value === "string") return value.length;
  if (value === null || typeof value !== "object") return 8;
  let sum = 2;
  if (Array.isArray(value)) for (const item of value as readonly Json[]) sum += 1 + roughBytes(item);
  else for (const [name, member] of Object.entries(value)) sum += name.length + 4 + roughBytes(member);
  return sum;
}

/**
 * How many of these units of work, from the first on, make up one commit: at least one, and no more than `most`. All of
 * a commit is put into words in one go, and what is written together is one text on its way.
 * @param orderOf the call on orders that a unit of work is, if it is one
 */
export function commitOf<T>(
  jobs: readonly T[],
  most: number,
  orderOf: (job: T) => OrderJob | undefined,
): number {
  let bytes = 0;
  const count = Math.min(jobs.length, most);
  for (let next = 0; next < count; next++) {
    const order = orderOf(jobs[next] as T);
    if (order !== undefined) bytes += jobBytes(order);
    if (bytes > mostInCommit && next > 0) return next;
  }
  return count;
}

/** Whether these values may be as much as goes into one commit: in the database a text may be eight times as long. */
export const mayBeFull = (values: readonly Json[]): boolean =>
  values.reduce<number>((sum, value) => sum + roughBytes(value), 0) * 8 >= mostInCommit;

function jobBytes(job: OrderJob): number {
  let bytes = 0;
  if (job.do === "submit") {
    for (const { payload, carrier } of job.orders)
      bytes += roughBytes(payload) + (carrier === null ? 0 : roughBytes(carrier));
  } else if (job.do === "change") {
    for (const { set } of job.changes) {
      if (set === undefined) continue;
      const { result, error, progress } = set;
      if (result !== undefined) bytes += roughBytes(result);
      if (progress !== undefined) bytes += roughBytes(progress);
      if (error !== undefined) bytes += roughBytes(error as Json);
    }
  }
  return bytes;
}
