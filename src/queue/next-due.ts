import type { Timer } from "../core/index.ts";
import type { QueueContext } from "./context.ts";

/** Other processes ring for each of their commits. Few of them put anything off, so these are asked for together. */
const othersMs = 50;

/** When the next order is due. The store rings when that may change, so the end of an order alone asks nothing. */
export class NextDue {
  readonly #context: QueueContext;
  readonly #again: () => void;
  #at: number | undefined;
  #known = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  /** @param again called when the store is to be asked after all, although nothing rings any more */
  constructor(context: QueueContext, again: () => void) {
    this.#context = context;
    this.#again = again;
  }

  /** Another order may be the next now. `others`: another process wrote it, and it can wait for those that follow. */
  rung(others: boolean): void {
    const { clock } = this.#context.settings;
    const wait = others ? this.#askedAt + othersMs - clock.monotonic() : 0;
    if (wait <= 0) this.#known = false;
    if (!this.#known || this.#timer !== undefined) return;
    this.#timer = clock.after(wait, () => {
      this.#timer = undefined;
      this.#known = false;
      this.#again();
    });
    this.#timer.unref();
  }

  /**
   * Its time, which may be over by now: what became due behind the last claim was seen by nobody.
   * @param since the store's time at that claim, which took up what was due
   */
  async after(since: number): Promise<number | undefined> {
    if (this.#known && (this.#at === undefined || this.#at > since)) return this.#at;
    const { store, settings } = this.#context;
    this.stop();
    // Before the answer: what rings meanwhile is asked for again.
    this.#known = true;
    this.#askedAt = settings.clock.monotonic();
    try {
      this.#at = await store.orders.nextDue(settings.name, since);
    } catch (error) {
      this.#known = false;
      throw error;
    }
    return this.#at;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
