import {
  DoorBacklogs,
  formatDuration,
  type Interval,
  type RouteState,
  type Stage,
  stages,
} from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import { RouteWatch } from "./route-watch.ts";
import { count, type Limits, waitFor } from "./waiting.ts";

/** How far back a step looks for doors that were there before it began, milliseconds. */
const reach = 60_000;

/** Second writes that are missing, and whether a stage may advance with them. */
export class SecondWrites {
  readonly #doors = new DoorBacklogs();

  take(intervals: readonly Interval[]): void {
    for (const { door, backlog, to } of intervals)
      if (backlog !== undefined) this.#doors.take(door, backlog, to);
  }

  /**
   * What keeps the stage from advancing, in words; undefined when nothing does.
   * @param limit as applications declare it; undefined where none declares second writes
   * @param due whether second writes are made now, so that a door must report them
   */
  trouble(limit: number | undefined, due: boolean, now: number): string | undefined {
    if (due && limit !== undefined && this.#doors.isMute(now))
      return "a report of the doors on their second writes";
    const { open } = this.#doors;
    if (open <= (limit ?? 0)) return undefined;
    const silent = this.#doors
      .lost(now)
      .map(
        ({ door, open: left, silentMs }) =>
          `${count(left)} of ${door}, silent for ${formatDuration(silentMs)}`,
      );
    const told = silent.length === 0 ? "" : ` (${silent.join(", ")})`;
    return `second writes: ${count(open)} are missing, limit ${count(limit ?? 0)}${told}`;
  }
}

/** Stages at which every write is made on both sides. */
const dual: readonly Stage[] = ["dualwrite", "rampdown"];

export const writesTwice = (state: Pick<RouteState, "stage"> | undefined): boolean =>
  state !== undefined && dual.includes(state.stage);

/** The smallest limit that an application declares; undefined where none declares second writes. */
export async function backlogLimit(context: StepContext, route: string): Promise<number | undefined> {
  const limits = (await context.routes.declarations(route)).flatMap(({ backlogLimit: limit }) => limit ?? []);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/**
 * Waits until the missing second writes of a route are within their limit, where `to` gives the new side more: what
 * the new side lacks would otherwise be read from it.
 * @throws CUTOVER_STEP_FAILED when they are not within `patience`, unless a person is to be asked then
 */
export async function awaitSecondWrites(
  context: StepContext,
  route: string,
  to: { readonly stage: Stage; readonly share: number },
  wait: Pick<Limits, "patience" | "otherwise">,
): Promise<void> {
  const found = await context.routes.get(route);
  const from = found ?? { stage: "off" as const, share: 0 };
  const further = stages.indexOf(to.stage) - stages.indexOf(from.stage);
  if (further < 0 || (further === 0 && to.share <= from.share)) return;
  const since = context.clock.now();
  const watch = new RouteWatch(context, route, since - reach);
  const writes = new SecondWrites();
  const goal = to.stage === "live" ? `${to.share} %` : to.stage;
  await waitFor(context, { ...wait, since, subject: `${route} ready for ${goal}` }, async () => {
    writes.take(await watch.news());
    const limit = await backlogLimit(context, route);
    const trouble = writes.trouble(limit, writesTwice(found), context.clock.now());
    return { missing: trouble === undefined ? [] : [trouble], note: `before ${goal}` };
  });
}
