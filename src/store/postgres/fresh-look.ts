import { Doubt } from "./doubt.ts";
import type { Foresight } from "./foresight.ts";
import type { Session } from "./session.ts";
import { askStanding, readStanding } from "./standing-facts.ts";

/** After so many looks that nothing came of, most commits of others are passed over. */
const mostUnused = 8;

/**
 * What a process knows of its queues is out of date when it hears of a commit of another one. It asks how things stand
 * then, while it has nothing else to do, so that its own next commit is one statement again: that spares the next caller
 * a round trip, and nobody waits at the end of the chain for this process to go on. Where others commit more often than
 * this process it is seldom asked.
 */
export class FreshLook {
  readonly #foresight: Foresight;
  readonly #doubt = new Doubt();
  #unused = 0;
  #asking: Promise<void> | undefined;

  constructor(foresight: Foresight) {
    this.#foresight = foresight;
  }

  /** Between two commits of this process alone: what is asked must not be older than what it has committed since. */
  begin(session: Session): void {
    if (this.#asking !== undefined || !session.pipelined) return;
    const known = this.#foresight.outdated;
    if (known === undefined) return;
    if (this.#unused >= mostUnused && !this.#doubt.passes()) return;
    if (++this.#unused > mostUnused) this.#doubt.wrong();
    this.#asking = session.settle([askStanding(known)]).then(([settled]) => {
      this.#asking = undefined;
      const standing = settled?.ok === true ? readStanding(settled.answer) : undefined;
      if (standing !== undefined) this.#foresight.renew(standing, known);
    });
  }

  /** The answer, when one is on its way. */
  async take(): Promise<void> {
    await this.#asking;
  }

  /** It was decided on what is known, and others had committed again: where that goes on, looks are in vain. */
  failed(): void {
    this.#unused = mostUnused;
    this.#doubt.wrong();
  }

  /** A commit was decided on what is known, and rightly so. */
  used(): void {
    this.#unused = 0;
    this.#doubt.right();
  }
}
