import { systemClock } from "../../src/core/index.ts";
import { Connections } from "../../src/store/postgres/connections.ts";
import { loadDriver } from "../../src/store/postgres/driver.ts";
import type { Session } from "../../src/store/postgres/session.ts";

/** A connection to a store's schema as the writer of another process would have it; to be ended by who asked for it. */
export async function writerSession(url: string, schema: string): Promise<Session> {
  const options = { url, schema, timers: systemClock, connectMs: 5_000, name: "cutover other" };
  return new Connections(await loadDriver(), options).open("write");
}
