import { genesis } from "../chain.ts";
import type { StoredEvent } from "../run-events.ts";
import { type EventRow, toEvent } from "../run-rows.ts";
import { type CommitMark, likeMark } from "./commit-mark.ts";
import type { Session } from "./session.ts";

/**
 * The events of a commit that the server has linked and whose answer was lost: where it has put them is not known here
 * otherwise. Of other commits all is known.
 */
export async function foundEvents(session: Session, mark: CommitMark): Promise<readonly StoredEvent[]> {
  if (!("event" in mark)) return [];
  const { sql, values } = likeMark(mark.event);
  const [answer] = await session.send([
    {
      sql: `WITH first AS (${sql} ORDER BY seq LIMIT 1)
        SELECT e.seq, e.at, e.stream, e.type, e.data, encode(e.packed, 'hex') AS packed,
          encode(e.hash, 'hex') AS hash, coalesce(encode(p.hash, 'hex'), '${genesis}') AS previous
        FROM first JOIN events e ON e.seq >= first.seq AND e.seq < first.seq + $5
        LEFT JOIN events p ON p.seq = e.seq - 1 ORDER BY e.seq`,
      values: [...values, mark.count],
      wants: "rows",
    },
  ]);
  return ((answer?.rows ?? []) as unknown as readonly EventRow[]).map(toEvent);
}
