/** Batches one after the other, of which the next one can be asked for while one is worked on. */
export class ReadAhead<T> implements AsyncDisposable {
  readonly #batches: AsyncIterator<T>;
  #coming: Promise<IteratorResult<T>> | undefined;

  /** Asks for the first one. */
  constructor(batches: AsyncIterable<T>) {
    this.#batches = batches[Symbol.asyncIterator]();
    this.ask();
  }

  /** Begins to fetch the next one, if none is on its way. */
  ask(): void {
    if (this.#coming !== undefined) return;
    this.#coming = this.#batches.next();
    this.#coming.catch(() => undefined);
  }

  /** The next one; undefined behind the last. */
  async next(): Promise<T | undefined> {
    this.ask();
    const next = await this.#coming;
    this.#coming = undefined;
    return next === undefined || next.done === true ? undefined : next.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A batch that is still coming would otherwise be a rejection that nobody hears.
    await this.#coming?.catch(() => undefined);
    await this.#batches.return?.();
  }
}
