import type { Timer } from "../../core/index.ts";
import type { DockerEngine } from "./docker-engine.ts";

/**
 * Containers that the engine did not say it took away. Their order may never be tried again here (it failed, was
 * cancelled, went on elsewhere), so they are ended as soon as the engine answers, for as long as this process lives.
 */
export class LeftContainers {
  /** Order by claim. */
  readonly #claims = new Map<string, string>();
  #timer: Timer | undefined;

  add(engine: DockerEngine, claim: string, order: string): void {
    this.#claims.set(claim, order);
    this.#arm(engine);
  }

  /** Ends those of one order, before it is tried again. Rejects when the engine does not say that they are gone. */
  async endOf(engine: DockerEngine, order: string): Promise<void> {
    for (const [claim, of] of this.#claims) if (of === order) await this.#remove(engine, claim);
  }

  #arm(engine: DockerEngine): void {
    if (this.#timer !== undefined || this.#claims.size === 0) return;
    this.#timer = engine.clock.after(engine.answerMs, () => {
      void this.#end(engine).finally(() => {
        this.#timer = undefined;
        this.#arm(engine);
      });
    });
    this.#timer.unref();
  }

  /** One after the other: the first that gets no answer ends the look. */
  async #end(engine: DockerEngine): Promise<void> {
    try {
      for (const claim of this.#claims.keys()) await this.#remove(engine, claim);
    } catch {
      // The next look asks again.
    }
  }

  async #remove(engine: DockerEngine, claim: string): Promise<void> {
    for (const container of await engine.find(claim)) await engine.remove(container);
    this.#claims.delete(claim);
  }
}
