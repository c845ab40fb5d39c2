import type { Capacity } from "../order-records.ts";
import { classMayFit, classSurelyFits, nextClassToLookAt } from "../size-class.ts";
import type { Connection } from "./connection.ts";

/** Orders looked at in a class of which some may be too large; beyond them a claim waits for more room. */
const lookAhead = 200;

/**
 * The best orders of every kind, tags and size class that may fit: their ids, from the index alone. What cannot fit, or
 * asks for a tag that is not offered, is stepped over: a backlog of it costs one look at the index, however long it is.
 */
export function findCandidates(db: Connection, queue: string, capacity: Capacity): readonly string[] {
  const { slots, memory, max } = capacity;
  const found: string[] = [];
  if (max < 1) return found;
  const offered = new Set(capacity.tags);
  for (const kind of new Set(capacity.kinds)) {
    let [tags, sizeClass] = ["", 0];
    for (;;) {
      const next = db.rows<[string, number]>(
        `SELECT tags, size_class FROM orders WHERE waits = 'room' AND queue = ? AND kind = ?
         AND (tags, size_class) >= (?, ?) ORDER BY tags, size_class LIMIT 1`,
        queue,
        kind,
        tags,
        sizeClass,
      )[0];
      if (next === undefined) break;
      [tags, sizeClass] = next;
      if (!offers(offered, tags)) {
        // No text of tags begins with this one and goes on: the next one is another set of tags.
        sizeClass = Number.MAX_SAFE_INTEGER;
        continue;
      }
      if (classMayFit(sizeClass, slots, memory)) {
        const ids = db.rows<[string]>(
          `SELECT id FROM orders WHERE waits = 'room' AND queue = ? AND kind = ? AND tags = ?
           AND size_class = ? ORDER BY priority DESC, turn, created_at, id LIMIT ?`,
          queue,
          kind,
          tags,
          sizeClass,
          classSurelyFits(sizeClass, slots, memory) ? max : Math.max(max, lookAhead),
        );
        for (const [id] of ids) found.push(id);
      }
      sizeClass = nextClassToLookAt(sizeClass, slots, memory);
    }
  }
  return found;
}

function offers(offered: ReadonlySet<string>, tags: string): boolean {
  return tags === "[]" || (JSON.parse(tags) as readonly string[]).every((tag) => offered.has(tag));
}
