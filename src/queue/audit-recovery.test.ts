import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { recoverFromAudit } from "./audit-recovery.ts";
import { openQueue } from "./index.ts";

test("reports an order that has not ended and whose row is gone, and none that was pruned", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cutover-recovery-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "work.db");
  const clock = new ManualClock();
  await using store = await openSqliteStore({ path, clock });
  const queue = await openQueue({ store }, { clock });
  const [lost, waiting, cancelled] = await queue.submitAll([
    { kind: "ship" },
    { kind: "ship" },
    { kind: "count" },
  ]);
  await queue.stop();
  const ended = { fence: 0, from: ["PENDING" as const], to: "CANCELLED" as const, event: "cancelled" };
  await store.orders.change([{ id: cancelled?.id ?? "", ...ended }]);
  await store.orders.prune("default", Number.MAX_SAFE_INTEGER, 10);
  const db = new DatabaseSync(path);
  db.prepare("DELETE FROM orders WHERE id = ?").run(lost?.id ?? "");
  db.close();

  const found = await recoverFromAudit(store, { since: 0, match: ({ order }) => order.state === "PENDING" });
  expect(found.orders).toEqual([
    { id: waiting?.id, kind: "ship", outcome: "unfinished", newId: null },
    { id: lost?.id, kind: "ship", outcome: "missing", newId: null },
  ]);
  expect((await recoverFromAudit(store, { since: 0, dryRun: true })).orders).toMatchObject([
    { id: lost?.id },
  ]);
  await store.rebuild();
  expect((await recoverFromAudit(store, { since: 0 })).orders).toEqual([]);
  expect((await store.orders.get(lost?.id ?? ""))?.state).toBe("PENDING");
});
