import { faultPoint } from "../../core/index.ts";
import type { Statement } from "../sql/program.ts";
import { textArray } from "./arrays.ts";
import type { Foreseen } from "./foresight.ts";
import { writtenWithin } from "./joined.ts";
import { insertRows, writeCounts, writeLanes } from "./order-write.ts";
import { troubleOf } from "./postgres-error.ts";
import { clockNow } from "./server-clock.ts";
import type { Session } from "./session.ts";
import { CommitUnknown, writeEvents } from "./transaction.ts";

/** As far as the store's clock may be from the server's, milliseconds; the wait for the lock counts. */
const clockMs = 100;

/**
 * Stores what was foreseen as one statement that is its own transaction: it moves the end of the chain if that is where
 * it was taken to be, and all else is written as often as that was so, once or never. A statement that has to wait for
 * the end looks at it again when it gets it.
 * @param timed false when the store was given a clock of its own
 * @returns the server's time, or undefined when it was not so and nothing was written
 * @throws CommitUnknown
 */
export async function commitForeseen(
  session: Session,
  foreseen: Foreseen,
  timed: boolean,
): Promise<number | undefined> {
  const { chain, writes } = foreseen;
  faultPoint("store.commit.before-begin");
  const statement = writtenWithin("head", moveHead(foreseen, timed), [
    ...writeLanes(writes, "head"),
    ...insertRows(writes.inserted, "head"),
    ...writeCounts(writes, "head"),
    writeEvents(chain, "head"),
  ]);
  faultPoint("store.commit.before");
  const [settled] = await session.settle([statement]);
  faultPoint("store.commit.after");
  if (settled?.ok === true) return settled.answer.rows[0]?.["now"] as number | undefined;
  const error = settled?.error ?? new Error("no answer");
  if (troubleOf(error) === "lost") throw new CommitUnknown({ xact: "0", end: chain.end }, error);
  // The server has taken it back: the usual way says why, or gets through.
  return undefined;
}

function moveHead({ start, now, chain, needs }: Foreseen, timed: boolean): Statement {
  const values = [start.seq, start.hash, chain.end.seq, chain.end.hash, textArray(needs.ids)];
  const where = [
    "id = 1 AND seq = $1 AND hash = decode($2, 'hex')",
    "NOT EXISTS (SELECT FROM orders WHERE orders.id = ANY($5::text[]))",
  ];
  if (timed) {
    values.push(now);
    where.push(`abs(${clockNow} - $${values.length}::bigint) <= ${clockMs}`);
  }
  if (needs.uniqueKeys.length > 0) {
    values.push(
      textArray(needs.uniqueKeys.map(({ queue }) => queue)),
      textArray(needs.uniqueKeys.map(({ key }) => key)),
    );
    where.push(`NOT EXISTS (SELECT FROM unnest($${values.length - 1}::text[], $${values.length}::text[])
        AS asked (queue, key) JOIN orders ON orders.queue = asked.queue AND orders.unique_key = asked.key
        AND orders.unique_key IS NOT NULL)`);
  }
  return {
    sql: `UPDATE chain_head SET seq = $3, hash = decode($4, 'hex') WHERE ${where.join(" AND ")}
      RETURNING ${clockNow} AS now`,
    values,
    wants: "rows",
  };
}
