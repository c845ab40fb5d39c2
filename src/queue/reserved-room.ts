import { hasCode } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { viewBacklog } from "./backlog.ts";
import type { Use } from "./capacity.ts";
import { type QueueContext, sendOutside } from "./context.ts";
import { errorRecord } from "./failure.ts";
import { tooLarge } from "./submission.ts";
import type { WorkerList } from "./worker-list.ts";

/** Best waiting orders looked at once a poll, for what a claim cannot see: orders that do not fit. */
const backlogPage = 100;

/** Keeps room for an order that has waited too long for it, and ends those that can never start. */
export class ReservedRoom {
  readonly #context: QueueContext;
  readonly #workers: WorkerList;
  readonly #takes: (kind: string) => boolean;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #for: OrderRecord | undefined;

  /** @param takes whether this worker does orders of a kind */
  constructor(context: QueueContext, workers: WorkerList, takes: (kind: string) => boolean) {
    this.#context = context;
    this.#workers = workers;
    this.#takes = takes;
  }

  /** True while everything that comes free is kept for an order. `busy`: something runs here. */
  keeps(free: Use, busy: boolean): boolean {
    const wanted = this.#for;
    if (wanted === undefined || !busy) return false;
    return wanted.slots > free.slots || wanted.memory > free.memory;
  }

  /** It has its room now. */
  given(id: string): void {
    if (this.#for?.id === id) this.#for = undefined;
  }

  /** Looks at the head of the backlog, at most once a poll. */
  async look(free: Use): Promise<void> {
    const { clock, pollMs } = this.#context.settings;
    if (clock.monotonic() - this.#lookedAt < pollMs) return;
    this.#lookedAt = clock.monotonic();
    const { store, settings } = this.#context;
    const { name, slots, memoryPerSlot, reserveAfterMs, tags } = settings;
    const waiting = await store.orders.waiting(name, backlogPage);
    const ours = waiting.filter(
      (order) => this.#takes(order.kind) && order.tags.every((tag) => tags.includes(tag)),
    );
    const room = { total: { slots, memory: slots * memoryPerSlot }, free };
    const view = viewBacklog(ours, room, store.clock.now(), reserveAfterMs);
    this.#for = view.reserveFor;
    for (const order of view.tooLarge) {
      if (await this.#workers.othersMayTake(order)) continue;
      const set = { endedAt: store.clock.now(), error: errorRecord(tooLarge(order, settings)) };
      await sendOutside(this.#context, order, "failed", set).catch((error: unknown) => {
        if (!hasCode(error, "CUTOVER_LEASE_LOST")) throw error; // Somebody larger took it meanwhile.
      });
    }
  }
}
