import { realpathSync } from "node:fs";
import { canonicalJson, CutoverError } from "../../core/index.ts";
import type { NewOrder } from "../order-records.ts";
import { storeError } from "./sqlite-error.ts";

/** As much of a `DatabaseSync` as is needed, so that one of another copy of the module will do. */
interface CallersConnection {
  prepare(sql: string): { run(...values: readonly (string | number)[]): unknown; get(): unknown };
  readonly isTransaction?: boolean;
}

/**
 * Puts orders into the inbox by the caller's own connection, inside the caller's transaction. The chain is not touched:
 * its head belongs to this store's transactions, and a caller may keep his open for long.
 */
export function submitIntoInbox(connection: unknown, path: string, orders: readonly NewOrder[]): void {
  const caller = checked(connection, path);
  try {
    refuseAnother(caller, path);
    const insert = caller.prepare("INSERT INTO order_inbox (queue, id, data) VALUES (?, ?, ?)");
    for (const order of orders) insert.run(order.queue, order.id, canonicalJson(order));
  } catch (error) {
    throw storeError(error, path);
  }
}

function checked(connection: unknown, path: string): CallersConnection {
  const caller = connection as Partial<CallersConnection> | null | undefined;
  if (typeof caller?.prepare !== "function") {
    throw refused("a DatabaseSync of node:sqlite", connection === null ? "null" : typeof connection, path);
  }
  if (isClosed(caller)) throw refused("a connection inside a transaction", "one that was closed", path);
  if (caller.isTransaction === false) {
    throw refused(
      "a connection inside a transaction",
      "one outside: the order would be stored at once",
      path,
    );
  }
  if (path === ":memory:" || path === "") {
    throw refused("a store in a file", "one in memory, which no second connection can reach", path);
  }
  return caller as CallersConnection;
}

/** Another database has no inbox, or one whose orders would be done there. */
function refuseAnother(caller: CallersConnection, path: string): void {
  const found = caller.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").get();
  const { file } = (found ?? {}) as { readonly file?: unknown };
  if (typeof file === "string" && real(file) === real(path)) return;
  const other = typeof file === "string" && file !== "" ? `one to ${file}` : "one to a database in memory";
  throw refused(`a connection to ${path}, the database of the queue's store`, other, path);
}

/** `isTransaction` of a closed connection throws. */
function isClosed(caller: Partial<CallersConnection>): boolean {
  try {
    void caller.isTransaction;
    return false;
  } catch {
    return true;
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function refused(expected: string, found: string, place: string): CutoverError {
  return new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `expected ${expected}, found ${found}`,
    remedy: "open the store's file with DatabaseSync, BEGIN, and hand that connection in",
    place,
  });
}
