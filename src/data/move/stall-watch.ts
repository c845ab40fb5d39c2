import type { Clock, Timer } from "../../core/index.ts";
import type { MoveEvent } from "./progress.ts";

export interface StallWatchOptions {
  readonly clock: Clock;
  /** After how long without a move. */
  readonly afterMs: number;
  readonly onEvent: (event: MoveEvent) => void;
  /** Why nothing moves; undefined: there is nothing to do. */
  readonly reason: () => string | undefined;
}

/** Tells when something is to be done and nothing moves. */
export class StallWatch {
  readonly #options: StallWatchOptions;
  #timer: Timer;
  #moved: number;
  #stalled = false;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#moved = options.clock.monotonic();
    this.#timer = this.#arm();
  }

  /** Something was written, or there is nothing to do. */
  moved(): void {
    this.#moved = this.#options.clock.monotonic();
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#options.onEvent({ type: "moving" });
  }

  close(): void {
    this.#timer.cancel();
  }

  #arm(): Timer {
    const { clock, afterMs } = this.#options;
    return clock.after(Math.max(1, this.#moved + afterMs - clock.monotonic()), () => this.#look());
  }

  #look(): void {
    const { clock, afterMs, onEvent, reason } = this.#options;
    const forMs = clock.monotonic() - this.#moved;
    if (forMs < afterMs) {
      this.#timer = this.#arm();
      return;
    }
    const why = reason();
    if (why === undefined) this.moved();
    else {
      this.#stalled = true;
      onEvent({ type: "stalled", forMs, reason: why });
    }
    this.#timer = clock.after(afterMs, () => this.#look());
  }
}
