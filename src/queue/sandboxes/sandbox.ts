import type { Json, JsonObject, Log } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";

/** What the work gets beside its order. */
export interface WorkTools {
  /**
   * Aborts when the work must end: cancelled, out of time, queue stopping, claim lost. The reason is a
   * CutoverError that says which. The work has the grace time to return; then it is ended or left behind.
   */
  readonly signal: AbortSignal;
  /**
   * Grows with every claim of this order. A place outside that keeps the highest fence it saw can refuse a
   * late write of an earlier claim.
   */
  readonly fence: number;
  /** The same for every attempt of this order: what an outside effect is made idempotent by. */
  readonly idempotencyKey: string;
  /** This attempt, from 1. */
  readonly attempt: number;
  /** Stores how far the work is. Kept at most once a second; the last one always. */
  readonly progress: (state: JsonObject) => void;
  readonly log: Log;
}

/** What an attempt took. `maxRss` in bytes. */
export type Usage = NonNullable<OrderRecord["usage"]>;

/** Where work runs. One provider each for functions, programs, containers, other machines. */
export interface Sandbox {
  /** Persisted with each order, so that after a crash the right provider looks for its work. */
  readonly provider: string;
  /** True when `prepare` does nothing that could fail or take time: such orders are claimed and started in one commit. */
  readonly instant?: boolean;
  /** Makes ready; nothing of the work runs yet. What it throws is a failed attempt. */
  prepare(order: OrderRecord, tools: WorkTools): Promise<Execution>;
  /**
   * The work of an order whose worker is gone, if any of it still runs. Rejects with CUTOVER_SANDBOX_UNAVAILABLE when
   * nobody can tell now: the order must then not go on yet, and is looked at again later.
   */
  findOrphan(order: OrderRecord): Orphan | undefined | Promise<Orphan | undefined>;
  /** How much work was left behind because it could not be ended, and still runs: health warns of it. */
  leftBehind?(): number;
  /** Lets go of what is kept ready between orders, e.g. warm threads. It may be used again afterwards. */
  close?(): Promise<void>;
}

/** One attempt inside a sandbox. */
export interface Execution {
  /**
   * Runs the work and settles with its result. `attach` stores what finds the work again after a crash; when it
   * rejects, the claim is lost and the work must end.
   */
  run(attach: (trace: JsonObject) => Promise<void>): Promise<Json | undefined>;
  /** Ends the work: asks, waits up to `graceMs`, then forces. Resolves when nothing of it runs any more, or it cannot be forced. */
  cancel(graceMs: number): Promise<void>;
  /** Frees what `prepare` took, after the work ended in whatever way. */
  cleanup(): Promise<void>;
  /** What the attempt took, asked after `cleanup`; undefined when nobody could tell. */
  usage?(): Usage | undefined;
}

export interface Orphan {
  /** For the record: `process group 4711`. */
  readonly description: string;
  /** Asks, waits up to `graceMs`, then forces. */
  end(graceMs: number): Promise<void>;
}
