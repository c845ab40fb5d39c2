import type { Capacity, NewOrder, OrderChange, OrderCounts, QueueConfig } from "../order-records.ts";
import type { OrderEvent } from "../order-events.ts";
import type { OrderRow } from "./row.ts";

/**
 * The seam between the rules of the queue, which are written once and never touch a database, and the databases.
 * All order calls of one commit are one batch: the store loads what they need, the rules decide in memory (which call
 * is refused, which events and rows come out), the store writes the outcome.
 */

/** One call. */
export type OrderJob =
  | { readonly do: "submit"; readonly orders: readonly NewOrder[]; readonly depthLimit?: number }
  | {
      readonly do: "claim";
      readonly queue: string;
      readonly worker: string;
      readonly capacity: Capacity;
      readonly leaseMs: number;
    }
  | { readonly do: "change"; readonly changes: readonly OrderChange[] }
  | { readonly do: "cancel"; readonly id: string; readonly reason: string }
  | { readonly do: "prioritise"; readonly id: string; readonly priority: number }
  | {
      readonly do: "configure";
      readonly queue: string;
      readonly change: {
        readonly paused?: boolean;
        readonly weights?: Readonly<Record<string, number | null>>;
        readonly limits?: QueueLimitsChange;
      };
      readonly by: string;
      readonly reason: string;
    };

export type QueueLimitsChange = Readonly<Record<string, QueueConfig["limits"][string] | null>>;

/** What a batch wants to see before it decides. */
export interface Needs {
  readonly ids: readonly string[];
  readonly uniqueKeys: readonly { readonly queue: string; readonly key: string }[];
  readonly lanes: readonly { readonly queue: string; readonly priority: number; readonly tenant: string }[];
  /** Queues whose counts are asked for. */
  readonly counts: readonly string[];
  /** Queues whose configuration is asked for. */
  readonly configs: readonly string[];
  readonly claims: readonly {
    readonly queue: string;
    readonly capacity: Capacity;
    /** Timed orders that are due by now are loaded too, at most so many. */
    readonly due: number;
    /** Orders submitted within other transactions, at most so many. */
    readonly inbox: number;
  }[];
}

/** What the rules found out they need beside it, from the rows of the first load. */
export interface MoreNeeds {
  /** Followers of these orders: links and rows. */
  readonly followersOf: readonly string[];
  /** State of these limit keys, and up to `parked` orders that wait behind each, best first. */
  readonly limitKeys: readonly { readonly queue: string; readonly key: string; readonly parked: number }[];
  readonly ids: readonly string[];
}

export interface LimitKeyState {
  readonly queue: string;
  readonly key: string;
  /** Orders of the key that wait for room or hold a claim. */
  readonly admitted: number;
  /** Theoretical arrival time of the rate limit (GCRA); 0 when never used. */
  readonly arrivalAt: number;
}

export interface Loaded {
  readonly rows: readonly OrderRow[];
  /** Last turn of a lane, and of the front of its priority; 0 when there is none. */
  readonly lanes: readonly {
    readonly queue: string;
    readonly priority: number;
    readonly tenant: string;
    readonly turn: number;
  }[];
  readonly fronts: readonly { readonly queue: string; readonly priority: number; readonly turn: number }[];
  readonly counts: readonly { readonly queue: string; readonly counts: OrderCounts }[];
  readonly configs: readonly { readonly queue: string; readonly config: QueueConfig }[];
  /** For each claim, in order: candidates best first within their class, and ids of due orders (rows are in `rows`). */
  readonly claims: readonly {
    readonly candidates: readonly string[];
    readonly due: readonly string[];
    readonly inbox: readonly { readonly position: number; readonly order: NewOrder }[];
  }[];
  readonly followers: readonly { readonly of: string; readonly id: string }[];
  readonly limitKeys: readonly LimitKeyState[];
}

/** The outcome of a batch: everything a store has to write, each row once. */
export interface Writes {
  readonly events: readonly { readonly stream: string; readonly event: OrderEvent }[];
  readonly inserted: readonly OrderRow[];
  /** Rows that were there before. */
  readonly updated: readonly OrderRow[];
  readonly lanes: Loaded["lanes"];
  readonly fronts: Loaded["fronts"];
  /** Differences, not totals. */
  readonly counts: readonly { readonly queue: string; readonly state: keyof OrderCounts; readonly by: number }[];
  readonly configs: readonly { readonly queue: string; readonly config: QueueConfig }[];
  readonly links: readonly { readonly of: string; readonly id: string }[];
  readonly limitKeys: readonly LimitKeyState[];
  /** Positions of inbox rows that were taken up or dropped. */
  readonly taken: readonly number[];
  /** Queues with new work, for the bell. */
  readonly ring: readonly string[];
}

export type JobOutcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };
