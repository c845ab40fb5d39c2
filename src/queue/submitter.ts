import { CutoverError, faultPoint, formatDuration, hasCode, untilAborted } from "../core/index.ts";
import type { Capacity, NewOrder } from "../store/index.ts";
import { forCall } from "./calls.ts";
import type { QueueContext } from "./context.ts";
import type { Submitted } from "./queue.ts";
import { fitsHere, newOrder, type Submission, tooLarge } from "./submission.ts";
import { invalid } from "./settings.ts";
import type { WorkerList } from "./worker-list.ts";

/** What a claim asks for that is to take nothing. */
const nothing: Capacity = { slots: 0, memory: 0, max: 0, kinds: [], starts: [], tags: [] };

/** So many are taken up by one claim. */
const takenAtOnce = 500;

/**
 * Makes orders of what was submitted within transactions of others until now, which otherwise the next claims would do. True
 * when there was anything.
 */
export async function takeUpInbox({ store, settings, worker }: QueueContext): Promise<boolean> {
  const untaken = await store.orders.untaken(settings.name);
  for (let left = untaken; left > 0; left -= takenAtOnce)
    await store.orders.claim(settings.name, worker, nothing, settings.leaseMs);
  return untaken > 0;
}

/** Takes orders in. */
export class Submitter {
  readonly #context: QueueContext;
  readonly #workers: WorkerList;
  readonly #submitting: () => void;
  /** How many orders had ended at refusals of the last minute, one a second. */
  #refusals: { readonly at: number; readonly ended: number }[] = [];
  #noting: Promise<void> | undefined;

  /** @param submitting called right before orders are handed to the store */
  constructor(context: QueueContext, workers: WorkerList, submitting: () => void) {
    this.#context = context;
    this.#workers = workers;
    this.#submitting = submitting;
  }

  async submit(orders: readonly Submission[], signal?: AbortSignal): Promise<readonly Submitted[]> {
    const call = forCall(this.#context, signal);
    const submitted = this.#submit(orders, { depthLimit: this.#context.settings.depth }, call);
    // What it asks to refuse them is shared with other calls, which go on.
    return signal === undefined ? submitted : untilAborted(submitted, signal);
  }

  /**
   * The order of a schedule passes the depth: each time has one, and a backlog that another process allows would keep all
   * of them out.
   */
  submitScheduled(order: Submission): Promise<readonly Submitted[]> {
    return this.#submit([order], {}, this.#context);
  }

  async #submit(
    orders: readonly Submission[],
    limits: { readonly depthLimit?: number },
    call: QueueContext,
  ): Promise<readonly Submitted[]> {
    const { store } = call;
    const fresh = this.#checked(orders);
    if (!this.#allFit(fresh)) await this.#refuseTooLarge(fresh, call);
    faultPoint("queue.submit.before-commit");
    try {
      const stored = await this.#send(fresh, (all) => {
        // Asked for before the store gathers what comes in this turn: an idle worker claims in the same commit.
        this.#submitting();
        return store.orders.submit(all, limits);
      });
      faultPoint("queue.submit.after-commit");
      return stored.map((entry) => ({ ...entry.order, fresh: entry.fresh }));
    } catch (error) {
      throw hasCode(error, "CUTOVER_QUEUE_FULL") ? await this.#full(error, orders.length) : error;
    }
  }

  async submitWithin(
    connection: unknown,
    orders: readonly Submission[],
  ): Promise<readonly { readonly id: string }[]> {
    const fresh = this.#checked(orders);
    if (!this.#allFit(fresh)) await this.#refuseTooLarge(fresh, forCall(this.#context));
    await this.#send(fresh, (all) => this.#context.store.orders.submitWithin(connection, all));
    return fresh.map(({ id }) => ({ id }));
  }

  #checked(orders: readonly Submission[]): readonly NewOrder[] {
    const { settings, store } = this.#context;
    try {
      if (!Array.isArray(orders)) throw invalid("orders", "a list of work orders", orders);
      const now = store.clock.now();
      return orders.map((order) => newOrder(order, settings, now));
    } catch (error) {
      this.#context.telemetry?.refused(error);
      throw error;
    }
  }

  #allFit(orders: readonly NewOrder[]): boolean {
    return orders.every((order) => fitsHere(order, this.#context.settings));
  }

  /** Looks at the other workers only when something is too large for this one. */
  async #refuseTooLarge(orders: readonly NewOrder[], call: QueueContext): Promise<void> {
    for (const order of orders) {
      if (fitsHere(order, this.#context.settings) || (await this.#workers.othersMayTake(order, call)))
        continue;
      const error = tooLarge(order, this.#context.settings);
      this.#context.telemetry?.refused(error);
      throw error;
    }
  }

  #send<T>(orders: readonly NewOrder[], store: (orders: readonly NewOrder[]) => Promise<T>): Promise<T> {
    const { telemetry } = this.#context;
    return telemetry === undefined ? store(orders) : telemetry.send(orders, store);
  }

  /** How long until there is room, from what has ended in the last minute: between one poll and a minute. */
  async #full(error: CutoverError, wanted: number): Promise<CutoverError> {
    const { settings } = this.#context;
    if (wanted > settings.depth)
      // However long one waits: it can never be taken in one call.
      return invalid("orders", `at most ${settings.depth} in one call, the depth of this queue`, wanted);
    const { depth, limit } = error.details;
    const over = typeof depth === "number" && typeof limit === "number" ? depth - limit : wanted;
    const retryAfterMs = Math.min(60_000, Math.max(settings.pollMs, await this.#untilEnded(over)));
    return new CutoverError("CUTOVER_QUEUE_FULL", {
      message: `${error.message}; come back in ${formatDuration(retryAfterMs)}`,
      details: { ...error.details, retryAfterMs },
      cause: error,
    });
  }

  /**
   * About how many milliseconds it takes until so many orders have ended. Who submits often does no work itself, so what all
   * workers did since earlier refusals counts too; while nothing ends the answer doubles.
   */
  async #untilEnded(orders: number): Promise<number> {
    const { meter, settings } = this.#context;
    const now = settings.clock.monotonic();
    this.#refusals = this.#refusals.filter(({ at }) => at > now - 60_000).slice(-59);
    // Once a second: a full queue refuses many, and each would have it counted.
    if (now - (this.#refusals.at(-1)?.at ?? -Infinity) >= 1_000)
      await (this.#noting ??= this.#note(now).finally(() => (this.#noting = undefined)));
    const [first, last] = [this.#refusals[0], this.#refusals.at(-1)];
    const waited = first === undefined ? 0 : now - first.at;
    const seen =
      first === undefined || last === undefined || last.at === first.at
        ? 0
        : (last.ended - first.ended) / (last.at - first.at);
    const perMs = Math.max(seen, meter.throughput() / 1_000);
    return Math.ceil(perMs > 0 ? orders / perMs : 2 * waited);
  }

  async #note(at: number): Promise<void> {
    const { store, settings } = forCall(this.#context);
    const { COMPLETED, FAILED, CANCELLED } = await store.orders.counts(settings.name);
    this.#refusals.push({ at, ended: COMPLETED + FAILED + CANCELLED });
  }
}
