import { statSync } from "node:fs";
import {
  type Clock,
  CutoverError,
  type Log,
  type RandomBytes,
  sqliteAddressProblem,
  systemClock,
} from "../core/index.ts";
import { missingStore } from "./missing-store.ts";
import { checkAddress } from "./postgres/address.ts";
import { openPostgresStore } from "./postgres/open.ts";
import { databasePath } from "./sqlite/database-path.ts";
import { openSqliteStore } from "./sqlite/open.ts";
import type { Store } from "./store.ts";

export interface OpenStoreOptions {
  /** Local time. That of the record, too, for SQLite; PostgreSQL has its server's. Default the system's. */
  readonly clock?: Clock;
  /** Told when a listener throws. Silent by default. */
  readonly log?: Log;
  /** Spreads retries. Default `Math.random`. */
  readonly random?: () => number;
  /** Makes the salts of new routes. Default: the system's random bytes. */
  readonly randomBytes?: RandomBytes;
  /** Whether a store that is not there is made. Default true. False, for who only looks: it is refused, and nothing is written. */
  readonly make?: boolean;
  /** For who only looks: an SQLite file that may not be written is opened read only, and nothing is made beside it. Default false. */
  readonly look?: boolean;
}

/**
 * Opens the store an address names, making it when it is missing, unless `make` says otherwise.
 * @param where `"sqlite:PATH"` (`sqlite::memory:` for one that ends with the process) or `postgres://…`, where
 *   `?schema=NAME` chooses another schema than `cutover`
 * @throws CUTOVER_STORE_UNAVAILABLE for any other address, also `sqlite://FILE` and `sqlite:FILE?…`, and with `details.missing` for a store that is not to be made; else what the store's own `open` throws
 * @example
 * await using store = await openStore("postgres://app@localhost/work?schema=jobs");
 */
export async function openStore(where: string, options: OpenStoreOptions = {}): Promise<Store> {
  const { clock = systemClock, make = true, look = false, ...rest } = options;
  if (where.startsWith("sqlite:") && where.length > "sqlite:".length) {
    const path = where.slice("sqlite:".length);
    const problem = sqliteAddressProblem(path);
    if (problem !== undefined) throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", problem);
    if (!make && statSync(databasePath(path), { throwIfNoEntry: false }) === undefined)
      throw missingStore(path);
    return openSqliteStore({ ...rest, clock, path, look });
  }
  if (/^postgres(ql)?:\/\//.test(where)) {
    checkAddress(where, ["schema"]); // As it was written: what is read and written again looks in order.
    const url = new URL(where);
    const schema = url.searchParams.get("schema");
    url.searchParams.delete("schema");
    const named = schema === null ? {} : { schema };
    return openPostgresStore({ ...rest, ...named, make, timers: clock, url: url.href });
  }
  throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected the address of a store, found ${schemeOf(where)}`,
    remedy: 'write "sqlite:PATH" or "postgres://USER@HOST:PORT/DATABASE"',
  });
}

/** An address may hold a password, whatever it was meant to be: only its kind is said again. */
function schemeOf(where: string): string {
  const scheme = /^[a-z][a-z0-9+.-]{0,20}(?=:\/\/)/i.exec(where)?.[0];
  return scheme === undefined ? "one without a kind" : `one of the kind ${JSON.stringify(scheme)}`;
}
