/** Lets the writes of one handle through, and holds them while somebody else has asked for it. */
export class WriteHold {
  #holders: number;
  #flying = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #landed: (() => void)[] = [];

  /** @param holders who holds it from the beginning */
  constructor(holders = 0) {
    this.#holders = holders;
  }

  /** Begins `write` at once, or when it is held no more; those that waited begin in the order they came. */
  run<T>(write: () => Promise<T>): Promise<T> {
    if (this.#holders === 0) return this.#fly(write);
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => void this.#fly(write).then(resolve, reject));
    });
  }

  /** From now on no write begins. Resolves when none is on its way. */
  hold(): Promise<void> {
    this.#holders++;
    return this.idle();
  }

  release(): void {
    if (--this.#holders > 0) return;
    for (const begin of this.#waiting.splice(0)) begin();
  }

  /** When none is on its way; those that wait are not. */
  async idle(): Promise<void> {
    while (this.#flying > 0) await new Promise<void>((resolve) => this.#landed.push(resolve));
  }

  /** When none is on its way and none waits. */
  async done(): Promise<void> {
    while (this.#flying + this.#waiting.length > 0)
      await (this.#flying > 0 ? this.idle() : this.run(() => Promise.resolve()));
  }

  async #fly<T>(write: () => Promise<T>): Promise<T> {
    this.#flying++;
    try {
      return await write();
    } finally {
      if (--this.#flying === 0) for (const tell of this.#landed.splice(0)) tell();
    }
  }
}
