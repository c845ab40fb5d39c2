import { type Clock, CutoverError } from "../../core/index.ts";
import type { PgClient, PgResult } from "./driver.ts";

/** A pooler that shares connections may have none to give while another one is held: then it does not answer in time. */
const probeMs = 2_000;

/**
 * Refuses a connection that is another one with each transaction: settings, prepared statements and even the schema would
 * be those of whoever had it last. Nothing is set before that is known, save a mark of no meaning.
 *
 * Straight to the server, its process is the one that it named when it let the client in, and nothing else is asked. Else a pooler
 * stands between. Whether it shares is seen by a mark of this session, while another client holds a connection: in session mode the
 * mark is still there.
 * @throws CUTOVER_STORE_UNAVAILABLE
 */
export async function refuseSharing(
  client: PgClient,
  name: string,
  openOther: () => Promise<PgClient>,
  timers: Clock,
): Promise<void> {
  const [found] = rowsOf(await client.query("SELECT pg_backend_pid()::text AS pid"));
  if (client.processID == null || found?.["pid"] === String(client.processID)) return;
  const other = await openOther();
  const late = Promise.withResolvers<undefined>();
  const timer = timers.after(probeMs, () => late.resolve(undefined));
  try {
    await client.query(`SET cutover.mark = '${name}'`);
    await Promise.race([other.query("BEGIN; SELECT 1"), late.promise]);
    const asked = client.query("SELECT current_setting('cutover.mark', true) AS mark");
    const answer = await Promise.race([asked, late.promise]);
    if (answer === undefined) void asked.catch(() => {});
    if (answer !== undefined && rowsOf(answer)[0]?.["mark"] === name) return;
  } finally {
    timer.cancel();
    // Its transaction ends with it.
    other.connection?.stream?.destroy();
  }
  throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message:
      "expected a connection that stays the same, found a pooler that gives a session's connection to others between transactions",
    remedy: "connect straight to the server, or through the pooler in session mode",
  });
}

const rowsOf = (answer: unknown): PgResult["rows"] => (answer as PgResult).rows;
