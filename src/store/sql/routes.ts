import { CutoverError, type RouteState, stages } from "../../core/index.ts";
import type { RouteChange } from "../run-events.ts";
import * as rows from "../run-rows.ts";
import type { RouteStore } from "../store.ts";
import { sqlDeclarations } from "./declarations.ts";
import { sqlMeasurements } from "./measurements.ts";
import { all, one, type Program } from "./program.ts";
import { appendRunEvent, checkRunFence } from "./runs.ts";
import type { Sql, WriteContext } from "./write-context.ts";

const byName = `${rows.routeSelect} WHERE route = ?`;

/** The routes of a store. `newSalt` gives a route seen for the first time the salt of its buckets. */
export function sqlRoutes(sql: Sql, newSalt: () => string): RouteStore {
  return {
    get: (route) =>
      sql.read(function* () {
        const row = yield* one<RouteState>(byName, route);
        return row === undefined ? undefined : rows.toRoute(row);
      }),
    list: () => sql.read(listRoutes),
    set: (change, run) => sql.write((tx) => setRoute(tx, newSalt, change, run)),
    changes: (route) =>
      sql.read(function* () {
        const found = yield* all<rows.RouteChangeRow>(
          "SELECT at, change FROM route_changes WHERE route = ? ORDER BY seq",
          route,
        );
        return found.map(rows.toRouteChange);
      }),
    ...sqlMeasurements(sql),
    ...sqlDeclarations(sql),
  };
}

/** All routes by name. */
export function* listRoutes(): Program<readonly RouteState[]> {
  return (yield* all<RouteState>(`${rows.routeSelect} ORDER BY route`)).map(rows.toRoute);
}

function* setRoute(
  tx: WriteContext,
  newSalt: () => string,
  change: Parameters<RouteStore["set"]>[0],
  run: Parameters<RouteStore["set"]>[1],
): Program<RouteState> {
  const { route, epoch, stage, share, by, reason } = change;
  checkTarget(change);
  if (run !== undefined) yield* checkRunFence(run.id, run.fence);
  const found = yield* one<RouteState>(byName, route);
  const before = found === undefined ? null : rows.toRoute(found);
  if ((before?.epoch ?? 0) !== epoch) throw staleEpoch(route, epoch, before?.epoch ?? 0);
  const after = { route, stage, share, epoch: epoch + 1, salt: before?.salt ?? newSalt() };
  const data: RouteChange = { before, after, by, ...(reason === undefined ? {} : { reason }) };
  if (run !== undefined) {
    yield* appendRunEvent(tx, run.id, { type: "route.changed", data });
  } else if (!(yield* tx.append(`route:${route}`, { type: "route.changed", data })).fits) {
    throw staleEpoch(route, epoch, before?.epoch ?? 0);
  }
  return after;
}

function checkTarget({ route, stage, share }: Parameters<RouteStore["set"]>[0]): void {
  if (!(share >= 0 && share <= 100)) {
    throw new CutoverError("CUTOVER_SHARE_INVALID", {
      message: `expected a share from 0 to 100 percent, found ${share}`,
      place: `route ${route}`,
    });
  }
  if (!stages.includes(stage)) {
    throw new CutoverError("CUTOVER_ROUTE_INVALID", {
      message: `expected one of the stages ${stages.join(", ")}, found ${JSON.stringify(stage)}`,
      place: `route ${route}`,
      remedy: "use one of these stages",
    });
  }
}

function staleEpoch(route: string, expected: number, found: number): CutoverError {
  return new CutoverError("CUTOVER_ROUTE_EPOCH", {
    message: `expected route ${route} at epoch ${expected}, found it at epoch ${found}`,
    details: { route, expected, found },
    place: `route ${route}`,
  });
}
