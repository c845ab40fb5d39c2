import { canonicalJson, type Interval, type MismatchSample } from "../../core/index.ts";
import type { RouteStore } from "../store.ts";
import { countFirstErrors, forgetFirstErrors } from "./first-errors.ts";
import { all, one, type Program, run as execute } from "./program.ts";
import type { Sql } from "./write-context.ts";

/** Intervals older than this are pruned: gates look back hours, never a day. */
const intervalAge = 24 * 3_600_000;
const keptMismatches = 200;

interface DataRow {
  readonly data: string;
}

/** What doors report about routes. None of it is in the chain. */
export function sqlMeasurements(
  sql: Sql,
): Pick<RouteStore, "recordIntervals" | "intervals" | "arrivals" | "recordMismatches" | "mismatches"> {
  return {
    recordIntervals: (intervals) => sql.write(({ now }) => storeIntervals(intervals, now)),
    intervals: ({ route, since }) =>
      sql.read(function* () {
        const found = yield* route === undefined
          ? all<DataRow>("SELECT data FROM intervals WHERE to_at > ? ORDER BY to_at, id", since)
          : all<DataRow>(
              "SELECT data FROM intervals WHERE route = ? AND to_at > ? ORDER BY to_at, id",
              route,
              since,
            );
        return found.map(toInterval);
      }),
    arrivals: ({ route, after, since }) => sql.read(() => arrivals(route, after, since)),
    recordMismatches: (samples) => sql.write(() => storeMismatches(samples)),
    mismatches: (route) =>
      sql.read(function* () {
        const text = "SELECT data FROM mismatches WHERE route = ? ORDER BY at DESC, id DESC";
        return (yield* all<DataRow>(text, route)).map(({ data }) => JSON.parse(data) as MismatchSample);
      }),
  };
}

const toInterval = ({ data }: DataRow): Interval => JSON.parse(data) as Interval;

function* storeIntervals(intervals: readonly Interval[], now: number): Program<number> {
  const oldest = now - intervalAge;
  let stored = 0;
  let forget = false;
  for (const interval of intervals) {
    // Too old to be kept: stored again after its pruning, it would count twice.
    if (interval.to < oldest) continue;
    // Its keys are stored before it, so it is looked for before them: of what is delivered again all keys are known.
    const failed = hasKeys(interval);
    if (failed && (yield* isStored(interval.id))) continue;
    forget ||= failed;
    const counted = yield* countFirstErrors(interval, now);
    stored += yield* execute(
      "INSERT INTO intervals (id, route, to_at, data) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
      counted.id,
      counted.route,
      counted.to,
      canonicalJson(counted),
    );
  }
  if (forget) yield* forgetFirstErrors(now);
  // The newest row stays whatever its time: a position given twice would hide an arrival.
  yield* execute(
    "DELETE FROM intervals WHERE to_at < ? AND position < (SELECT max(position) FROM intervals)",
    oldest,
  );
  return stored;
}

const hasKeys = ({ firstErrors }: Interval): boolean =>
  firstErrors?.keys !== undefined && firstErrors.old + firstErrors.new > 0;

function* isStored(id: string): Program<boolean> {
  return (yield* one("SELECT 1 AS found FROM intervals WHERE id = ?", id)) !== undefined;
}

function* arrivals(
  route: string,
  after: number,
  since: number,
): Program<{ readonly intervals: readonly Interval[]; readonly position: number }> {
  const newest = yield* one<{ readonly position: number | null }>(
    "SELECT max(position) AS position FROM intervals",
  );
  const position = Math.max(after, newest?.position ?? 0);
  // By position once there is one to begin with: the index by time would read the whole day at each look. An expression
  // is in no index.
  const given = after === 0 ? "route = ? AND to_at > ?" : "route || '' = ? AND to_at + 0 > ?";
  const found = yield* all<DataRow>(
    `SELECT data FROM intervals WHERE ${given} AND position > ? AND position <= ? ORDER BY position`,
    route,
    since,
    after,
    position,
  );
  return { position, intervals: found.map(toInterval) };
}

function* storeMismatches(samples: readonly MismatchSample[]): Program<void> {
  for (const sample of samples) {
    yield* execute(
      "INSERT INTO mismatches (id, route, at, data) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
      sample.id,
      sample.route,
      sample.at,
      canonicalJson(sample),
    );
  }
  for (const route of new Set(samples.map((sample) => sample.route))) {
    yield* execute(
      `DELETE FROM mismatches WHERE route = ? AND (at, id) < (SELECT at, id FROM mismatches WHERE route = ?
       ORDER BY at DESC, id DESC LIMIT 1 OFFSET ?)`,
      route,
      route,
      keptMismatches - 1,
    );
  }
}
