/** Consecutive failures that open the breaker. */
const opensAfter = 10;
const firstPause = 1_000;
const longestPause = 60_000;

/**
 * Stops shadow calls while the new side only fails, so that a broken side costs the application next to nothing:
 * after 10 failures in a row for 1 s, then one probe; each failed probe doubles the pause, up to 60 s.
 */
export class Breaker {
  #failures = 0;
  #pause = 0;
  #openUntil = 0;
  #probing = false;

  /** Is it certain that no call would be admitted now? Cheap, changes nothing. */
  blocks(now: () => number): boolean {
    return this.#pause > 0 && (this.#probing || now() < this.#openUntil);
  }

  /** May this call be made now? Whoever is admitted must report how it ended. */
  admits(now: () => number): boolean {
    if (this.blocks(now)) return false;
    this.#probing = this.#pause > 0;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    if (!this.#probing) return;
    this.#pause = 0;
    this.#probing = false;
  }

  /** An admitted call ended in a way that tells nothing: if it was the probe, the next call is. */
  released(): void {
    this.#probing = false;
  }

  failed(now: () => number): void {
    this.#failures++;
    // Calls that were under way when the breaker opened say nothing new.
    if (this.#pause > 0 ? !this.#probing : this.#failures < opensAfter) return;
    this.#probing = false;
    this.#pause = this.#pause === 0 ? firstPause : Math.min(longestPause, this.#pause * 2);
    this.#openUntil = now() + this.#pause;
  }
}
