import { expect, test } from "vitest";
import { connectClient } from "../../../../test/postgres/client.ts";
import { postgresServer } from "../../../../test/postgres/server.ts";
import { systemClock } from "../../../core/index.ts";
import { readAddress } from "./address.ts";
import { readTables } from "./catalog.ts";
import { loadDriver } from "./driver.ts";
import { Sessions } from "./sessions.ts";
import { Slots } from "./slots.ts";

test("a transaction that stays open is named when a log cannot begin because of it, and nothing is left behind", async () => {
  const server = await postgresServer({ wal_level: "logical" });
  const open = await connectClient(server.url());
  const sessions = new Sessions(await loadDriver(), readAddress(server.url()));
  try {
    await open.query("CREATE TABLE t (id int PRIMARY KEY)");
    await open.query("SET application_name = 'nightly report'");
    await open.query("BEGIN");
    await open.query("INSERT INTO t VALUES (1)");
    const control = await sessions.get("control");
    const tables = await readTables(control, undefined);
    const slots = new Slots(() => sessions.get("control"), "a store", systemClock, 300);
    await expect(slots.capture("s", tables)).rejects.toMatchObject({
      code: "CUTOVER_DATA_NO_CAPTURE",
      message: expect.stringMatching(
        /^expected the transactions that are open on the server to end within 300 ms, found one of "nightly report" \(process \d+\), open since 2/,
      ) as unknown,
    });
    expect(await server.query("SELECT 1 FROM pg_replication_slots")).toEqual([]);
    await open.query("COMMIT");
    expect(await slots.capture("s", tables)).toBeGreaterThan(0n);
    const [timeout] = await control.query("SHOW statement_timeout");
    expect(timeout?.["statement_timeout"]).toBe("0");
    await slots.release("s");
  } finally {
    await sessions.close();
    await open.end();
    await server.stop();
  }
}, 60_000);
