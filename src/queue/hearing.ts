import type { CancelRequest, LostTail, OrdersTold, OrdersTransition, StoredEvent } from "../store/index.ts";
import type { QueueContext } from "./context.ts";

/** What a queue wants to hear of. */
export interface Listener {
  /** There may be something to claim; `others`: another process wrote it. */
  work(others: boolean): void;
  /** An order has ended, in whatever way. */
  finished(id: string): void;
  /** Somebody asked for the end of an order. */
  cancelAsked(id: string, reason: string): void;
  /** The store has lost events, claims and requests to cancel among them: what is held has to be looked at again. */
  tailLost(): Promise<void>;
}

/** Requests read in one go; more come with the next look. */
const pageSize = 200;

/**
 * What the store tells of this queue: at once what this process committed, or any process where the store can hear of
 * others. `catchUp` is the net below for requests to cancel: the worker that runs the order may be another process.
 */
export class Hearing {
  readonly #context: QueueContext;
  readonly #listener: Listener;
  readonly #stream: string;
  readonly #stop: readonly (() => void)[];
  /** Everything up to here was looked at. */
  #seq = 0;
  #lost: LostTail | undefined;

  constructor(context: QueueContext, listener: Listener) {
    const { store, settings } = context;
    this.#context = context;
    this.#listener = listener;
    this.#stream = `queue:${settings.name}`;
    this.#stop = [
      // Requests to cancel come all the same, and ends of others are followed while somebody waits for one.
      store.events.subscribe((events) => this.#hear(events), { others: false }),
      store.orders.onWork((queue, others) => {
        if (queue === settings.name) listener.work(others);
      }),
    ];
  }

  /** Everything until now is of no concern: what is held later is claimed with its marks. */
  async begin(): Promise<void> {
    this.#seq = await this.#context.store.events.count();
  }

  /** Looks for requests to cancel that nobody told of. */
  async catchUp(): Promise<void> {
    const { events, lostTail } = this.#context.store;
    if (lostTail !== undefined && lostTail !== this.#lost) {
      await this.#listener.tailLost();
      this.#seq = Math.min(this.#seq, lostTail.kept);
      this.#lost = lostTail;
    }
    const head = await events.count();
    this.#seq = Math.min(this.#seq, head);
    const types = ["orders.cancel-requested"];
    const page = await events.read({ stream: this.#stream, types, after: this.#seq, limit: pageSize });
    this.#hear(page);
    this.#seq = page.length < pageSize ? Math.max(head, this.#seq) : (page.at(-1)?.seq ?? head);
  }

  stop(): void {
    for (const stop of this.#stop) stop();
  }

  #hear(events: readonly StoredEvent[]): void {
    for (const { stream, type, data } of events) {
      if (stream !== this.#stream) continue;
      if (type === "orders.transition") {
        // Not put together: thousands a second come by here, and only their state is of interest.
        const { every, orders } = data as unknown as OrdersTransition;
        for (const { id, to = every?.to } of orders) {
          if (to === "COMPLETED" || to === "FAILED" || to === "CANCELLED") this.#listener.finished(id);
        }
      } else if (type === "orders.cancel-requested") {
        const { every, orders } = data as unknown as OrdersTold<CancelRequest>;
        for (const { id, reason = every?.reason ?? "" } of orders) this.#listener.cancelAsked(id, reason);
      }
    }
  }
}
