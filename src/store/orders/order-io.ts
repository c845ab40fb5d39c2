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
      /** The fence is this at least: of a server whose chain may have lost claims with the fences below. Default 0. */
      readonly leastFence?: number;
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
    }
  /** Lets in what the limits of these keys have room for; part of a rebuild. */
  | { readonly do: "settle"; readonly queue: string; readonly keys: readonly string[] };

export type QueueLimitsChange = Readonly<Record<string, QueueConfig["limits"][string] | null>>;

/**
 * What the rules want to see next. Asked for in rounds (see `gather`): the first has what the calls name themselves and
 * is the only one on the usual way; later ones have what the rows of the round before led to. A store skips what is empty.
 */
export interface Needs {
  readonly ids: readonly string[];
  /** Of these, rows whose lease decides: nobody may renew it before the commit, not even outside of the chain. */
  readonly leasesOf?: readonly string[];
  readonly uniqueKeys: readonly { readonly queue: string; readonly key: string }[];
  /** Lanes, and the front of each lane's priority. */
  readonly lanes: readonly { readonly queue: string; readonly priority: number; readonly tenant: string }[];
  /** Queues whose counts are asked for. */
  readonly counts: readonly string[];
  /** Queues whose configuration is asked for. */
  readonly configs: readonly string[];
  readonly claims: readonly ClaimNeeds[];
  /** Followers of these orders, links and rows: the first `mostFollowers` links of each, by id. */
  readonly followersOf: readonly string[];
  /**
   * State of these limit keys. Of each: the `rows` best orders that wait for the limit, the `rows` worst that wait for
   * room, and the ones that wait for the time of the key (`waits` time and `due_at` after `run_at`). The key `"*"`
   * stands for the first `rows` keys of the queue that have waiting orders, with `spareRows` rows each.
   */
  readonly limitKeys: readonly { readonly queue: string; readonly key: string; readonly rows: number }[];
  /** Orders submitted within other transactions, by id. */
  readonly inboxIds: readonly string[];
}

export interface ClaimNeeds {
  readonly queue: string;
  /** `max` is how many candidates of a class are wanted: more than the claim takes, since others of the batch go first. */
  readonly capacity: Capacity;
  /** At most so many orders whose `due_at` is not after now, earliest first; fewer when they are long. */
  readonly due: number;
  /** At most so many orders submitted within other transactions; fewer when they are long. */
  readonly inbox: number;
  /** At most so many ended orders that are still `followed`: telling their followers was more than one commit takes. */
  readonly untold: number;
}

/** Orders of a limit key that are loaded beside as many as the batch itself may move. */
export const spareRows = 32;

/** Links that are followed in one commit from one order; the rest is done with the next claims. */
export const mostFollowers = 1_000;

export interface LimitKeyState {
  readonly queue: string;
  readonly key: string;
  /** Orders of the key that wait for room, hold a claim, or wait for the key's next time. */
  readonly admitted: number;
  /** Theoretical arrival time of the rate limit (GCRA) after the last beginning, with fractions of a ms; 0 when never used. */
  readonly arrivalAt: number;
}

/** What was found; members of a round that asked for nothing of the kind are empty. */
export interface Loaded {
  /** Each row once, whatever it was asked for. */
  readonly rows: readonly OrderRow[];
  /** Last turn of a lane; lanes and fronts that do not exist are left out. */
  readonly lanes: readonly LaneTurn[];
  readonly fronts: readonly FrontTurn[];
  readonly counts: readonly { readonly queue: string; readonly counts: OrderCounts }[];
  /** Queues that were never configured are left out. */
  readonly configs: readonly { readonly queue: string; readonly config: QueueConfig }[];
  /** For each claim, in order; their rows are in `rows`. */
  readonly claims: readonly ClaimFound[];
  readonly followers: readonly OrderLink[];
  /** Keys that were never used are left out. */
  readonly limitKeys: readonly LimitKeyState[];
  readonly inbox: readonly InboxOrder[];
}

export interface ClaimFound {
  /** PENDING orders that wait for room and may fit: of each kind, tags and size class the best ones. */
  readonly candidates: readonly string[];
  readonly due: readonly string[];
  readonly inbox: readonly InboxOrder[];
  readonly untold: readonly string[];
}

export interface LaneTurn {
  readonly queue: string;
  readonly priority: number;
  readonly tenant: string;
  readonly turn: number;
}

export interface FrontTurn {
  readonly queue: string;
  readonly priority: number;
  readonly turn: number;
}

/** `id` waits for `of`. */
export interface OrderLink {
  readonly of: string;
  readonly id: string;
}

export interface InboxOrder {
  readonly position: number;
  readonly order: NewOrder;
}

/** The outcome of a batch: everything a store has to write, each row once. */
export interface Writes {
  /** Positions `nextSeq`, `nextSeq` + 1, … */
  readonly events: readonly { readonly stream: string; readonly event: OrderEvent }[];
  readonly inserted: readonly OrderRow[];
  /** Rows that were there before: as they were loaded, and as they are now. Unique keys that were given up come first. */
  readonly updated: readonly { readonly before: OrderRow; readonly row: OrderRow }[];
  readonly lanes: readonly LaneTurn[];
  /** Kept when the stored one is further on. Lanes of the priority that lie at or behind it go. */
  readonly fronts: readonly FrontTurn[];
  /** Differences, not totals. */
  readonly counts: readonly {
    readonly queue: string;
    readonly state: keyof OrderCounts;
    readonly by: number;
  }[];
  readonly configs: readonly { readonly queue: string; readonly config: QueueConfig }[];
  readonly links: readonly OrderLink[];
  readonly unlinked: readonly OrderLink[];
  readonly limitKeys: readonly LimitKeyState[];
  /** Positions of inbox rows that were taken up or dropped. */
  readonly taken: readonly number[];
  /** Queues with new work, for the bell. */
  readonly ring: readonly string[];
}

export type JobOutcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };
