import type { QueueConfig } from "../order-records.ts";
import { type Gathered, pair, triple } from "../orders/gathered.ts";
import type { Loaded, Needs, Writes } from "../orders/order-io.ts";
import { noOrders } from "../sql/order-reads.ts";

/** Lanes and queues that are kept in mind; then it begins anew. */
const mostFacts = 10_000;

/**
 * What new orders need to know of their queues, as it was when this process wrote or saw it last. Others may have changed
 * it since: whoever decides on it has the commit make sure.
 */
export class Recollection {
  /** The turn after which the next one of a tenant comes: its last, or how far the turns have been served. */
  readonly #turns = new Map<string, number>();
  readonly #configs = new Map<string, QueueConfig | undefined>();

  note(gathered: Gathered, { lanes, configs }: Pick<Writes, "lanes" | "configs">): void {
    if (this.#turns.size + this.#configs.size > mostFacts) this.forget();
    for (const name of gathered.askedLanes) {
      const [queue = "", priority = ""] = name.split("\0");
      const front = gathered.fronts.get(pair(queue, priority)) ?? 0;
      this.#turns.set(name, Math.max(front, gathered.lanes.get(name) ?? 0));
    }
    for (const { queue, priority, tenant, turn } of lanes)
      this.#turns.set(triple(queue, priority, tenant), turn);
    for (const queue of gathered.askedConfigs) this.#configs.set(queue, gathered.configs.get(queue));
    for (const { queue, config } of configs) this.#configs.set(queue, config);
  }

  forget(): void {
    this.#turns.clear();
    this.#configs.clear();
  }

  /** Nothing is known of ids, unique keys and how many orders there are: they are taken to be free and none. */
  recall({ lanes, configs, counts }: Needs): Loaded | undefined {
    const known: Loaded["lanes"][number][] = [];
    for (const { queue, priority, tenant } of lanes) {
      const turn = this.#turns.get(triple(queue, priority, tenant));
      if (turn === undefined) return undefined;
      known.push({ queue, priority, tenant, turn });
    }
    const configured: Loaded["configs"][number][] = [];
    for (const queue of configs) {
      if (!this.#configs.has(queue)) return undefined;
      const config = this.#configs.get(queue);
      if (config !== undefined) configured.push({ queue, config });
    }
    return {
      rows: [],
      lanes: known,
      fronts: [],
      counts: counts.map((queue) => ({ queue, counts: noOrders })),
      configs: configured,
      claims: [],
      followers: [],
      limitKeys: [],
      inbox: [],
    };
  }
}
