import { canonicalJson, CutoverError } from "../../core/index.ts";
import type { NewOrder } from "../order-records.ts";
import { one } from "../sql/program.ts";
import type { Sql } from "../sql/write-context.ts";
import { textArray } from "./arrays.ts";
import { sqlStateOf, storeError } from "./postgres-error.ts";

/** As much of a client of `pg` as is needed, so that anything with its `query` will do. */
interface CallersClient {
  query(text: string, values?: readonly unknown[]): Promise<unknown>;
  getTransactionStatus?(): string | null;
}

export interface InboxOptions {
  readonly schema: string;
  readonly channel: string;
  readonly place: string;
}

/** Puts orders into the inbox by a connection of the caller. */
export type SubmitIntoInbox = (connection: unknown, orders: readonly NewOrder[]) => Promise<void>;

/**
 * Puts orders into the inbox by the caller's own connection, inside the caller's transaction. The chain is not touched:
 * the lock on its end would be held until the caller commits. The ring goes out with his commit.
 *
 * Nothing is written by a connection to another database, even if that holds a store of the same schema: the order would be
 * done there.
 */
export function submitIntoInbox(sql: Sql, { schema, channel, place }: InboxOptions): SubmitIntoInbox {
  let own: string | undefined;
  const identity = async (): Promise<string> => {
    const found = await sql.read(() => one<{ readonly id: string }>(identityOf(`"${schema}"`)));
    return (own = found?.id ?? "");
  };
  const insert = `INSERT INTO "${schema}".order_inbox (queue, id, data)
    SELECT queue, id, data FROM unnest($1::text[], $2::text[], $3::text[]) AS new (queue, id, data)
    WHERE $4 = (${identityOf(`"${schema}"`)})`;
  return async (connection, orders) => {
    const client = checked(connection, place);
    if (orders.length === 0) return;
    const values = [
      textArray(orders.map(({ queue }) => queue)),
      textArray(orders.map(({ id }) => id)),
      textArray(orders.map((order) => canonicalJson(order))),
    ];
    const queues = [...new Set(orders.map(({ queue }) => queue))];
    try {
      if (client.getTransactionStatus === undefined) await insideTransaction(client, place);
      for (let known = own ?? (await identity()); ;) {
        if (rowsOf(await client.query(insert, [...values, known])) !== 0) break;
        // The tables may have been made anew, by a restore, since they were looked at.
        const now = await identity();
        if (now === known) throw ofAnotherDatabase(place);
        known = now;
      }
      await client.query("SELECT pg_notify($1, $2)", [channel, JSON.stringify({ from: "", seq: 0, queues })]);
    } catch (error) {
      throw refusalOf(error, place) ?? storeError(error, place);
    }
  };
}

/** Tells the tables of one store from those of another one that bears the same name. */
const identityOf = (schema: string): string =>
  `SELECT current_database() || ' ' || '${schema}.order_inbox'::regclass::oid || ' ' || applied_at AS id
   FROM ${schema}.schema WHERE version = 1`;

/** A pool, whose every call may take another connection, and clients that do not tell: the server says it. */
async function insideTransaction(client: CallersClient, place: string): Promise<void> {
  try {
    await client.query("SAVEPOINT cutover_inbox");
  } catch (error) {
    if (sqlStateOf(error) === "25P01") throw outside(place);
    throw error;
  }
  await client.query("RELEASE SAVEPOINT cutover_inbox");
}

function checked(connection: unknown, place: string): CallersClient {
  const client = connection as Partial<CallersClient> | null | undefined;
  if (typeof client?.query !== "function") {
    throw refused("a client of pg", connection === null ? "null" : typeof connection, place);
  }
  // "I" is idle; null says that nothing was sent yet. Older versions of pg do not tell.
  const status = client.getTransactionStatus?.();
  if (status === "I" || status === null) throw outside(place);
  if (status === "E") throw failed(place);
  return client as CallersClient;
}

/** What the server says of a transaction, or a database, that cannot be the one that was meant. */
function refusalOf(error: unknown, place: string): CutoverError | undefined {
  const state = sqlStateOf(error);
  if (state === "25P02") return failed(place);
  return state === "42P01" || state === "3F000" ? ofAnotherDatabase(place) : undefined;
}

const rowsOf = (result: unknown): number | undefined => {
  const { rowCount } = (result ?? {}) as { readonly rowCount?: unknown };
  return typeof rowCount === "number" ? rowCount : undefined;
};

const outside = (place: string): CutoverError =>
  refused("a client inside a transaction", "one outside: the order would be stored at once", place);

const failed = (place: string): CutoverError =>
  refused(
    "a transaction that can be committed",
    "one in which a statement has failed: ROLLBACK it and begin again",
    place,
  );

const ofAnotherDatabase = (place: string): CutoverError =>
  refused("a client of the store's own database", "one of another database", place);

function refused(expected: string, found: string, place: string): CutoverError {
  return new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `expected ${expected}, found ${found}`,
    remedy: "take a client of the same database, BEGIN, and hand that client in",
    place,
  });
}
