import { CutoverError, faultPoint, hasCode, type RouteState, type Stage } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";

/** Stage and share of a route, as a step asks for them and as it found them. */
export type RouteSetting = { readonly stage: Stage; readonly share: number };

/** Attempts of a way back against others who change the route at the same time. */
const mostReturns = 20;

export async function settingOf(context: StepContext, route: string): Promise<RouteSetting> {
  const { stage, share } = (await context.routes.get(route)) ?? { stage: "off", share: 0 };
  return { stage, share };
}

/**
 * Puts a route where a step wants it; nothing is written when it is there already.
 * @param begun the step had set it before a crash: then it must still be there
 * @throws CUTOVER_ROUTE_EPOCH when somebody else changed it: a way forward is not forced.
 */
export async function moveRoute(
  context: StepContext,
  route: string,
  to: RouteSetting,
  begun: boolean,
): Promise<RouteState> {
  const found = await context.routes.get(route);
  if (found !== undefined && found.stage === to.stage && found.share === to.share) return found;
  if (begun) throw changed(route, to, found);
  faultPoint("rollout.route.before-set");
  const state = await context.routes.set(route, found?.epoch ?? 0, to);
  faultPoint("rollout.route.after-set");
  return state;
}

/** Takes a route back to where it was, whoever changed it meanwhile: read again and set until it is there. */
export async function returnRoute(context: StepContext, route: string, to: RouteSetting): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const found = await context.routes.get(route);
    if (found === undefined || (found.stage === to.stage && found.share === to.share)) return;
    try {
      faultPoint("rollout.route.before-return");
      await context.routes.set(route, found.epoch, to);
      faultPoint("rollout.route.after-return");
      return;
    } catch (error) {
      if (!hasCode(error, "CUTOVER_ROUTE_EPOCH") || attempt >= mostReturns) throw error;
    }
  }
}

/**
 * Refuses a stage that an application's call site does not allow, before anything is changed.
 * @throws CUTOVER_ROUTE_INVALID naming the door.
 */
export async function requireStage(
  context: StepContext,
  route: string,
  stage: Stage,
): Promise<readonly string[]> {
  const declarations = await context.routes.declarations(route);
  const refusing = declarations.find((declaration) => !declaration.stages.includes(stage));
  if (refusing !== undefined) {
    throw new CutoverError("CUTOVER_ROUTE_INVALID", {
      message: `expected route ${route} to allow stage ${stage}, but its declaration in ${refusing.door} allows only ${refusing.stages.join(", ")}`,
      details: { route, stage, door: refusing.door },
      place: `route ${route}`,
      remedy:
        stage === "shadow"
          ? 'at the call site declare `effects: "none"`, capture the effects, or give a `shadow` function that answers without acting'
          : "choose a stage that the call site allows: with captured effects both sides act through one port",
    });
  }
  return [...new Set(declarations.flatMap((declaration) => declaration.operations))];
}

/** @throws CUTOVER_ROUTE_EPOCH when the route is no longer as this step set it: what is measured then proves nothing. */
export async function requireUnchanged(context: StepContext, set: RouteState): Promise<void> {
  const found = await context.routes.get(set.route);
  if (found?.epoch !== set.epoch) throw changed(set.route, set, found);
}

function changed(route: string, to: RouteSetting, found: RouteState | undefined): CutoverError {
  const shown = (setting: RouteSetting | undefined): string =>
    setting === undefined ? "nothing" : `${setting.stage} ${setting.share} %`;
  return new CutoverError("CUTOVER_ROUTE_EPOCH", {
    message: `expected route ${route} to stay as this step set it (${shown(to)}), found that somebody else changed it (${shown(found)})`,
    details: { route, stage: found?.stage, share: found?.share, epoch: found?.epoch },
    place: `route ${route}`,
    remedy: "let one of the two steer the route: pause or roll back the run before setting it by hand",
  });
}
