import { type Clock, CutoverError, type Interval, type MismatchSample, stages } from "../../core/index.ts";
import { canonicalJson } from "../../core/index.ts";
import * as rows from "../run-rows.ts";
import type { RouteChange } from "../run-events.ts";
import type { RouteStore } from "../store.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Reader } from "./reader.ts";
import { appendRunEvent, checkRunFence } from "./runs.ts";

/** Intervals older than this are pruned: gates look back hours, never a day. */
const intervalAge = 24 * 3_600_000;
const keptMismatches = 200;

/** The routes of an SQLite store. `newSalt` gives a route seen for the first time the salt of its buckets. */
export function sqliteRoutes(
  reader: Reader,
  writer: GroupCommit,
  clock: Clock,
  newSalt: () => string,
): RouteStore {
  const one = `${rows.routeSelect} WHERE route = ?`;
  return {
    get: (route) =>
      reader.read((db) => {
        const row = db.get<Parameters<typeof rows.toRoute>[0]>(one, route);
        return row === undefined ? undefined : rows.toRoute(row);
      }),
    list: () =>
      reader.read((db) =>
        db.all<Parameters<typeof rows.toRoute>[0]>(`${rows.routeSelect} ORDER BY route`).map(rows.toRoute),
      ),
    set(change, run) {
      return writer.write((tx) => {
        const { route, epoch, stage, share, by, reason } = change;
        checkTarget(change);
        if (run !== undefined) checkRunFence(tx, run.id, run.fence);
        const found = tx.db.get<Parameters<typeof rows.toRoute>[0]>(one, route);
        const before = found === undefined ? null : rows.toRoute(found);
        if ((before?.epoch ?? 0) !== epoch) throw staleEpoch(route, epoch, before?.epoch ?? 0);
        const after = { route, stage, share, epoch: epoch + 1, salt: before?.salt ?? newSalt() };
        const data: RouteChange = { before, after, by, ...(reason === undefined ? {} : { reason }) };
        if (run !== undefined) {
          appendRunEvent(tx, clock.now(), run.id, { type: "route.changed", data });
        } else if (!tx.append(clock.now(), `route:${route}`, { type: "route.changed", data }).fits) {
          throw staleEpoch(route, epoch, before?.epoch ?? 0);
        }
        return after;
      });
    },
    changes: (route) =>
      reader.read((db) =>
        db
          .all<rows.RouteChangeRow>(
            "SELECT at, change FROM route_changes WHERE route = ? ORDER BY seq",
            route,
          )
          .map(rows.toRouteChange),
      ),
    recordIntervals(intervals) {
      return writer.write((tx) => {
        const oldest = clock.now() - intervalAge;
        let stored = 0;
        for (const interval of intervals) {
          // Too old to be kept: stored again after its pruning, it would count twice.
          if (interval.to < oldest) continue;
          stored += tx.db.run(
            "INSERT INTO intervals (id, route, to_at, data) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            interval.id,
            interval.route,
            interval.to,
            canonicalJson(interval),
          );
        }
        // The newest row stays whatever its time: a row number given twice would hide an arrival.
        tx.db.run(
          "DELETE FROM intervals WHERE to_at < ? AND rowid < (SELECT max(rowid) FROM intervals)",
          oldest,
        );
        return stored;
      });
    },
    intervals: ({ route, since }) =>
      reader.read((db) =>
        (route === undefined
          ? db.all<{ data: string }>("SELECT data FROM intervals WHERE to_at > ? ORDER BY to_at, id", since)
          : db.all<{ data: string }>(
              "SELECT data FROM intervals WHERE route = ? AND to_at > ? ORDER BY to_at, id",
              route,
              since,
            )
        ).map((row) => JSON.parse(row.data) as Interval),
      ),
    arrivals: ({ route, after, since }) =>
      reader.read((db) => {
        const newest = db.get<{ position: number | null }>("SELECT max(rowid) AS position FROM intervals");
        const position = Math.max(after, newest?.position ?? 0);
        // By row number once there is one to begin with: the index by time would read the whole day at each look.
        const source = after === 0 ? "intervals" : "intervals NOT INDEXED";
        const found = db.all<{ data: string }>(
          `SELECT data FROM ${source} WHERE route = ? AND to_at > ? AND rowid > ? AND rowid <= ? ORDER BY rowid`,
          route,
          since,
          after,
          position,
        );
        return { position, intervals: found.map(({ data }) => JSON.parse(data) as Interval) };
      }),
    async recordMismatches(samples) {
      await writer.write((tx) => {
        for (const sample of samples) {
          tx.db.run(
            "INSERT INTO mismatches (id, route, at, data) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            sample.id,
            sample.route,
            sample.at,
            canonicalJson(sample),
          );
        }
        for (const route of new Set(samples.map((sample) => sample.route))) {
          tx.db.run(
            `DELETE FROM mismatches WHERE route = ? AND (at, id) < (SELECT at, id FROM mismatches WHERE route = ?
             ORDER BY at DESC, id DESC LIMIT 1 OFFSET ?)`,
            route,
            route,
            keptMismatches - 1,
          );
        }
      });
    },
    mismatches: (route) =>
      reader.read((db) =>
        db
          .all<{ data: string }>(
            "SELECT data FROM mismatches WHERE route = ? ORDER BY at DESC, id DESC",
            route,
          )
          .map((row) => JSON.parse(row.data) as MismatchSample),
      ),
  };
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
