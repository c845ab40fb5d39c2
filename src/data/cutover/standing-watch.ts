import { CutoverError } from "../../core/index.ts";
import type { FollowSettings } from "./follow-options.ts";
import { idle } from "./idle-wait.ts";
import type { Standing, Switch } from "./switch.ts";

/** Pause before a switch that could not be followed is followed again: from the first to the longest. */
const againMs = { first: 100, longest: 5_000 };

/** Longer than this nobody waits for a switch, as those who wait for a side wait behind it. */
const answerMs = { read: 2_000, turn: 10_000 };

/** The standing as this process knows it: from the switch's own news, and from whoever asks it. It never goes back. */
export class StandingWatch {
  readonly #kept: Switch;
  readonly #settings: FollowSettings;
  readonly #changed: () => void;
  readonly #stop = new AbortController();
  readonly #last: { old: number; new: number };
  #standing: Standing;
  #changedAt: number;
  #troubled = false;
  #following: Promise<void> | undefined;

  /** @param changed called after each change, at once */
  constructor(kept: Switch, first: Standing, settings: FollowSettings, changed: () => void) {
    this.#kept = kept;
    this.#settings = settings;
    this.#standing = first;
    this.#changed = changed;
    this.#changedAt = settings.clock.monotonic();
    this.#last = { old: 0, new: 0, [first.side]: first.epoch };
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** Monotonic milliseconds. */
  get changedAt(): number {
    return this.#changedAt;
  }

  /** The last epoch in which this side was in charge; 0: never. */
  epochOf(side: Standing["side"]): number {
    return this.#last[side];
  }

  start(): void {
    this.#following ??= this.#follow();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  /** Asks the switch; a switch that cannot be read leaves the standing as it is. */
  async refresh(): Promise<void> {
    try {
      this.adopt(await this.#answer("read", this.#kept.read()));
    } catch (error) {
      this.trouble(error);
    }
  }

  /** @throws what the switch throws; CUTOVER_DATA_UNAVAILABLE when it says nothing: then it may still be turned, now or later */
  turn(to: Standing): Promise<void> {
    return this.#answer("turn", this.#kept.turn(to));
  }

  adopt({ side, epoch }: Standing): void {
    this.#troubled = false;
    if (epoch <= this.#standing.epoch) return;
    this.#standing = { side, epoch };
    this.#last[side] = epoch;
    this.#changedAt = this.#settings.clock.monotonic();
    this.#settings.onEvent({ type: "turned", standing: this.#standing });
    this.#changed();
  }

  /** Told once, until the switch answers again. */
  trouble(error: unknown): void {
    if (this.#troubled) return;
    this.#troubled = true;
    this.#settings.onEvent({ type: "switch-trouble", error });
  }

  #answer<T>(what: "read" | "turn", work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#settings.clock.after(answerMs[what], () => {
        const message = `expected the switch to answer within ${answerMs[what]} ms, found nothing`;
        reject(new CutoverError("CUTOVER_DATA_UNAVAILABLE", { message, place: this.#kept.name }));
      });
      work.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    for (let pause = againMs.first; !signal.aborted; pause = Math.min(againMs.longest, pause * 2)) {
      try {
        for await (const standing of this.#kept.follow({ signal })) {
          pause = againMs.first;
          this.adopt(standing);
        }
      } catch (error) {
        if (!signal.aborted) this.trouble(error);
      }
      if (!signal.aborted) await idle(this.#settings.clock, pause, signal);
    }
  }
}
