import type { Clock } from "../core/index.ts";
import { answeredWithin } from "./answered-within.ts";

interface Asked<T> {
  readonly at: number;
  readonly signal: AbortSignal;
  readonly answer: Promise<T>;
  settled: boolean;
}

/**
 * One question to somebody's own function, put again and again. A look waits for its answer up to the limit; then it
 * goes on without, and the answer is taken by whoever looks once it came. Nobody is asked twice at once, except after
 * work that was told to stop: what that had asked is dropped.
 */
export class OpenQuestion<T> {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #asked: Asked<T> | undefined;

  /** `limitMs`: how long a look waits, from the moment the question was put. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** @throws what `ask` threw; the reason of `signal`; CUTOVER_GATE_INPUT while there is no answer within the limit. */
  async answer(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T> | T): Promise<T> {
    if (this.#asked?.signal.aborted === true) this.#asked = undefined;
    const asked = (this.#asked ??= this.#ask(signal, ask));
    const limitMs = Math.max(0, this.#limitMs - (this.#clock.monotonic() - asked.at));
    try {
      return await answeredWithin({ clock: this.#clock, limitMs, ofMs: this.#limitMs, signal }, asked.answer);
    } finally {
      if (asked.settled) this.#asked = undefined;
    }
  }

  #ask(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T> | T): Asked<T> {
    const answer = (async () => await ask(signal))();
    const asked = { at: this.#clock.monotonic(), signal, answer, settled: false };
    const settled = (): void => void (asked.settled = true);
    // Whoever looks next hears of it; nobody may.
    answer.then(settled, settled);
    return asked;
  }
}
