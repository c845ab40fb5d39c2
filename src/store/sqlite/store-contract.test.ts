import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { storeContract } from "../../testing/index.ts";
import { openSqliteStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-contract-"));
let stores = 0;
afterAll(() => rmSync(folder, { recursive: true }));

storeContract("sqlite file", (clock) => openSqliteStore({ path: join(folder, `${++stores}.db`), clock }), {
  describe,
  expect,
  test,
});
storeContract("sqlite memory", (clock) => openSqliteStore({ path: ":memory:", clock }), {
  describe,
  expect,
  test,
});
