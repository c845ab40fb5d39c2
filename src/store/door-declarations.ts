import { hasCode, type RouteDeclaration } from "../core/index.ts";
import { declarationLifeMs, type Store } from "./store.ts";

/**
 * Writes routes that the record does not know yet into it, at stage `off`: from then on every process of a shared store
 * knows them, and their keys have their salt. Known ones are left alone. Resolves with how many were new.
 */
export async function registerRoutes(
  store: Store,
  declarations: readonly Pick<RouteDeclaration, "route" | "door">[],
): Promise<number> {
  let fresh = 0;
  for (const { route, door } of new Map(declarations.map((each) => [each.route, each])).values()) {
    if ((await store.routes.get(route)) !== undefined) continue;
    try {
      await store.routes.set({
        route,
        epoch: 0,
        stage: "off",
        share: 0,
        by: `door ${door}`,
        reason: "first seen",
      });
      fresh++;
    } catch (error) {
      // Another process was quicker.
      if (!hasCode(error, "CUTOVER_ROUTE_EPOCH")) throw error;
    }
  }
  return fresh;
}

/** What living doors declare about one route, or about all, whichever process they speak to. */
export function livingDeclarations(store: Store, route?: string): Promise<readonly RouteDeclaration[]> {
  const since = store.clock.now() - declarationLifeMs;
  return store.routes.declarations({ since, ...(route === undefined ? {} : { route }) });
}

/** The same without those that differ in their door alone: a thousand processes of one application declare one thing. */
export function distinctDeclarations(declarations: readonly RouteDeclaration[]): readonly RouteDeclaration[] {
  return [
    ...new Map(declarations.map(({ door, ...rest }) => [JSON.stringify(rest), { ...rest, door }])).values(),
  ];
}
