import { CutoverError, type RouteState, type Stage, stages } from "../../core/index.ts";

/**
 * A route's state as it came from a file or a socket, checked member by member.
 * @throws CUTOVER_ROUTE_INVALID when it is not one.
 */
export function readRouteState(found: unknown): RouteState {
  const { route, stage, share, epoch, salt } = (found ?? {}) as Record<string, unknown>;
  if (
    typeof route === "string" &&
    stages.includes(stage as Stage) &&
    typeof share === "number" &&
    share >= 0 &&
    share <= 100 &&
    Number.isSafeInteger(epoch) &&
    (epoch as number) >= 0 &&
    typeof salt === "string"
  ) {
    return { route, stage: stage as Stage, share, epoch: epoch as number, salt };
  }
  throw new CutoverError("CUTOVER_ROUTE_INVALID", {
    message: `expected { route, stage, share 0…100, epoch, salt }, found ${String(JSON.stringify(found)).slice(0, 200)}`,
    place: typeof route === "string" ? `route ${route}` : "route state",
    remedy: `stages are ${stages.join(", ")}; the state known before stays in force`,
  });
}
