import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { folderEach } from "../../../test/folder-each.ts";
import type { Clock } from "../../core/index.ts";
import { ManualClock, onFaultPoint } from "../../testing/index.ts";
import { newOrder } from "../../testing/store-contract/tools.ts";
import type { Store } from "../store.ts";
import { openSqliteStore } from "./open.ts";

let folder = "";
let path = "";
folderEach("cutover-standing-", (made) => {
  folder = made;
  path = join(folder, "work.db");
});
afterEach(() => onFaultPoint(undefined));

const open = (where = path, clock: Clock = new ManualClock()): Promise<Store> =>
  openSqliteStore({ path: where, clock });
const submit = async (store: Store, id: string): Promise<void> => {
  await store.orders.submit([newOrder(id)]);
};
/** Another process does it, as a person or a script would. */
const shell = (command: string): void => void execFileSync("sh", ["-ec", command], { cwd: folder });
const ids = async (store: Store): Promise<readonly string[]> =>
  (await store.orders.list({ queue: "q", limit: 10_000 })).map(({ id }) => id).toSorted();
const gone = (file: string, found: "none" | "another"): object => ({
  code: "CUTOVER_STORE_GONE",
  exitCode: 6,
  place: path,
  details: { file, found },
});

/** A process that submits one order after the other and says which were acknowledged, until it is refused. */
const submitter = (where: string): string => `
  const { openSqliteStore } = await import(${JSON.stringify(join(import.meta.dirname, "open.ts"))});
  const { systemClock: clock } = await import(${JSON.stringify(join(import.meta.dirname, "../../core/index.ts"))});
  const { newOrder } = await import(${JSON.stringify(join(import.meta.dirname, "../../testing/store-contract/tools.ts"))});
  const { writeSync } = await import("node:fs");
  const store = await openSqliteStore({ path: ${JSON.stringify(where)}, clock });
  try {
    for (let n = 0; n < 20_000; n++) {
      const id = "o" + String(n).padStart(6, "0");
      await store.orders.submit([newOrder(id)]);
      writeSync(1, id + "\\n");
    }
  } catch (error) {
    writeSync(1, error.code + "\\n");
  }
  await store.close();`;

describe("a store whose file is taken away", () => {
  test.each([
    ["moved", "mv work.db away.db", "none"],
    ["removed with all beside it", "rm work.db*", "none"],
    ["removed with its folder", "rm -r $PWD", "none"],
    ["replaced by a restored backup", "mkdir before; mv work.db* before/; cp backup.db work.db", "another"],
  ] as const)("%s acknowledges nothing from then on", async (_title, command, found) => {
    await using backup = await open(join(folder, "backup.db"));
    await submit(backup, "backed-up");
    await backup.close();
    await using store = await open();
    await submit(store, "before");
    shell(command);
    await expect(submit(store, "after")).rejects.toMatchObject(gone(path, found));
    // Also what only reads: it would tell of a queue that nobody else sees.
    await expect(store.orders.get("before")).rejects.toMatchObject(gone(path, found));
    await expect(store.rebuild()).rejects.toMatchObject({ code: "CUTOVER_STORE_GONE" });
    await store.close();
    if (found === "none") return expect(existsSync(path)).toBe(false);
    await using restored = await open();
    expect(await ids(restored)).toEqual(["backed-up"]);
    expect(await restored.events.verify()).toMatchObject({ whole: true, events: 1 });
    await using old = await open(join(folder, "before", "work.db"));
    expect(await ids(old)).toContain("before");
  });

  test("between the write and its commit does not acknowledge it", async () => {
    await using store = await open();
    await submit(store, "before");
    onFaultPoint((name) => {
      if (name === "store.commit.before") shell("mv work.db away.db");
    });
    await expect(submit(store, "within")).rejects.toMatchObject(gone(path, "none"));
    onFaultPoint(undefined);
    shell("mv away.db work.db");
    // Others may have written meanwhile where it was: only who opens it anew sees what stands there.
    await expect(submit(store, "after")).rejects.toMatchObject({ code: "CUTOVER_STORE_GONE" });
    await store.close();
    await using again = await open();
    expect(await ids(again)).toEqual(["before", "within"]);
  });

  test("while it is opened is not opened", async () => {
    shell("touch work.db");
    onFaultPoint((name) => {
      if (name !== "store.schema.before-commit" || existsSync(join(folder, "away.db"))) return;
      shell("mv work.db away.db; touch work.db");
    });
    await expect(open()).rejects.toMatchObject(gone(path, "another"));
  });

  test("is told to who only reads, as soon as the last look is some moments ago", async () => {
    const clock = new ManualClock();
    await using store = await open(path, clock);
    await submit(store, "before");
    shell("mv work.db away.db");
    expect(await store.orders.get("before")).toMatchObject({ id: "before" });
    await clock.advance(10);
    await expect(store.orders.get("before")).rejects.toMatchObject(gone(path, "none"));
  });

  test("behind a link, or by another target of it, is missed too", async () => {
    mkdirSync(join(folder, "real"));
    symlinkSync(join(folder, "real", "work.db"), path);
    await using store = await open();
    await submit(store, "before");
    await using other = await open(join(folder, "other.db"));
    shell("ln -sfn other.db work.db");
    await expect(submit(store, "after")).rejects.toMatchObject(gone(path, "another"));
    expect(await ids(other)).toEqual([]);
  });

  test("by a restore beside a busy process loses nothing that was acknowledged", async () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", submitter(path)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let out = "";
    let moved = false;
    child.stdout.on("data", (text: Buffer) => {
      out += text.toString();
      if (moved || out.length < 400) return;
      moved = true;
      shell("mkdir before; mv work.db before/; mv work.db-wal work.db-shm before/");
    });
    await once(child, "close");
    const lines = out.trim().split("\n");
    expect(lines.pop()).toBe("CUTOVER_STORE_GONE");
    expect(existsSync(path)).toBe(false);
    await using old = await open(join(folder, "before", "work.db"));
    const kept = new Set(await ids(old));
    expect(lines.filter((id) => !kept.has(id))).toEqual([]);
    expect(await old.events.verify()).toMatchObject({ whole: true });
  });
});

describe("a store whose log or index is removed", () => {
  test.each(["work.db-wal", "work.db-shm"])(
    "acknowledges nothing from then on, and keeps what was acknowledged (%s)",
    async (name) => {
      await using store = await open();
      await submit(store, "before");
      shell(`rm ${name}`);
      await expect(submit(store, "after")).rejects.toMatchObject(gone(join(folder, name), "none"));
      await store.close();
      await using again = await open();
      expect(await ids(again)).toContain("before");
      expect(await again.events.verify()).toMatchObject({ whole: true });
    },
  );

  test("behind a link is missed where it lies", async () => {
    mkdirSync(join(folder, "real"));
    symlinkSync(join(folder, "real", "work.db"), path);
    await using store = await open();
    shell("rm real/work.db-wal");
    await expect(submit(store, "after")).rejects.toMatchObject({ code: "CUTOVER_STORE_GONE" });
  });
});

test("a store in memory has no file that could go", async () => {
  await using store = await open(":memory:");
  await submit(store, "one");
  expect(await ids(store)).toEqual(["one"]);
  expect(readdirSync(folder)).toEqual([]);
});
