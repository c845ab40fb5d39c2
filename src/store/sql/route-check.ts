import type { Break } from "../chain.ts";
import { type Differing, type FoundRow, ReplayedRows } from "../replayed-rows.ts";
import type { RowValue } from "../row-change.ts";
import { type EventRow, toEvent } from "../run-rows.ts";
import type { StoredEvent } from "../run-events.ts";
import { all, type Dialect, type Program } from "./program.ts";

const type = "route.changed";

type RouteRow = Readonly<Record<"route" | "stage" | "share" | "epoch" | "salt", RowValue>>;

/**
 * Holds the rows of routes against the events that changed them, while those are walked: what happened to routes is
 * compared part by part, and only where each of them stands now is kept.
 */
export class RouteCheck {
  readonly #routes = new ReplayedRows(["routes"]);
  readonly #since: string;

  constructor(dialect: Dialect) {
    const columns = `e.seq, e.at, e.stream, e.type, ${dialect.eventData("e")}, ${dialect.hex("e.hash")} AS hash`;
    this.#since = `SELECT ${columns} FROM events e WHERE e.type = '${type}' AND e.seq > ? AND e.seq <= ? ORDER BY e.seq`;
  }

  /** The events after `after` up to `until`, of which these are some: nothing else has changed a route there. */
  *walk(
    rows: readonly (Omit<StoredEvent, "data" | "previous"> & { readonly data: string })[],
    { after, until }: { readonly after: number; readonly until: number },
  ): Program<Break | Differing | undefined> {
    const changes = new ReplayedRows(["route_changes"]);
    for (const row of rows) {
      if (row.type !== type) continue;
      const event = { ...row, data: JSON.parse(row.data) as StoredEvent["data"] };
      changes.apply(event);
      const found = this.#apply(event);
      if (found !== undefined) return found;
    }
    const found = yield* all<FoundRow>(
      "SELECT seq, route, at, change FROM route_changes WHERE seq > ? AND seq <= ? ORDER BY seq",
      after,
      until,
    );
    return changes.difference(new Map([["route_changes", found]]), until);
  }

  /** @param walked the last event that was walked; what came since is read here */
  *end(walked: number): Program<Break | Differing | undefined> {
    // One statement: no commit comes between the rows and the event they tell of. Where there is no route, nor is there a row.
    const rows = yield* all<RouteRow & { readonly newest: number; readonly change: number | null }>(
      `SELECT h.seq AS newest, r.route, r.stage, r.share, r.epoch, r.salt,
         (SELECT min(c.seq) FROM route_changes c WHERE c.seq > h.seq OR c.seq < 1) AS change
       FROM chain_head h LEFT JOIN routes r ON 1 = 1`,
    );
    const newest = rows[0]?.newest ?? walked;
    for (const row of yield* all<EventRow>(this.#since, walked, newest)) {
      const found = this.#apply(toEvent({ ...row, previous: "" }));
      if (found !== undefined) return found;
    }
    const [stray] = rows;
    if (typeof stray?.change === "number") {
      const key = { seq: stray.change };
      const row = { table: "route_changes", key, column: null, expected: null, found: "a row" };
      return { brokenAt: newest, row };
    }
    const found = rows.flatMap(({ route, stage, share, epoch, salt }) =>
      route === null ? [] : [{ route, stage, share, epoch, salt }],
    );
    return this.#routes.difference(new Map([["routes", found]]), newest);
  }

  #apply(event: Pick<StoredEvent, "seq" | "at" | "stream" | "type" | "data">): Break | undefined {
    if (this.#routes.apply(event)) return undefined;
    const { seq, stream } = event;
    return {
      brokenAt: seq,
      reason: `event ${seq} (${type} of ${stream}) does not follow from those before it`,
    };
  }
}
