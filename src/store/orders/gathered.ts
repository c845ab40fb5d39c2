import type { OrderCounts, QueueConfig } from "../order-records.ts";
import type { ClaimFound, InboxOrder, LimitKeyState, Loaded, Needs, OrderJob } from "./order-io.ts";
import type { OrderRow } from "./row.ts";

/** Two names as one key of a map. A NUL stands in neither. */
export const pair = (queue: string, name: string | number): string => `${queue}\0${name}`;
export const triple = (queue: string, priority: number, tenant: string): string =>
  `${queue}\0${priority}\0${tenant}`;

/** Everything the rounds of loading brought, and what was asked: not found is not the same as not looked for. */
export class Gathered {
  readonly rows: Map<string, OrderRow> = new Map();
  readonly lanes: Map<string, number> = new Map();
  readonly fronts: Map<string, number> = new Map();
  readonly counts: Map<string, OrderCounts> = new Map();
  readonly configs: Map<string, QueueConfig> = new Map();
  readonly claims: Map<OrderJob, ClaimFound> = new Map();
  readonly followers: Map<string, string[]> = new Map();
  readonly limitKeys: Map<string, LimitKeyState> = new Map();
  readonly inbox: Map<number, InboxOrder> = new Map();
  readonly askedIds: Set<string> = new Set();
  readonly askedInbox: Set<string> = new Set();
  readonly askedLanes: Set<string> = new Set();
  readonly askedConfigs: Set<string> = new Set();
  readonly askedKeys: Set<string> = new Set();
  readonly askedUnique: Set<string> = new Set();

  /** `claims`: the jobs behind `needs.claims`. */
  add(needs: Needs, found: Loaded, claims: readonly OrderJob[] = []): void {
    for (const row of found.rows) this.rows.set(row.id, row);
    for (const lane of found.lanes) this.lanes.set(triple(lane.queue, lane.priority, lane.tenant), lane.turn);
    for (const front of found.fronts) this.fronts.set(pair(front.queue, front.priority), front.turn);
    for (const { queue, counts } of found.counts) this.counts.set(queue, counts);
    for (const { queue, config } of found.configs) this.configs.set(queue, config);
    for (const key of found.limitKeys) {
      this.limitKeys.set(pair(key.queue, key.key), key);
      this.askedKeys.add(pair(key.queue, key.key));
    }
    for (const entry of found.inbox) this.inbox.set(entry.position, entry);
    found.claims.forEach((claim, index) => {
      const job = claims[index];
      if (job !== undefined) this.claims.set(job, claim);
      for (const entry of claim.inbox) this.inbox.set(entry.position, entry);
    });
    for (const id of needs.followersOf) this.followers.set(id, []);
    for (const { of, id } of found.followers) this.followers.get(of)?.push(id);
    for (const id of needs.ids) this.askedIds.add(id);
    for (const id of needs.inboxIds) this.askedInbox.add(id);
    for (const lane of needs.lanes) this.askedLanes.add(triple(lane.queue, lane.priority, lane.tenant));
    for (const queue of needs.configs) this.askedConfigs.add(queue);
    for (const { queue, key } of needs.uniqueKeys) this.askedUnique.add(pair(queue, key));
    for (const { queue, key } of needs.limitKeys) this.askedKeys.add(pair(queue, key));
  }
}
