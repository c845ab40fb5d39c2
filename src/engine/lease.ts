import { asError, type Clock, CutoverError, faultPoint, type Timer } from "../core/index.ts";
import type { Store } from "../store/index.ts";

export interface LeaseParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly run: string;
  readonly owner: string;
  readonly fence: number;
  readonly leaseMs: number;
  /** Monotonic time just before the claim was sent: the lease cannot end earlier than `leaseMs` after it. */
  readonly claimedAt: number;
  /** Called once, before the lease can end: work must stop, nothing may be written. */
  readonly onLost: (error: Error) => void;
}

/** Renewed when a third of it is over; given up when a fifth is left. */
const renewAfter = 1 / 3;
const marginPart = 1 / 5;

/**
 * Keeps a run's lease. The local limit is counted on the monotonic clock from before a renewal was sent, so it
 * lies before the store's limit whatever the two clocks show.
 */
export class Lease {
  readonly #parts: LeaseParts;
  #limit: number;
  /** When the renewal was sent that is not answered yet; monotonic. */
  #askedAt: number | undefined;
  #heartbeat: Timer | undefined;
  #alarm: Timer | undefined;
  #ended = false;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.#limit = this.#limitFrom(parts.claimedAt);
    this.#arm();
  }

  /** Stops renewing and gives the run free; a lease that was lost is left alone. */
  async release(): Promise<void> {
    const { store, run, owner, fence } = this.#parts;
    if (this.#ended) return;
    this.#end();
    await store.runs.release(run, owner, fence);
  }

  /** Stops renewing without a word to the store. */
  abandon(): void {
    this.#end();
  }

  #limitFrom(sentAt: number): number {
    return sentAt + this.#parts.leaseMs * (1 - marginPart);
  }

  #arm(): void {
    const { clock, leaseMs } = this.#parts;
    this.#heartbeat = clock.after(leaseMs * renewAfter, () => void this.#renew());
    this.#alarm?.cancel();
    this.#alarm = clock.after(Math.max(0, this.#limit - clock.monotonic()), () => this.#atLimit());
  }

  async #renew(): Promise<void> {
    const { store, clock, run, owner, fence, leaseMs } = this.#parts;
    const sentAt = clock.monotonic();
    this.#askedAt = sentAt;
    try {
      faultPoint("engine.lease.before-renew");
      const held = await store.runs.renew(run, owner, fence, leaseMs);
      faultPoint("engine.lease.after-renew");
      if (this.#ended) return;
      this.#askedAt = undefined;
      if (!held) return this.#lose("expected to hold it, found it held by another owner");
      this.#limit = this.#limitFrom(sentAt);
      this.#arm();
    } catch (thrown) {
      if (!this.#ended) this.#lose(`it could not be renewed: ${asError(thrown).message}`, thrown);
    }
  }

  #atLimit(): void {
    const { clock, leaseMs } = this.#parts;
    // A timer this late means the event loop was blocked: nothing ran that could have been stopped, and every write
    // is fenced. The renewal that is due now decides whether somebody else has the run.
    const margin = leaseMs * marginPart;
    const now = clock.monotonic();
    const late = now - this.#limit;
    if (late > margin) {
      this.#alarm = clock.after(margin, () => this.#lose("its renewal is not answered"));
      return;
    }
    // The same, but for less long: the renewal has only just gone out, as it was held up too. The lease itself ends a margin
    // after the limit, so there is time for its answer.
    if (this.#askedAt !== undefined && now - this.#askedAt < margin / 2 && late < margin / 2) {
      this.#alarm = clock.after(margin / 2 - late, () => this.#lose("it could not be renewed in time"));
      return;
    }
    this.#lose("it could not be renewed in time");
  }

  #lose(why: string, cause?: unknown): void {
    if (this.#ended) return;
    this.#end();
    const { run, owner, fence, onLost } = this.#parts;
    onLost(
      new CutoverError("CUTOVER_LEASE_LOST", {
        message: `the lease of run ${run} is lost: ${why}`,
        details: { run, owner, fence },
        place: `run ${run}`,
        cause,
      }),
    );
  }

  #end(): void {
    this.#ended = true;
    this.#heartbeat?.cancel();
    this.#alarm?.cancel();
  }
}
