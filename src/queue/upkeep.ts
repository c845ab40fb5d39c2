import { asError } from "../core/index.ts";
import type { QueueSettings } from "./settings.ts";

/** Something that every worker looks after now and then. */
export interface Chore {
  /** For the log: `prune finished orders`. */
  readonly name: string;
  readonly everyMs: number;
  run(): Promise<void>;
}

interface Planned extends Chore {
  at: number;
  running: boolean;
}

/**
 * Looks after what has no bell. Each chore comes again after three to five quarters of its time, drawn at random: eight
 * workers that were started together must not all sweep in the same moment. One that takes long or fails holds up
 * neither claims nor the other chores.
 */
export class Upkeep {
  readonly #settings: QueueSettings;
  readonly #chores: readonly Planned[];
  readonly #running = new Set<Promise<void>>();
  #next: number;

  /** The first time comes after one interval: what matters at the start is done when the queue is opened. */
  constructor(settings: QueueSettings, chores: readonly Chore[]) {
    this.#settings = settings;
    this.#chores = chores.map((chore) => ({
      name: chore.name,
      everyMs: chore.everyMs,
      run: () => chore.run(),
      at: this.#after(chore.everyMs),
      running: false,
    }));
    this.#next = this.#earliest();
  }

  /** Starts what is due and waits for nothing. */
  look(): void {
    const now = this.#settings.clock.monotonic();
    if (now < this.#next) return;
    for (const chore of this.#chores) {
      if (now < chore.at) continue;
      chore.at = this.#after(chore.everyMs);
      if (!chore.running) this.#start(chore);
    }
    this.#next = this.#earliest();
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #start(chore: Planned): void {
    chore.running = true;
    const run = chore
      .run()
      .catch((error: unknown) => {
        this.#settings.log.warn(`the queue could not ${chore.name}; it is tried again`, {
          reason: asError(error).message,
        });
      })
      .finally(() => {
        chore.running = false;
        this.#running.delete(run);
      });
    this.#running.add(run);
  }

  #after(ms: number): number {
    const { clock, random } = this.#settings;
    return clock.monotonic() + ms * (0.75 + random() / 2);
  }

  #earliest(): number {
    return this.#chores.reduce((first, { at }) => Math.min(first, at), Infinity);
  }
}
