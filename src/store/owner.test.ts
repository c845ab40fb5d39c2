import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../core/index.ts";
import { type OwnOptions, ownFolder, readOwner } from "./owner.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-owner-"));
afterAll(() => rmSync(folder, { recursive: true }));
let places = 0;
let dir = "";
const children: ChildProcess[] = [];
beforeEach(() => {
  dir = join(folder, `${++places}`);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const self: OwnOptions = { pid: process.pid, socket: "/tmp/a.sock", version: "1.2.3", clock: systemClock };

/** Another process that owns `dir` and stays. */
async function otherOwner(killedAt = "nowhere"): Promise<ChildProcess> {
  const code = `
    const { ownFolder } = await import(${JSON.stringify(join(import.meta.dirname, "owner.ts"))});
    const { systemClock: clock, setFaultHandler } = await import(${JSON.stringify(join(import.meta.dirname, "../core/index.ts"))});
    setFaultHandler((name) => name === "${killedAt}" && process.kill(process.pid, "SIGKILL"));
    await ownFolder(${JSON.stringify(dir)}, { pid: process.pid, socket: "/tmp/other.sock", version: "9", clock });
    process.stdout.write("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const out = child.stdout;
  if (out === null) throw new Error("no stdout");
  await Promise.race([once(out, "data"), once(child, "exit")]);
  return child;
}

describe("owning a folder", () => {
  test("makes the folder, says who owns it, and takes all of that back", async () => {
    expect(readOwner(dir)).toBeUndefined();
    expect(existsSync(dir)).toBe(false);
    const ownership = await ownFolder(dir, self);
    const owner = { pid: process.pid, socket: "/tmp/a.sock", version: "1.2.3" };
    expect(readOwner(dir)).toMatchObject(owner);
    expect(JSON.parse(readFileSync(join(dir, "owner.json"), "utf8"))).toEqual(ownership.owner);
    ownership.announce({ socket: "/tmp/b.sock" });
    expect(readOwner(dir)).toMatchObject({ ...owner, socket: "/tmp/b.sock" });
    await ownership.release();
    await ownership.release();
    expect(readOwner(dir)).toBeUndefined();
    expect(existsSync(join(dir, "owner.json"))).toBe(false);
    await using again = await ownFolder(dir, self);
    expect(again.owner.pid).toBe(process.pid);
  });

  test("is refused while this process holds it already", async () => {
    await using ownership = await ownFolder(dir, self);
    await expect(ownFolder(dir, self)).rejects.toMatchObject({
      code: "CUTOVER_STORE_OWNED",
      details: { pid: ownership.owner.pid, socket: "/tmp/a.sock" },
    });
    expect(readOwner(dir)).toBeDefined();
  });

  test("is refused while another process holds it, and possible the moment that one is killed", async () => {
    const child = await otherOwner();
    expect(readOwner(dir)).toMatchObject({ pid: child.pid, socket: "/tmp/other.sock" });
    await expect(ownFolder(dir, self)).rejects.toMatchObject({
      code: "CUTOVER_STORE_OWNED",
      details: { pid: child.pid, socket: "/tmp/other.sock" },
    });
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(join(dir, "owner.json"))).toBe(true);
    expect(readOwner(dir)).toBeUndefined();
    await using ownership = await ownFolder(dir, self);
    expect(readOwner(dir)).toEqual(ownership.owner);
  });

  test.each(["store.owner.before-file", "store.owner.after-file"])(
    "is possible at once when the owner before was killed at %s",
    async (point) => {
      await otherOwner(point);
      expect(readOwner(dir)).toBeUndefined();
      await using ownership = await ownFolder(dir, self);
      expect(readOwner(dir)).toEqual(ownership.owner);
    },
  );

  test("goes to exactly one of many that want it at once", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => ownFolder(dir, self)));
    const held = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(held.length).toBe(1);
    for (const outcome of held) await outcome.value.release();
  });

  test("is not refused because others look", async () => {
    mkdirSync(dir);
    new DatabaseSync(join(dir, "owner.lock")).close();
    const looker = new DatabaseSync(join(dir, "owner.lock"), { readOnly: true });
    const looks = looker.prepare("SELECT 1 FROM sqlite_schema UNION ALL SELECT 2").iterate();
    looks.next();
    let owned = false;
    const wanted = ownFolder(dir, self).finally(() => (owned = true));
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    expect(owned).toBe(false);
    looks.return?.();
    looker.close();
    await using ownership = await wanted;
    expect(readOwner(dir)).toEqual(ownership.owner);
  });

  test("survives that others look who owns it", async () => {
    await using ownership = await ownFolder(dir, self);
    for (let n = 0; n < 50; n++) expect(readOwner(dir)).toEqual(ownership.owner);
    await expect(ownFolder(dir, self)).rejects.toMatchObject({ code: "CUTOVER_STORE_OWNED" });
    // Closing a handle frees the POSIX locks of a process unless SQLite holds it back: only another process can tell.
    const code = `
      const { readOwner } = await import(${JSON.stringify(join(import.meta.dirname, "owner.ts"))});
      console.log(JSON.stringify(readOwner(${JSON.stringify(dir)})));`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code]);
    expect(JSON.parse(stdout.toString())).toEqual(ownership.owner);
  });
});

describe("a folder in a bad state", () => {
  test("an owner.json left behind does not make an owner", () => {
    mkdirSync(dir);
    writeFileSync(
      join(dir, "owner.json"),
      JSON.stringify({ pid: 1, socket: "/x", startedAt: 0, version: "0" }),
    );
    expect(readOwner(dir)).toBeUndefined();
  });

  test("an owner whose file is damaged is still an owner", async () => {
    await using ownership = await ownFolder(dir, self);
    writeFileSync(join(dir, "owner.json"), "{ half");
    expect(ownership.owner.pid).toBe(process.pid);
    expect(readOwner(dir)).toEqual({ pid: null, socket: null, startedAt: null, version: null });
  });

  test("a lock file that is something else is named", async () => {
    mkdirSync(dir);
    writeFileSync(join(dir, "owner.lock"), "something else entirely\n".repeat(100));
    await expect(ownFolder(dir, self)).rejects.toMatchObject({
      code: "CUTOVER_STORE_CORRUPT",
      remedy: "remove owner.lock; it holds no data",
    });
  });

  test("a place that cannot be a folder is named", async () => {
    writeFileSync(dir, "a file");
    await expect(ownFolder(join(dir, "sub"), self)).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
    });
    expect(readOwner(join(dir, "sub"))).toBeUndefined();
  });
});
