import { routeCoverage } from "../report/index.ts";
import { livingDeclarations } from "../store/index.ts";
import type { Handler } from "./call.ts";

/** What was compared of a route by operation and cohort, what was not, and by which fields answers differed; from all measurements that are kept. */
export const showCoverage: Handler = async ({ store, doors }, { name }) =>
  routeCoverage(
    await store.routes.intervals({ route: name, since: 0 }),
    [...doors.declarations(name), ...(await livingDeclarations(store, name))],
    await store.routes.mismatches(name),
  );
