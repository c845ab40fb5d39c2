import type {
  Clock,
  Interval,
  JsonObject,
  MismatchSample,
  RouteDeclaration,
  RouteState,
} from "../core/index.ts";
import type { OrderStore } from "./order-records.ts";
import type { RowDifference } from "./replayed-rows.ts";
import type { RunEvent, RouteChange, RunState, StoredEvent } from "./run-events.ts";
import type {
  ApprovalRecord,
  EvidenceRecord,
  IncidentRecord,
  PhaseRecord,
  RunRecord,
  StepRecord,
  VerdictRecord,
} from "./run-records.ts";

/**
 * Where everything durable lives. One interface, one contract suite (`cutover/testing`), one answer per database.
 * All writes of one tick are committed together; a returned promise resolves after the commit.
 */
export interface Store extends AsyncDisposable {
  readonly runs: RunStore;
  readonly routes: RouteStore;
  readonly orders: OrderStore;
  readonly events: EventLog;
  /**
   * The time of the record: of leases, due times and events. For SQLite the clock it was opened with; for PostgreSQL the
   * server's time, carried on by this machine's monotonic clock, so that a wall clock that jumps moves nothing.
   */
  readonly clock: Clock;
  /** What kind of store and where, for people: `sqlite .cutover/cutover.db`. */
  readonly description: string;
  /** How another thread or process of this machine gets to the same rows; undefined when it cannot (memory). */
  readonly reach?: StoreReach | undefined;
  /**
   * Set when the database turns out not to have what this process has committed to it: it was restored, or failed over to a
   * server that never got the last of it (PostgreSQL). The newest such find; a new object for each.
   */
  readonly lostTail?: LostTail | undefined;
  /**
   * Rebuilds all projections of runs, routes and orders from the events, each of which is held against the chain.
   * One transaction: readers see the old rows until it commits, other writes wait. On SQLite it blocks this thread.
   * @throws CUTOVER_AUDIT_BROKEN naming the first event that was changed, removed or put in; all rows stay as they are
   */
  rebuild(options?: RebuildOptions): Promise<{ readonly events: number }>;
  close(): Promise<void>;
}

/** Events that were committed, and are not in the log. */
export interface LostTail {
  /** Where the log ended when it was found out. */
  readonly head: number;
  /** The newest event that this process had seen and that is still there. */
  readonly kept: number;
  /** The last event that this process had committed; null where it had only heard of what is gone. */
  readonly missing: number | null;
  /** When, by the clock of the store. */
  readonly at: number;
}

/** `path` is a file; `url` and `schema` are those the store was opened with. */
export type StoreReach =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: string; readonly schema: string };

export interface EventLog {
  /** Events after `after`, oldest first: of one stream or of all, of these types or of all. */
  read(query: {
    readonly stream?: string;
    readonly types?: readonly string[];
    readonly after?: number;
    readonly limit: number;
  }): Promise<readonly StoredEvent[]>;
  /**
   * Walks the whole chain, then holds the rows of routes, runs and orders against what the events make of them. `brokenAt` is
   * the first event that does not fit, or the one that a row, which then is named, should tell of. Others may write meanwhile.
   * Orders are made anew in a scratch file in the folder for temporary files, about as large as they are.
   * @throws the reason of `signal` when it aborts; CUTOVER_STORE_FULL when there is no room for the scratch file
   */
  verify(of?: VerifyOptions): Promise<ChainReport>;
  count(): Promise<number>;
  /**
   * Calls `listener` after each commit with its events; returns the way to stop. Commits of this process are told at
   * once; those of others are told too where the store can hear of them (PostgreSQL), each event once.
   * @param options `others`: false for a listener that of other processes needs to hear only of changed routes, decisions that
   * are asked for and orders that are to end; it may hear of more while somebody here follows them. Default true.
   */
  subscribe(
    listener: (events: readonly StoredEvent[]) => void,
    options?: { readonly others?: boolean },
  ): () => void;
  /**
   * Follows what other processes commit until it is called off, so that all listeners hear of it soon. Where nobody does,
   * its events are not even read: of a hundred workers each would read what all the others do.
   */
  follow(): () => void;
}

