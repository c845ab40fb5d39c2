import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ManualClock } from "../../testing/index.ts";
import { openStore } from "../open-store.ts";
import { openSqliteStore } from "./open.ts";

const clock = new ManualClock();
let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "cutover-path-")));
  // A thread of the test runner has no process.chdir(); what is resolved later would see the second folder.
  vi.spyOn(process, "cwd").mockReturnValue(folder);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

test("a relative path names the file of the opening, wherever the process goes afterwards", async () => {
  await using store = await openSqliteStore({ path: "work.db", clock });
  mkdirSync(join(folder, "elsewhere"));
  vi.spyOn(process, "cwd").mockReturnValue(join(folder, "elsewhere"));
  expect(store.reach).toEqual({ kind: "sqlite", path: join(folder, "work.db") });
  expect(store.description).toBe(`sqlite ${join(folder, "work.db")}`);
  expect(existsSync(join(folder, "work.db"))).toBe(true);
});

test.each(["file:y.db?mode=memory", "file::memory:", "file:y.db"])(
  "%s is the name of a file",
  async (path) => {
    await using store = await openSqliteStore({ path, clock });
    expect(readdirSync(folder)).toContain(path);
    expect(store.reach).toEqual({ kind: "sqlite", path: join(folder, path) });
  },
);

test.each([
  { what: "a NUL", path: "a\0b.db", message: "NUL" },
  { what: "250 letters", path: "n".repeat(250), message: "at most 247 bytes" },
  { what: "124 letters of two bytes", path: "ä".repeat(124), message: "found 248" },
])("a name of $what is refused before a file is made", async ({ path, message }) => {
  for (const opening of [
    () => openSqliteStore({ path, clock }),
    () => openStore(`sqlite:${path}`, { clock }),
    () => openStore(`sqlite:${path}`, { clock, make: false }),
  ]) {
    await expect(opening()).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      message: expect.stringContaining(message) as string,
    });
  }
  expect(readdirSync(folder)).toEqual([]);
});

test("a name of 247 bytes is taken", async () => {
  const path = "n".repeat(247);
  await using store = await openSqliteStore({ path, clock });
  expect(await store.events.count()).toBe(0);
});
