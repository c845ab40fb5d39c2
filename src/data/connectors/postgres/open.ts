import { type Clock, systemClock } from "../../../core/index.ts";
import { refuseOptions } from "../../capture-options.ts";
import { readAddress } from "./address.ts";
import { loadDriver } from "./driver.ts";
import { dataError } from "./postgres-error.ts";
import { PostgresStore } from "./store.ts";

export interface PostgresDataOptions {
  /** Tables of these schemas alone. Default: those of the address, or all of the user's own. */
  readonly schemas?: readonly string[];
  /** Tables that have to be there, and such that they can be moved, as `schema.table`. Default: none is asked for. */
  readonly collections?: readonly string[];
  readonly clock?: Clock;
}

/**
 * Opens the tables of a PostgreSQL database (14 or later) as collections named `schema.table`. A key is `encodeKey` of the primary
 * key's columns, a value `encodeRecord` of all columns in their order; generated columns are left out. Uses the package `pg`.
 *
 * @param address `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=A,B`
 * @throws CUTOVER_DATA_ADDRESS, CUTOVER_DRIVER_MISSING, CUTOVER_DATA_UNAVAILABLE, CUTOVER_DATA_DENIED, CUTOVER_DATA_MISSING,
 * CUTOVER_DATA_COLLECTION
 *
 * @example
 * await using store = await openPostgresData("postgres://app@localhost/shop?schema=public");
 */
export async function openPostgresData(
  address: string,
  options: PostgresDataOptions = {},
): Promise<PostgresStore> {
  const { schemas, collections = [], clock = systemClock, ...unknown } = options;
  refuseOptions("openPostgresData", unknown);
  const read = readAddress(address);
  const driver = await loadDriver();
  const store = new PostgresStore(driver, { ...read, schemas: schemas ?? read.schemas }, clock);
  try {
    return await store.check(collections);
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw dataError(error, read.name);
  }
}
