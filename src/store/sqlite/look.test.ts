import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { folderEach } from "../../../test/folder-each.ts";
import { systemClock } from "../../core/index.ts";
import { newOrder } from "../../testing/store-contract/tools.ts";
import type { Store } from "../store.ts";
import { openSqliteStore } from "./open.ts";

let folder = "";
let path = "";
folderEach("cutover-look-", (made) => {
  folder = made;
  path = join(folder, "work.db");
});
afterEach(() => chmodSync(folder, 0o755));

const open = (where = path): Promise<Store> => openSqliteStore({ path: where, clock: systemClock });
const readOnly = (): void => chmodSync(folder, 0o555);

/** For root every folder can be written, so it looks as the user nobody; anybody else has no right to a read-only folder. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const url = (file: string): string => JSON.stringify(join(import.meta.dirname, file));

/** A process without the right to write; it prints the ids of the orders it sees, or the error. */
function looker(rest = ""): ChildProcess {
  const program = `
    const { openSqliteStore } = await import(${url("open.ts")});
    const { systemClock: clock } = await import(${url("../../core/index.ts")});
    const { writeSync } = await import("node:fs");
    const say = (it) => writeSync(1, JSON.stringify(it) + "\\n");
    try {
      const store = await openSqliteStore({ path: ${JSON.stringify(path)}, clock, look: true });
      const list = async () => (await store.orders.list({ queue: "q", limit: 9 })).map(({ id }) => id);
      say({ ids: await list(), whole: (await store.events.verify()).whole });
      ${rest}
      await store.close();
    } catch (error) { say({ code: error.code, message: error.message, remedy: error.remedy }); }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["pipe", "pipe", "inherit"],
    ...user,
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function look(): Promise<unknown> {
  const child = looker();
  let out = "";
  child.stdout?.on("data", (text: Buffer) => (out += text.toString()));
  await once(child, "close");
  return JSON.parse(out);
}

describe("a store that may not be written", () => {
  test("is looked at on a read-only disk, as its last user left it", async () => {
    await using store = await open();
    await store.orders.submit([newOrder("o1")]);
    await store.close();
    readOnly();
    expect(await look()).toEqual({ ids: ["o1"], whole: true });
    expect(readdirSync(folder)).toEqual(["work.db"]);
  });

  test("is looked at as a backup there", async () => {
    await using store = await open(`${folder}-source.db`);
    await store.orders.submit([newOrder("o1")]);
    const source = new DatabaseSync(`${folder}-source.db`);
    source.exec(`VACUUM INTO '${path}'`);
    source.close();
    readOnly();
    expect(await look()).toEqual({ ids: ["o1"], whole: true });
    expect(readdirSync(folder)).toEqual(["work.db"]);
  });

  test("gets no log of who looks, where its folder can be written and the file cannot", async () => {
    await using store = await open();
    await store.orders.submit([newOrder("o1")]);
    await store.close();
    chmodSync(path, 0o444);
    chmodSync(folder, 0o777);
    expect(await look()).toEqual({ ids: ["o1"], whole: true });
    expect(readdirSync(folder)).toEqual(["work.db"]);
  });

  test("is looked at beside the user who writes it", async () => {
    await using store = await open();
    await store.orders.submit([newOrder("o1")]);
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o644);
    const before = readdirSync(folder);
    if (Object.keys(user).length === 0) readOnly();
    expect(await look()).toEqual({ ids: ["o1"], whole: true });
    expect(readdirSync(folder)).toEqual(before);
    await store.orders.submit([newOrder("o2")]);
    expect(await look()).toEqual({ ids: ["o1", "o2"], whole: true });
  });

  test("is refused where its log cannot be read without writing, and says what to copy", async () => {
    await using store = await open(`${folder}-source.db`);
    await store.orders.submit([newOrder("o1")]);
    for (const name of ["", "-wal"]) copyFileSync(`${folder}-source.db${name}`, `${path}${name}`);
    readOnly();
    expect(await look()).toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      remedy: expect.stringContaining(`cp ${path} ${path}-wal DIR`),
    });
    expect(readdirSync(folder)).toEqual(["work.db", "work.db-wal"]);
    // What the remedy says.
    chmodSync(folder, 0o755);
    execFileSync("sh", ["-ec", "mkdir DIR; cp work.db work.db-wal DIR"], { cwd: folder });
    await using copy = await open(join(folder, "DIR", "work.db"));
    expect((await copy.orders.list({ queue: "q", limit: 9 })).map(({ id }) => id)).toEqual(["o1"]);
  });

  test("is refused with an older schema", async () => {
    await using store = await open();
    await store.close();
    const db = new DatabaseSync(path);
    db.exec("DELETE FROM schema WHERE version > 2");
    db.close();
    readOnly();
    expect(await look()).toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      remedy: expect.stringContaining("folder that can be written"),
    });
  });

  test("is not taken for whole once its user begins to write", async () => {
    await using first = await open();
    await first.orders.submit([newOrder("o1")]);
    await first.close();
    chmodSync(path, 0o644);
    if (Object.keys(user).length === 0) readOnly();
    const child = looker(`await new Promise((go) => process.stdin.once("data", go)); say(await list());`);
    let out = "";
    const said = Promise.withResolvers<void>();
    child.stdout?.on("data", (text: Buffer) => {
      out += text.toString();
      said.resolve();
    });
    await said.promise;
    chmodSync(folder, 0o755);
    await using store = await open();
    await store.orders.submit([newOrder("o2")]);
    child.stdin?.end("go");
    await once(child, "close");
    const [before, after] = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(before).toEqual({ ids: ["o1"], whole: true });
    expect(after).toMatchObject({ code: "CUTOVER_STORE_UNAVAILABLE" });
  });
});
