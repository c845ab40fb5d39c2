import type { Interval, RouteState } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import { RouteWatch } from "./route-watch.ts";
import { type Limits, waitFor } from "./waiting.ts";

/** Longest time between two attempts of a door to reach the owner, doubled: who is there has reported by then, milliseconds. */
const reconnecting = 2_000;
/** How far back doors are looked for, milliseconds. Idle ones report once a second. */
const reach = 5_000;
/** A door silent for this long has ended, milliseconds. */
const ended = 30_000;

/** Which doors go by a state already, as far as their reports tell. Times are wall-clock milliseconds. */
export class Hearing {
  readonly #epoch: number;
  readonly #doors = new Map<string, { heard: boolean; last: number }>();

  /** @param since a declared door that never reports counts as silent from here on */
  constructor(epoch: number, declared: readonly string[], since: number) {
    this.#epoch = epoch;
    for (const door of declared) this.#doors.set(door, { heard: false, last: since });
  }

  take(intervals: readonly Interval[]): void {
    for (const { door, epoch, to } of intervals) {
      const known = this.#doors.get(door) ?? { heard: false, last: to };
      this.#doors.set(door, {
        heard: known.heard || epoch >= this.#epoch,
        last: Math.max(known.last, to),
      });
    }
  }

  /** Doors that still go by an older state. */
  deaf(now: number): readonly string[] {
    return [...this.#doors]
      .filter(([, { heard, last }]) => !heard && now - last <= ended)
      .map(([door]) => door);
  }
}

/**
 * Waits until every door that reports goes by this state. Where both sides are written from now on, a copy may follow: what a
 * door still wrote to one side alone, while it had not heard, would be on the other side never.
 * @throws CUTOVER_STEP_FAILED when some door has not heard within `patience`, naming it
 */
export async function awaitDoors(
  context: StepContext,
  state: RouteState,
  wait: Pick<Limits, "patience" | "otherwise">,
): Promise<void> {
  const { route, stage, epoch } = state;
  const since = context.clock.now();
  const declared = await context.routes.declarations(route);
  const hearing = new Hearing(
    epoch,
    declared.map(({ door }) => door),
    since,
  );
  const watch = new RouteWatch(context, route, since - reach);
  await waitFor(context, { ...wait, since, subject: `${route} at ${stage} everywhere` }, async () => {
    hearing.take(await watch.news());
    const now = context.clock.now();
    const deaf = hearing.deaf(now);
    const left = since + reconnecting - now;
    const missing = deaf.map((door) => `${door} to hear of it`);
    if (left > 0) missing.push("doors that may be reconnecting");
    return { missing, note: `${route} at ${stage}`, waitMs: left > 0 ? left : undefined };
  });
}
