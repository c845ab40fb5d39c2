import type { OrderState, QueueConfig } from "../order-records.ts";
import type { Loaded, Needs } from "../orders/order-io.ts";
import { noOrders } from "../sql/order-reads.ts";
import type { SqlValue, Statement } from "../sql/program.ts";
import { numberArray, textArray } from "./arrays.ts";

export type Cells = readonly unknown[];

/** What is known of queues beside their orders. */
export interface FoundFacts {
  readonly lanes: Loaded["lanes"][number][];
  readonly fronts: Loaded["fronts"][number][];
  readonly counts: Map<string, Record<OrderState, number>>;
  readonly configs: Loaded["configs"][number][];
}

/** Small things of all sorts, in columns that suit them all: sort, queue, text, number, another number. */
export function askFacts({
  lanes,
  counts,
  configs,
}: Pick<Needs, "lanes" | "counts" | "configs">): readonly Statement[] {
  const parts: Statement[] = [];
  if (lanes.length > 0) {
    const queues = textArray(lanes.map(({ queue }) => queue));
    const priorities = numberArray(lanes.map(({ priority }) => priority));
    parts.push(
      part(
        `SELECT 'lane', lane.queue, lane.tenant, lane.priority, lane.turn
         FROM unnest($1::text[], $2::bigint[], $3::text[]) AS asked (queue, priority, tenant)
         JOIN order_lanes lane USING (queue, priority, tenant)`,
        queues,
        priorities,
        textArray(lanes.map(({ tenant }) => tenant)),
      ),
      part(
        `SELECT 'front', front.queue, NULL, front.priority, front.turn
         FROM (SELECT DISTINCT queue, priority FROM unnest($1::text[], $2::bigint[]) AS a (queue, priority)) AS asked
         JOIN order_fronts front USING (queue, priority)`,
        queues,
        priorities,
      ),
    );
  }
  if (counts.length > 0) {
    const sql = `SELECT 'count', queue, state, n, NULL::bigint FROM order_counts WHERE queue = ANY($1::text[])`;
    parts.push(part(sql, textArray(counts)));
  }
  if (configs.length > 0) {
    const sql = `SELECT 'config', queue, config, NULL::bigint, NULL::bigint
      FROM queue_configs WHERE queue = ANY($1::text[])`;
    parts.push(part(sql, textArray(configs)));
  }
  return parts;
}

const part = (sql: string, ...values: readonly SqlValue[]): Statement => ({ sql, values, wants: "arrays" });

export type Fact = readonly [sort: string, queue: string, text: string, number: number, other: number | null];

/** False for a row that is no such fact. */
export function takeFact(cells: Cells, found: FoundFacts): boolean {
  const [sort, queue, text, number, other] = cells as Fact;
  switch (sort) {
    case "lane":
      found.lanes.push({ queue, priority: number, tenant: text, turn: other ?? 0 });
      return true;
    case "front":
      found.fronts.push({ queue, priority: number, turn: other ?? 0 });
      return true;
    case "count":
      found.counts.set(queue, { ...(found.counts.get(queue) ?? noOrders), [text]: number });
      return true;
    case "config":
      found.configs.push({ queue, config: JSON.parse(text) as QueueConfig });
      return true;
    default:
      return false;
  }
}
