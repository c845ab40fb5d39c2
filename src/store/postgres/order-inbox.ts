import { canonicalJson, CutoverError } from "../../core/index.ts";
import type { NewOrder } from "../order-records.ts";
import { textArray } from "./arrays.ts";
import { storeError } from "./postgres-error.ts";

/** As much of a client of `pg` as is needed, so that anything with its `query` will do. */
interface CallersClient {
  query(text: string, values: readonly unknown[]): Promise<unknown>;
  getTransactionStatus?(): string | null;
}

/**
 * Puts orders into the inbox by the caller's own connection, inside the caller's transaction. The chain is not touched:
 * the lock on its end would be held until the caller commits. The ring goes out with his commit.
 */
export async function submitIntoInbox(
  connection: unknown,
  orders: readonly NewOrder[],
  options: { readonly schema: string; readonly channel: string; readonly place: string },
): Promise<void> {
  const { schema, channel, place } = options;
  const client = checked(connection, place);
  if (orders.length === 0) return;
  const queues = [...new Set(orders.map(({ queue }) => queue))];
  try {
    await client.query(
      `INSERT INTO "${schema}".order_inbox (queue, id, data)
       SELECT queue, id, data FROM unnest($1::text[], $2::text[], $3::text[]) AS new (queue, id, data)`,
      [
        textArray(orders.map(({ queue }) => queue)),
        textArray(orders.map(({ id }) => id)),
        textArray(orders.map((order) => canonicalJson(order))),
      ],
    );
    await client.query("SELECT pg_notify($1, $2)", [channel, JSON.stringify({ from: "", seq: 0, queues })]);
  } catch (error) {
    throw storeError(error, place);
  }
}

function checked(connection: unknown, place: string): CallersClient {
  const client = connection as Partial<CallersClient> | null | undefined;
  if (typeof client?.query !== "function") {
    throw refused("a client of pg", connection === null ? "null" : typeof connection, place);
  }
  // "I" is idle; null says that nothing was sent yet. Older versions of pg do not tell.
  const status = client.getTransactionStatus?.();
  if (status === "I" || status === null) {
    throw refused("a client inside a transaction", "one outside: the order would be stored at once", place);
  }
  return client as CallersClient;
}

function refused(expected: string, found: string, place: string): CutoverError {
  return new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `expected ${expected}, found ${found}`,
    remedy: "take a client of the same database, BEGIN, and hand that client in",
    place,
  });
}
