import { hasCode, type RouteState, sleep, type Stage, stages } from "../core/index.ts";
import type { CompiledStep, RouteControl } from "../plan/index.ts";
import type { Desk } from "./desk.ts";

/** How often a raise of the share looks whether the throttle or hold is off again. */
const restraintLook = 1_000;

/** Routes as one attempt may change them: fenced by the run, and not raised while a trigger throttles or holds. */
export function controlRoutes(
  desk: Desk,
  step: CompiledStep,
  attempt: {
    readonly mustBeOpen: () => void;
    readonly signal: AbortSignal;
    /** Told 1 when a change begins to wait for a trigger, −1 when it no longer does. */
    readonly held: (by: 1 | -1) => void;
  },
): RouteControl {
  const { store, clock, declarations, log } = desk.settings;
  return {
    get: (route) => store.routes.get(route),
    declarations: async (route) => await declarations(route),
    intervals: (route, since) => store.routes.intervals({ route, since }),
    async set(route, epoch, to) {
      attempt.mustBeOpen();
      const before = await store.routes.get(route);
      if (raises(before, to) && desk.restrainedBy() !== undefined) {
        attempt.held(1);
        try {
          while (desk.restrainedBy() !== undefined) {
            log.debug(`the share of ${route} waits while ${desk.restrainedBy()} stands`, { step: step.id });
            await sleep(clock, restraintLook, attempt.signal);
          }
        } finally {
          attempt.held(-1);
        }
      }
      attempt.mustBeOpen();
      desk.fault("engine.route.before-change");
      desk.judges.touch(route);
      const by = routeAuthor(desk.memory.id, step.id);
      try {
        const after = await store.routes.set(
          { route, epoch, stage: to.stage, share: to.share, by },
          { id: desk.memory.id, fence: desk.fence },
        );
        desk.fault("engine.route.after-change");
        desk.live.changed();
        return after;
      } catch (error) {
        if (hasCode(error, "CUTOVER_LEASE_LOST")) desk.journal.break(error);
        throw error;
      }
    },
  };
}

/** True when the change gives the new side more: a later stage on the way up, or a higher share. */
function raises(
  before: RouteState | undefined,
  to: { readonly stage: Stage; readonly share: number },
): boolean {
  if (before === undefined) return to.stage !== "off";
  if (to.stage === before.stage) return to.share > before.share;
  return to.stage !== "rampdown" && stages.indexOf(to.stage) > stages.indexOf(before.stage);
}

/** Who changed a route, as it is recorded: the run and its step. */
export const routeAuthor = (run: string, step: string): string => `run ${run} ${step}`;

/** The step behind a recorded change of a route, when this run made it. */
export function authorStep(run: string, by: string): string | undefined {
  const prefix = `run ${run} `;
  return by.startsWith(prefix) ? by.slice(prefix.length) : undefined;
}
