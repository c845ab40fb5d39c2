/** Quantiles of the last thousand figures. */
export class Quantiles {
  readonly #last: number[] = [];
  #count = 0;

  add(figure: number): void {
    this.#last[this.#count++ % 1_000] = figure;
  }

  /** Undefined before the first figure. */
  at(part: number): number | undefined {
    const sorted = this.#last.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  }
}
