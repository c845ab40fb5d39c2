import { CutoverError, faultPoint, type RouteState } from "../core/index.ts";
import { livingDeclarations, type Store } from "../store/index.ts";
import type { Handler } from "./call.ts";
import type { Doors } from "./doors.ts";
import { type RouteOrder, routeBody } from "./wire-shapes.ts";

export const listRoutes: Handler = ({ store }) => store.routes.list();

export const changeRoute: Handler = async (context, call) => {
  const order = routeBody(await call.body(), "");
  return context.alone((store) => orderRoute(store, context.doors, call.name, order));
};

/**
 * Puts a route into another stage or share because a person wants it. Recorded as an override in the run that is
 * under way, if any, before the route moves, so that no crash leaves a move without its name and reason.
 * @throws CUTOVER_ROUTE_UNKNOWN when neither record nor any living door knows it, CUTOVER_ROUTE_INVALID when a door
 * declared that it cannot do this stage, CUTOVER_ROUTE_EPOCH when it changed since `order.epoch`.
 */
export async function orderRoute(
  store: Store,
  doors: Doors | undefined,
  route: string,
  order: RouteOrder,
): Promise<RouteState> {
  const known = await store.routes.get(route);
  // Doors of this process, and those of a shared store that speak to another.
  const declarations = [...(doors?.declarations(route) ?? []), ...(await livingDeclarations(store, route))];
  if (known === undefined && declarations.length === 0) {
    const names = (await store.routes.list()).map((state) => state.route);
    throw new CutoverError("CUTOVER_ROUTE_UNKNOWN", {
      message: `expected a declared route, found ${JSON.stringify(route)}`,
      details: { route, known: names },
      ...(names.length === 0 ? {} : { remedy: `name one of: ${names.slice(0, 8).join(", ")}` }),
    });
  }
  const unable = declarations.find((each) => !each.stages.includes(order.stage));
  if (unable !== undefined) {
    throw new CutoverError("CUTOVER_ROUTE_INVALID", {
      message: `expected a stage that ${unable.door} can do (${unable.stages.join(", ")}), found ${order.stage}`,
      place: "stage",
      details: { route, door: unable.door, stages: [...unable.stages] },
    });
  }
  const epoch = order.epoch ?? known?.epoch ?? 0;
  if (epoch !== (known?.epoch ?? 0)) {
    throw new CutoverError("CUTOVER_ROUTE_EPOCH", {
      message: `expected epoch ${epoch} of ${route}, found ${known?.epoch ?? 0}`,
      details: { route, expected: epoch, found: known?.epoch ?? 0 },
    });
  }
  const [active] = await store.runs.list({
    states: ["RUNNING", "HOLDING", "PAUSED", "ROLLING_BACK", "ROLLBACK_STUCK"],
  });
  if (active !== undefined) {
    const before = known === undefined ? "unset" : `${known.stage} ${known.share} %`;
    await store.runs.commit(active.id, [
      {
        type: "override.recorded",
        data: {
          what: `route ${route}: ${before} → ${order.stage} ${order.share} %`,
          by: order.by,
          reason: order.reason,
        },
      },
    ]);
  }
  faultPoint("server.route.before-set");
  const { stage, share, by, reason } = order;
  const state = await store.routes.set({ route, epoch, stage, share, by, reason });
  faultPoint("server.route.after-set");
  return state;
}
