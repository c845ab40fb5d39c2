import { canonicalJson, type RouteDeclaration, sha256 } from "../../core/index.ts";
import { declarationLifeMs, type RouteStore } from "../store.ts";
import { all, type Program, run } from "./program.ts";
import type { Sql } from "./write-context.ts";

/** Written again only when it is older: many doors declare the same at once when a server starts. */
const freshFor = 5_000;

/** What doors declare, as long as somebody repeats it. None of it is in the chain. */
export function sqlDeclarations(sql: Sql): Pick<RouteStore, "declare" | "declarations"> {
  return {
    declare: (declarations) => sql.write(({ now }) => declare(declarations, now)),
    declarations: ({ route, since }) => sql.read(() => living(route, since)),
  };
}

function* declare(declarations: readonly RouteDeclaration[], now: number): Program<void> {
  const rows = declarations.map(({ door, ...rest }) => {
    const content = canonicalJson(rest);
    return { route: rest.route, digest: sha256(content), content, door };
  });
  // In one order everywhere: two servers that write the same rows do not wait for each other in a ring.
  for (const { route, digest, content, door } of rows.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))) {
    yield* run(
      `INSERT INTO declarations (route, digest, content, door, seen_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (route, digest) DO UPDATE SET door = excluded.door, seen_at = excluded.seen_at
       WHERE declarations.seen_at < ?`,
      route,
      digest,
      content,
      door,
      now,
      now - freshFor,
    );
  }
  yield* run("DELETE FROM declarations WHERE seen_at < ?", now - declarationLifeMs);
}

function* living(route: string | undefined, since: number): Program<readonly RouteDeclaration[]> {
  const chosen = "SELECT content, door FROM declarations WHERE seen_at >= ?";
  const found = yield* route === undefined
    ? all<{ readonly content: string; readonly door: string }>(`${chosen} ORDER BY route, digest`, since)
    : all<{ readonly content: string; readonly door: string }>(
        `${chosen} AND route = ? ORDER BY digest`,
        since,
        route,
      );
  return found.map(({ content, door }) => ({
    ...(JSON.parse(content) as Omit<RouteDeclaration, "door">),
    door,
  }));
}
