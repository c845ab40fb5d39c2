import type { RouteChange } from "../store/index.ts";
import type { Desk } from "./desk.ts";
import { authorStep } from "./route-control.ts";

export type RunRouteChange = RouteChange & { readonly at: number; readonly step: string };

/** Every route change this run made, oldest first. Read from the store, so a crash loses none. */
export async function routeChanges(desk: {
  readonly settings: Pick<Desk["settings"], "store">;
  readonly memory: Pick<Desk["memory"], "id">;
}): Promise<readonly RunRouteChange[]> {
  const { routes } = desk.settings.store;
  const all: RunRouteChange[] = [];
  for (const { route } of await routes.list()) {
    for (const change of await routes.changes(route)) {
      const step = authorStep(desk.memory.id, change.by);
      if (step !== undefined) all.push({ ...change, step });
    }
  }
  return all.toSorted((a, b) => a.at - b.at);
}
