import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../../core/index.ts";
import { ManualClock } from "../../testing/index.ts";
import { openSqliteStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-schema-"));
afterAll(() => rmSync(folder, { recursive: true }));
const clock = new ManualClock();
let files = 0;
let path = "";
beforeEach(() => {
  path = join(folder, `${++files}.db`);
});

const digest = (): string => sha256(readFileSync(path));

async function make(): Promise<void> {
  const store = await openSqliteStore({ path, clock });
  await store.runs.commit("r1", [
    { type: "run.created", data: { migration: "m", hash: "h", source: "s", by: "ana", graph: {} } },
  ]);
  await store.close();
}

function alter(sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

describe("opening a store", () => {
  test("makes the schema once and finds everything again", async () => {
    await make();
    await using store = await openSqliteStore({ path, clock });
    expect(await store.runs.get("r1")).toMatchObject({ migration: "m" });
    expect(store.description).toBe(`sqlite ${path}`);
  });

  test("goes on when the first opening was ended before it was done", async () => {
    writeFileSync(path, "");
    await make();
    await using store = await openSqliteStore({ path, clock });
    expect(await store.events.count()).toBe(1);
  });

  test("refuses a store that a newer program changed in a breaking way, and leaves every byte", async () => {
    await make();
    alter("INSERT INTO schema VALUES (999, '999-next.sql', 1, 0)");
    const before = digest();
    await expect(openSqliteStore({ path, clock })).rejects.toMatchObject({
      code: "CUTOVER_STORE_NEWER",
      details: { found: 999 },
    });
    expect(digest()).toBe(before);
  });

  test("uses a store that a newer program only added to", async () => {
    await make();
    alter("INSERT INTO schema VALUES (999, '999-next.sql', 0, 0); CREATE TABLE later (x)");
    await using store = await openSqliteStore({ path, clock });
    expect(await store.runs.get("r1")).toMatchObject({ migration: "m" });
  });
});

describe("a file that is no whole store is refused and left as it is:", () => {
  const refused = async (code: string): Promise<void> => {
    const before = digest();
    await expect(openSqliteStore({ path, clock })).rejects.toMatchObject({ code, place: path });
    expect(digest()).toBe(before);
  };

  test("a text file", async () => {
    writeFileSync(path, "these are not the pages you are looking for\n".repeat(200));
    await refused("CUTOVER_STORE_CORRUPT");
  });

  test("a database of another program", async () => {
    alter("CREATE TABLE customers (id)");
    await refused("CUTOVER_STORE_CORRUPT");
  });

  test("a store whose file was cut off", async () => {
    await make();
    truncateSync(path, statSync(path).size / 2);
    await refused("CUTOVER_STORE_CORRUPT");
  });

  test("a store whose first page was overwritten", async () => {
    await make();
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100, 4096);
    writeFileSync(path, bytes);
    await refused("CUTOVER_STORE_CORRUPT");
  });

  test("a damaged page found later is named as such by the call that met it", async () => {
    await make();
    copyFileSync(path, `${path}.whole`);
    const bytes = readFileSync(path);
    const db = new DatabaseSync(path, { readOnly: true });
    const page = Number(
      db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'runs'").get()?.["rootpage"],
    );
    db.close();
    bytes.fill(0xff, (page - 1) * 4096, page * 4096);
    writeFileSync(path, bytes);
    await using store = await openSqliteStore({ path, clock });
    await expect(store.runs.list()).rejects.toMatchObject({ code: "CUTOVER_STORE_CORRUPT" });
  });
});

describe("a place that cannot be used is named:", () => {
  test("a folder that does not exist", async () => {
    await expect(openSqliteStore({ path: join(folder, "missing", "c.db"), clock })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      place: join(folder, "missing", "c.db"),
    });
  });

  test("a folder where the file should be", async () => {
    await expect(openSqliteStore({ path: folder, clock })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
    });
  });
});
