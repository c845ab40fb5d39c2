import { CutoverError, type Interval, type RouteState, type Stage } from "../core/index.ts";
import type { MeasuredStore } from "../engine/index.ts";

/** Stages and measurements of a simulated run, in memory, as steps and judges read them from a store. */
export class PlayedRoutes {
  readonly #states = new Map<string, RouteState>();
  readonly #intervals = new Map<string, Interval[]>();
  readonly #salt: string;
  readonly store: MeasuredStore;

  /** @param salt makes buckets of a run its own, as the salt of a real route does */
  constructor(salt: string) {
    this.#salt = salt;
    this.store = {
      routes: {
        get: async (route) => this.get(route),
        intervals: async ({ route, since }) =>
          route === undefined
            ? [...this.#intervals.keys()].flatMap((each) => this.since(each, since))
            : this.since(route, since),
        arrivals: async ({ route, after, since }) => {
          const all = this.#intervals.get(route) ?? [];
          return { intervals: all.slice(after).filter(({ to }) => to > since), position: all.length };
        },
      },
    };
  }

  get states(): Iterable<RouteState> {
    return this.#states.values();
  }

  get(route: string): RouteState | undefined {
    return this.#states.get(route);
  }

  set(route: string, epoch: number, to: { readonly stage: Stage; readonly share: number }): RouteState {
    const known = this.#states.get(route);
    if ((known?.epoch ?? 0) !== epoch)
      throw new CutoverError("CUTOVER_ROUTE_EPOCH", {
        message: `expected route ${route} at epoch ${epoch}, found ${known?.epoch ?? 0}`,
        place: `route ${route}`,
      });
    const state = {
      route,
      salt: `${this.#salt}/${route}`,
      epoch: epoch + 1,
      stage: to.stage,
      share: to.share,
    };
    this.#states.set(route, state);
    return state;
  }

  record(interval: Interval): void {
    const known = this.#intervals.get(interval.route);
    if (known === undefined) this.#intervals.set(interval.route, [interval]);
    else known.push(interval);
  }

  /** Intervals that ended after `since`; they were recorded in the order of their time. */
  since(route: string, since: number): readonly Interval[] {
    const all = this.#intervals.get(route) ?? [];
    let from = all.length;
    while (from > 0 && (all[from - 1]?.to ?? 0) > since) from--;
    return all.slice(from);
  }
}
