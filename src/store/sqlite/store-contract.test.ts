import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { type CallersTransaction, storeContract, type Tamper } from "../../testing/index.ts";
import { openSqliteStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-contract-"));
let stores = 0;
afterAll(() => rmSync(folder, { recursive: true }));

const callersTransaction: CallersTransaction = (store) => {
  const { reach } = store;
  const connection = new DatabaseSync(reach?.kind === "sqlite" ? reach.path : "");
  connection.exec("BEGIN IMMEDIATE");
  const end = (how: string): Promise<void> => {
    connection.exec(how);
    connection.close();
    return Promise.resolve();
  };
  return Promise.resolve({ connection, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") });
};

const tamper: Tamper = ({ reach }, sql) => {
  const connection = new DatabaseSync(reach?.kind === "sqlite" ? reach.path : "");
  connection.exec(`DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed;
    DROP TRIGGER events_are_added_at_the_end; ${sql}`);
  connection.close();
  return Promise.resolve();
};

storeContract(
  "sqlite file",
  (clock) => openSqliteStore({ path: join(folder, `${++stores}.db`), clock }),
  { describe, expect, test },
  { callersTransaction, tamper },
);
storeContract("sqlite memory", (clock) => openSqliteStore({ path: ":memory:", clock }), {
  describe,
  expect,
  test,
});
