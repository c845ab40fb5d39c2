import { asError, type Clock, formatDuration } from "../core/index.ts";
import type { MeanReading } from "../gates/index.ts";
import type { Measure } from "../plan/index.ts";
import { meanAnswer } from "./mean-answer.ts";

type MeanMeasure = Extract<Measure, { of: "mean" }>;

/** A look waits so long for an answer; what comes later is taken in by a later look. */
const longestLook = 1_000;
/** A source that has not answered for so long is told of. It is not asked again before it answers. */
const longestAnswer = 30_000;

interface Asked {
  readonly at: number;
  readonly window: { readonly from: number; readonly to: number };
  readonly answer: Promise<MeanReading>;
}

/**
 * Asks the source of a mean for one stretch after the other, from `since` to now. A stretch that failed is asked for
 * again, longer by the time that has passed, so nothing is lost and nothing is counted twice.
 */
export class MeanFeed {
  readonly #measure: MeanMeasure;
  readonly #clock: Clock;
  readonly #runId: string;
  #from: number;
  #due = Number.NEGATIVE_INFINITY;
  #asked: Asked | undefined;

  constructor(
    measure: MeanMeasure,
    sources: { readonly clock: Clock; readonly runId: string },
    since: number,
  ) {
    this.#measure = measure;
    this.#clock = sources.clock;
    this.#runId = sources.runId;
    this.#from = since;
  }

  /**
   * What is new since the last look; undefined when nothing is due or the answer is not there yet.
   * `take` counts it: only when it did, the stretch is done with.
   * @throws what the source, or `take`, threw; and when the source is silent for long
   */
  async look(signal: AbortSignal, take: (reading: MeanReading) => void): Promise<void> {
    const asked = (this.#asked ??= this.#ask(signal));
    if (asked === undefined) return;
    const late = Promise.withResolvers<undefined>();
    const timer = this.#clock.after(longestLook, () => late.resolve(undefined));
    const stop = (): void => late.resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    let reading: MeanReading | undefined;
    try {
      reading = await Promise.race([asked.answer, late.promise]);
      if (reading !== undefined) take(reading);
    } catch (thrown) {
      this.#done();
      throw asError(thrown);
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", stop);
    }
    if (reading !== undefined) {
      this.#from = asked.window.to;
      return this.#done();
    }
    const waited = this.#clock.monotonic() - asked.at;
    if (waited >= longestAnswer) throw new Error(`it has not answered for ${formatDuration(waited)}`);
  }

  #done(): void {
    this.#asked = undefined;
    this.#due = this.#clock.monotonic() + this.#measure.everyMs;
  }

  #ask(signal: AbortSignal): Asked | undefined {
    const at = this.#clock.monotonic();
    const to = this.#clock.now();
    // A clock that was set back must not blind it: from here on the stretches follow the new time.
    if (to < this.#from) this.#from = to;
    if (at < this.#due || to === this.#from) return undefined;
    const window = { from: this.#from, to };
    const answer = (async () => {
      const given = await this.#measure.read({ ...window, signal, runId: this.#runId });
      return { ...window, ...meanAnswer(given) };
    })();
    // Whoever looks next hears of it; nobody may.
    answer.catch(() => {});
    return { at, window, answer };
  }
}