export interface VerifyOptions {
  /** The events and rows of this run alone, as far as they hold together by themselves; `events` and `head` are its own then. */
  readonly run?: string;
  /** Whether the rows of orders are compared, which takes some 100 µs for each. Default true. */
  readonly orders?: boolean;
  /** Called every few milliseconds: how many events have been walked, then how many orders compared, of about how many. */
  readonly onProgress?: (progress: {
    readonly part: "events" | "orders";
    readonly done: number;
    readonly of: number;
  }) => void;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

export interface RebuildOptions {
  /**
   * Called after every 200 events: how many have been replayed, of how many. On SQLite while this thread is blocked: what it
   * writes to a terminal or stderr is seen, what waits for a later turn is not.
   */
  readonly onProgress?: (progress: { readonly done: number; readonly of: number }) => void;
}

export type ChainReport =
  | { readonly whole: true; readonly events: number; readonly head: string }
  | {
      readonly whole: false;
      readonly events: number;
      readonly brokenAt: number;
      readonly reason: string;
      /** Set where all events fit, and a row does not follow from them. */
      readonly row?: RowDifference;
    };

export interface RunStore {
  /**
   * Appends events of one run, and the rows they change, in one transaction.
   * `fence`: refused with CUTOVER_LEASE_LOST unless the run's fence is exactly this.
   * `state`: refused with CUTOVER_STORE_CONFLICT unless the run is in this state.
   */
  commit(
    run: string,
    events: readonly RunEvent[],
    guard?: { readonly fence?: number; readonly state?: RunState },
  ): Promise<readonly StoredEvent[]>;
  /**
   * Takes the run for `owner` until `leaseMs` from now: fence grows by one. Refused with CUTOVER_STORE_OWNED while
   * another owner's lease is valid, unless that owner is listed in `dead` (its process is known to be gone).
   */
  claim(
    run: string,
    owner: string,
    leaseMs: number,
    dead?: "same-machine",
  ): Promise<{ readonly fence: number }>;
  /** False when the lease was lost. */
  renew(run: string, owner: string, fence: number, leaseMs: number): Promise<boolean>;
  release(run: string, owner: string, fence: number): Promise<void>;
  /** The newest lease of a run; it is over when `until` is not after `store.clock.now()`. Undefined when there was none. */
  lease(run: string): Promise<{ readonly owner: string; readonly until: number } | undefined>;
  get(run: string): Promise<RunRecord | undefined>;
  /** The graph a run was created with, or redefined to since. Apart from the run: 10,000 steps are 2 MB to parse. */
  graph(run: string): Promise<JsonObject | undefined>;
  /** Newest first. */
  list(query?: {
    readonly migration?: string;
    readonly states?: readonly RunState[];
  }): Promise<readonly RunRecord[]>;
  phases(run: string): Promise<readonly PhaseRecord[]>;
  steps(run: string): Promise<readonly StepRecord[]>;
  evidence(run: string): Promise<readonly EvidenceRecord[]>;
  verdicts(run: string): Promise<readonly VerdictRecord[]>;
  approvals(run: string): Promise<readonly ApprovalRecord[]>;
  incidents(run?: string): Promise<readonly IncidentRecord[]>;
}

/** A declaration lives so long after it was made or repeated; whoever speaks for doors repeats it three times in it. */
export const declarationLifeMs = 30_000;

export interface RouteStore {
  get(route: string): Promise<RouteState | undefined>;
  list(): Promise<readonly RouteState[]>;
  /**
   * Compare-and-set. `epoch` is the one the caller saw, 0 for a route not stored yet.
   * With `run`, the `route.changed` event belongs to that run and its fence is checked too.
   * @throws CUTOVER_ROUTE_EPOCH when the stored epoch differs.
   */
  set(
    change: {
      readonly route: string;
      readonly epoch: number;
      readonly stage: RouteState["stage"];
      readonly share: number;
      readonly by: string;
      readonly reason?: string;
    },
    run?: { readonly id: string; readonly fence: number },
  ): Promise<RouteState>;
  changes(route: string): Promise<readonly (RouteChange & { readonly at: number })[]>;
  /** Stores intervals; one whose id is known is dropped. Not part of the event chain. Resolves with the number stored. */
  recordIntervals(intervals: readonly Interval[]): Promise<number>;
  /** Intervals that ended after `since`, oldest first, of one route or of all. */
  intervals(query: { readonly route?: string; readonly since: number }): Promise<readonly Interval[]>;
  /**
   * Intervals of a route in the order in which they were stored: also those of a door that could only report late, or
   * whose clock was set back. `after` is a `position` of this process, 0 for all; those that ended by `since` are left out.
   */
  arrivals(query: {
    readonly route: string;
    readonly after: number;
    readonly since: number;
  }): Promise<{ readonly intervals: readonly Interval[]; readonly position: number }>;
  /**
   * Keeps what living doors declare, for processes they do not speak to. Declarations that differ in their door alone are
   * one. To be repeated while the doors live: what nobody repeated for `declarationLifeMs` is forgotten. Not in the chain.
   */
  declare(declarations: readonly RouteDeclaration[]): Promise<void>;
  /** Declarations, of one route or of all, that were made or repeated at or after `since` of the store's clock. */
  declarations(query: {
    readonly route?: string;
    readonly since: number;
  }): Promise<readonly RouteDeclaration[]>;
  /** Keeps at most 200 samples per route, newest. */
  recordMismatches(samples: readonly MismatchSample[]): Promise<void>;
  mismatches(route: string): Promise<readonly MismatchSample[]>;
}
