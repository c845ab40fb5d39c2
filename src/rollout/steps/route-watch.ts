import type { Interval } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";

/** Doors report in turn and may be late: looks reach back this far, and what was seen already is left out. */
const overlap = 10_000;

/** Gives every interval of a route once, in the order it became known. */
export class RouteWatch {
  readonly #context: StepContext;
  readonly #route: string;
  readonly #since: number;
  #newest: number;
  readonly #seen = new Map<string, number>();

  /** @param since wall-clock milliseconds; intervals that ended before are left out */
  constructor(context: StepContext, route: string, since: number) {
    this.#context = context;
    this.#route = route;
    this.#since = since;
    this.#newest = since;
  }

  async news(): Promise<readonly Interval[]> {
    const from = Math.max(this.#since, this.#newest - overlap);
    const found = await this.#context.routes.intervals(this.#route, from);
    const fresh = found.filter((interval) => !this.#seen.has(interval.id));
    // A door whose clock is ahead must not move the look past what the others report.
    const now = this.#context.clock.now();
    for (const { id, to } of fresh) {
      this.#seen.set(id, to);
      this.#newest = Math.max(this.#newest, Math.min(to, now));
    }
    if (this.#seen.size > 5_000) {
      for (const [id, to] of this.#seen) if (to < this.#newest - 2 * overlap) this.#seen.delete(id);
    }
    return fresh;
  }
}
