import type { ChainEnd } from "../chain-draft.ts";
import { packText } from "../packed-text.ts";
import type { Statement } from "../sql/program.ts";
import { refuseOtherSchema } from "./own-schema.ts";
import { isHead } from "./schema.ts";
import { answersOf, plain, rollBack, type Session } from "./session.ts";
import { lockHead } from "./transaction.ts";

/** What is known of a transaction whose COMMIT was sent and not answered. */
export type CommitMark =
  | {
      readonly xact: string;
      /** Its last event, when it has any and its place is known. */
      readonly end: ChainEnd | undefined;
    }
  /** Its first event, which no other is like: it tells of an order, a fence, a time; and how many it has. */
  | { readonly event: EventMark; readonly count: number };

interface EventMark {
  readonly at: number;
  readonly stream: string;
  readonly text: string;
}

/** So many events a stream may get while a process finds out what became of its commit: minutes of a busy queue. */
const recentEvents = 100_000;

const touchHead: Statement = {
  sql: `UPDATE chain_head SET seq = seq WHERE ${isHead}`,
  values: [],
  wants: "count",
};

/** Whether a transaction got through, asked on another connection. Waits until its end when it is still going on. */
export async function wasCommitted(session: Session, mark: CommitMark): Promise<boolean> {
  const question = questionOf(mark);
  const settled = await session.settle([plain("BEGIN"), lockHead, question, plain("ROLLBACK")]);
  // Behind a question that failed the server skips the end: the connection could be asked nothing more.
  if (settled.some(({ ok }) => !ok)) await rollBack(session);
  const [, head, answer] = answersOf(settled);
  // Of another store's log it cannot be told from.
  if (head?.rows.length === 0) await refuseOtherSchema(session);
  const yes = answer?.rows[0]?.["yes"];
  if (yes !== 1 && yes !== "t") return false;
  // To be seen is not yet to be kept: its commit may have been waiting for a standby when it was cut off. Behind this one it is.
  await session.send([touchHead]);
  return true;
}

/** Where an event of a mark stands, as a query. */
export function likeMark({ at, stream, text }: EventMark): Pick<Statement, "sql" | "values"> {
  return {
    sql: `SELECT seq FROM (SELECT seq, at, data, packed FROM events WHERE stream = $1
      ORDER BY seq DESC LIMIT ${recentEvents}) AS recent WHERE at = $2 AND (data = $3 OR packed = $4)`,
    values: [stream, at, text, packText(text) ?? null],
  };
}

function questionOf(mark: CommitMark): Statement {
  if ("event" in mark) {
    const { sql, values } = likeMark(mark.event);
    return { sql: `SELECT count(*) AS yes FROM (${sql}) AS found`, values, wants: "rows" };
  }
  const { xact, end } = mark;
  if (end === undefined)
    return { sql: "SELECT pg_xact_status($1::xid8) = 'committed' AS yes", values: [xact], wants: "rows" };
  return {
    sql: "SELECT count(*) AS yes FROM events WHERE seq = $1 AND hash = decode($2, 'hex')",
    values: [end.seq, end.hash],
    wants: "rows",
  };
}
