import { faultPoint, type JsonObject, type Timer } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { type QueueContext, sendEvent } from "./context.ts";
import { plainJson } from "./plain-json.ts";

/** Least time between two stored states of progress of one order. */
const everyMs = 1_000;

/** Stores the progress of one running order, the newest at most once a second. */
export class ProgressWriter {
  readonly #context: QueueContext;
  readonly #order: () => OrderRecord;
  #latest: JsonObject | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(context: QueueContext, order: () => OrderRecord) {
    this.#context = context;
    this.#order = order;
  }

  /** Progress not stored yet; it goes along with the order's last transition. */
  get unwritten(): JsonObject | undefined {
    return this.#latest;
  }

  /** @throws CUTOVER_QUEUE_INVALID when it is not plain JSON */
  put(state: JsonObject): void {
    const { clock, payloadLimit } = this.#context.settings;
    this.#latest = plainJson(state, "progress", payloadLimit) as JsonObject;
    if (this.#stopped || this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = clock.after(Math.max(0, this.#lastAt + everyMs - clock.monotonic()), () => this.#write());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Resolves when no write is on its way. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #write(): void {
    this.#timer = undefined;
    const progress = this.#latest;
    if (progress === undefined || this.#order().state !== "RUNNING") return;
    this.#latest = undefined;
    this.#lastAt = this.#context.settings.clock.monotonic();
    faultPoint("queue.progress.before-commit");
    this.#writing = sendEvent(this.#context, this.#order(), "progressed", { progress })
      .then(
        () => faultPoint("queue.progress.after-commit"),
        (error: unknown) => {
          // Progress is a courtesy: when it cannot be stored the work goes on, and the lease decides.
          this.#latest ??= progress;
          this.#context.settings.log.debug(`progress of work order ${this.#order().id} was not stored`, {
            reason: String(error),
          });
        },
      )
      .finally(() => {
        this.#writing = undefined;
        if (this.#latest !== undefined && !this.#stopped) this.put(this.#latest);
      });
  }
}
