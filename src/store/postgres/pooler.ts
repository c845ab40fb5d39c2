import type { Clock } from "../../core/index.ts";
import type { PgClient, PgResult } from "./driver.ts";
import { sharedConnection } from "./postgres-error.ts";

/** A pooler that shares connections may have none to give while another one is held: then it does not answer in time. */
const probeMs = 2_000;
/** Poolers give out what was given back last, or each in turn: of both, with few connections, it shows within some rounds. */
const rounds = 8;

/**
 * Refuses a connection that is another one with each transaction: settings, prepared statements and even the schema would
 * be those of whoever had it last. To be asked where something stands between, before anything is set but a mark of no meaning.
 *
 * Whether it shares is seen by a mark of this session, while another client holds a connection: in session mode the
 * mark is still there, and nobody else sees it. A pooler that is asked by many others meanwhile may pass all the same.
 * @throws CUTOVER_STORE_UNAVAILABLE
 */
export async function refuseSharing(
  client: PgClient,
  name: string,
  openOther: () => Promise<PgClient>,
  timers: Clock,
): Promise<void> {
  const other = await openOther();
  const late = Promise.withResolvers<undefined>();
  const timer = timers.after(probeMs, () => late.resolve(undefined));
  try {
    await client.query(`SET cutover.mark = '${name}'`);
    const inTime = async (asked: Promise<unknown>): Promise<unknown> => {
      asked.catch(() => {}); // It may be given up.
      return await Promise.race([asked, late.promise]);
    };
    let stays = true;
    for (let round = 0; stays && round < rounds; round++) {
      // Whichever connection it is given: sooner or later that is the marked one, or the client is given another.
      if (round % 2 === 1) await client.query("SELECT 1");
      await inTime(other.query("BEGIN"));
      const [theirs, own] = [await inTime(other.query(markOf)), await inTime(client.query(markOf))];
      await inTime(other.query("ROLLBACK"));
      stays = own !== undefined && mark(own) === name && mark(theirs) !== name;
    }
    if (stays) return;
  } finally {
    timer.cancel();
    // Its transaction ends with it.
    other.connection?.stream?.destroy();
  }
  throw sharedConnection("a pooler that gives a session's connection to others between transactions");
}

const markOf = "SELECT current_setting('cutover.mark', true) AS mark";
const mark = (answer: unknown): unknown => (answer === undefined ? undefined : rowsOf(answer)[0]?.["mark"]);
const rowsOf = (answer: unknown): PgResult["rows"] => (answer as PgResult).rows;
