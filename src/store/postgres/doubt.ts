/** After so many misses one after another, so many commits are not guessed at. */
const longestPause = 64;

/** How often a guess was wrong of late, and for how many commits nothing is guessed therefore. */
export class Doubt {
  #misses = 0;
  #pause = 0;

  passes(): boolean {
    if (this.#pause === 0) return true;
    this.#pause--;
    return false;
  }

  wrong(): void {
    this.#pause = Math.min(2 ** this.#misses++, longestPause);
  }

  right(): void {
    this.#misses = 0;
  }

  /** What was wrong has been mended: the next guess may be tried at once. */
  mended(): void {
    this.#pause = 0;
  }
}
