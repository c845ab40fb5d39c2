import { canonicalJson } from "../../core/index.ts";
import { type Gathered, triple } from "../orders/gathered.ts";
import type { Needs, OrderJob, Writes } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { noTurn } from "../orders/turns.ts";
import type { SqlValue } from "../sql/program.ts";
import { jsonArray, numberArray, textArray } from "./arrays.ts";
import { clockMs, isFree, nothingElse } from "./foreseen-commit.ts";
import { stillHeld } from "./known-orders.ts";
import { type Offer, stillOffered } from "./offers.ts";
import { clockNow } from "./server-clock.ts";

/** Calls that were decided without the end of the chain. */
export interface Decided {
  readonly needs: Needs;
  readonly known: readonly OrderRow[];
  readonly jobs: readonly OrderJob[];
  readonly gathered: Gathered;
  readonly writes: Writes;
  readonly now: number;
  /** Undefined when it is decided on what is remembered. */
  readonly xact: string | undefined;
  /** Whether the time is to be held against the server's. */
  readonly timed: boolean;
  /** What is claimed was only told of. */
  readonly offer?: Offer;
}

type Place = (value: SqlValue) => string;

/**
 * What was seen without the lock, and has to be so still. Its text does not depend on how many lanes and queues there are,
 * but on whether there is one: each text is kept.
 * @param place stands for a value
 */
export function conditionsOf(decided: Decided, place: Place): readonly string[] {
  const { needs, known, gathered, now, timed } = decided;
  const where = ["NOT EXISTS (SELECT FROM events WHERE events.seq > chain_head.seq)"];
  if (timed) where.push(`abs(${clockNow} - ${place(now)}::bigint) <= ${clockMs}`);
  const fresh = needs.ids.filter((id) => !gathered.rows.has(id));
  where.push(...isFree({ ids: fresh, uniqueKeys: needs.uniqueKeys, claims: [] }, place));
  if (known.length > 0) where.push(stillHeld(known, place));
  where.push(...configuredAlike(decided, place), ...turnsToCome(decided, place));
  where.push(...roomIn(depthsOf(decided.jobs), place), ...offered(decided, place));
  return where;
}

function offered({ offer, needs, now }: Decided, place: Place): readonly string[] {
  if (offer === undefined) return [];
  const kinds = needs.claims.flatMap(({ capacity }) => capacity.kinds);
  return [...stillOffered(offer, kinds, place), ...nothingElse(needs.claims, now, place)];
}

function configuredAlike({ needs, gathered }: Decided, place: Place): readonly string[] {
  const { configs } = needs;
  const texts = configs.map((queue) => {
    const config = gathered.configs.get(queue);
    return config === undefined ? null : canonicalJson(config);
  });
  const [queue] = configs;
  if (queue === undefined) return [];
  if (configs.length > 1)
    return [
      `NOT EXISTS (SELECT FROM unnest(${place(textArray(configs))}::text[],
          string_to_array(${place(jsonArray(texts))}::text, E'\\x1e', E'\\x1f')) AS asked (queue, config)
        LEFT JOIN queue_configs AS known ON known.queue = asked.queue
        WHERE known.config IS DISTINCT FROM asked.config)`,
    ];
  const [text] = texts;
  const asked = `queue = ${place(queue)}::text`;
  return typeof text === "string"
    ? [`EXISTS (SELECT FROM queue_configs WHERE ${asked} AND config = ${place(text)}::text)`]
    : [`NOT EXISTS (SELECT FROM queue_configs WHERE ${asked})`];
}

/** A turn that was served already would stand in front of all others; one that is remembered may be long over. */
function turnsToCome({ writes, gathered, xact }: Decided, place: Place): readonly string[] {
  const firsts = new Map<string, number>();
  for (const { queue, priority, tenant, turn } of writes.inserted) {
    if (turn === noTurn) continue;
    const name = triple(queue, priority, tenant);
    firsts.set(name, Math.min(turn, firsts.get(name) ?? turn));
  }
  const lanes = writes.lanes.map(({ queue, priority, tenant, turn }) => {
    const name = triple(queue, priority, tenant);
    const after = xact === undefined ? (gathered.lanes.get(name) ?? 0) : (firsts.get(name) ?? turn) - 1;
    return { queue, priority, tenant, after };
  });
  const [alone] = lanes;
  if (alone === undefined) return [];
  if (lanes.length === 1) {
    const asked = `queue = ${place(alone.queue)}::text AND priority = ${place(alone.priority)}::bigint`;
    const after = place(alone.after);
    const where = [`NOT EXISTS (SELECT FROM order_fronts WHERE ${asked} AND turn > ${after}::bigint)`];
    if (xact === undefined)
      where.push(`NOT EXISTS (SELECT FROM order_lanes WHERE ${asked} AND tenant = ${place(alone.tenant)}::text
        AND turn > ${after}::bigint)`);
    return where;
  }
  const asked = `unnest(${place(textArray(lanes.map(({ queue }) => queue)))}::text[],
    ${place(numberArray(lanes.map(({ priority }) => priority)))}::bigint[],
    ${place(textArray(lanes.map(({ tenant }) => tenant)))}::text[],
    ${place(numberArray(lanes.map(({ after }) => after)))}::bigint[]) AS asked (queue, priority, tenant, turn)`;
  const where = [
    `NOT EXISTS (SELECT FROM ${asked} JOIN order_fronts AS front USING (queue, priority)
      WHERE front.turn > asked.turn)`,
  ];
  if (xact === undefined)
    where.push(`NOT EXISTS (SELECT FROM ${asked} JOIN order_lanes AS lane USING (queue, priority, tenant)
      WHERE lane.turn > asked.turn)`);
  return where;
}

interface Depth {
  readonly limit: number;
  readonly count: number;
}

function roomIn(depths: ReadonlyMap<string, Depth>, place: Place): readonly string[] {
  const open = `coalesce(sum(n), 0) FROM order_counts
    WHERE state IN ('PENDING', 'PREPARING', 'RUNNING', 'WAITING_RETRY')`;
  const [alone] = depths;
  if (alone === undefined) return [];
  if (depths.size === 1) {
    const [queue, { limit, count }] = alone;
    return [
      `(SELECT ${open} AND queue = ${place(queue)}::text) + ${place(count)}::bigint <= ${place(limit)}::bigint`,
    ];
  }
  const all = [...depths.values()];
  return [
    `NOT EXISTS (SELECT FROM unnest(${place(textArray([...depths.keys()]))}::text[],
        ${place(numberArray(all.map(({ count }) => count)))}::bigint[],
        ${place(numberArray(all.map(({ limit }) => limit)))}::bigint[]) AS asked (queue, count, most)
      WHERE (SELECT ${open} AND order_counts.queue = asked.queue) + asked.count > asked.most)`,
  ];
}

/** Of each queue with a limit: the smallest one, and how many orders are handed in. */
function depthsOf(jobs: readonly OrderJob[]): ReadonlyMap<string, Depth> {
  const depths = new Map<string, Depth>();
  for (const job of jobs) {
    if (job.do !== "submit" || job.depthLimit === undefined) continue;
    for (const { queue } of job.orders) {
      const depth = depths.get(queue) ?? { limit: job.depthLimit, count: 0 };
      depths.set(queue, { limit: Math.min(depth.limit, job.depthLimit), count: depth.count + 1 });
    }
  }
  return depths;
}
