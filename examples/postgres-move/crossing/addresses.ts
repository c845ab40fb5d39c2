import { CutoverError } from "cutover";
import { addressOf, places, readRecord, type ServersRecord } from "../settings.ts";

/** Where both shops are. The schema is named, so that other tables of the databases are nobody's business here. */
export function addresses(dir: string): {
  readonly oldShop: string;
  readonly newShop: string;
  /** A database with the old tables, to which the backup is restored as a proof. */
  readonly scratch: string;
} {
  const servers = readRecord<ServersRecord>(places(dir).servers);
  if (servers === undefined)
    throw new CutoverError("CUTOVER_DATA_MISSING", {
      message: `expected the servers of the example in ${places(dir).servers}, found none`,
      remedy: "start the example with `node examples/postgres-move/start.ts`",
    });
  return {
    oldShop: addressOf(servers.old, "shop", "shop"),
    newShop: addressOf(servers.new, "sales", "sales"),
    scratch: addressOf(servers.old, "scratch", "shop"),
  };
}
