import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../core/index.ts";
import type { RunEvent } from "../run-events.ts";
import type { RoutesFile } from "../routes-file.ts";
import { storeFaultPoints } from "../fault-points.ts";
import { openSqliteStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-processes-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
let path = "";
let routesFile = "";
beforeEach(() => {
  path = join(folder, `${++files}.db`);
  routesFile = join(folder, `${files}.routes.json`);
});

const url = (file: string): string => JSON.stringify(join(import.meta.dirname, file));

/** Runs `code` in a process of its own with a store on `path` open as `store`; resolves with what it printed. */
async function inOtherProcess(code: string): Promise<{ out: string; signal: string | null }> {
  const program = `
    const { openSqliteStore } = await import(${url("open.ts")});
    const { systemClock: clock, setFaultHandler } = await import(${url("../../core/index.ts")});
    const open = () => openSqliteStore({ path: ${JSON.stringify(path)}, routesFile: ${JSON.stringify(routesFile)}, clock });
    const created = { type: "run.created", data: { migration: "m", hash: "h", source: "s", by: "x", graph: {} } };
    const note = (text) => ({ type: "note.added", data: { by: "x", text } });
    ${code}`;
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout?.on("data", (text: Buffer) => (out += text.toString()));
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  return { out, signal };
}

describe("several processes on one file", () => {
  test("all get their writes through, and the chain stays whole", async () => {
    await using store = await openSqliteStore({ path, clock: systemClock });
    const write = (name: string): Promise<{ out: string; signal: string | null }> =>
      inOtherProcess(`
        const store = await open();
        await store.runs.commit("${name}", [created]);
        for (let n = 0; n < 150; n++) await store.runs.commit("${name}", [note("${name} " + n)]);
        await store.close();
        console.log("done");`);
    const outcomes = await Promise.all(["a", "b", "c"].map(write));
    expect(outcomes.map(({ out }) => out)).toEqual(["done\n", "done\n", "done\n"]);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 3 * 151 });
  });

  test("a write that finds the file locked all the time is refused after its limit", async () => {
    await using store = await openSqliteStore({ path, clock: systemClock, busyMs: 60 });
    const created: RunEvent = {
      type: "run.created",
      data: { migration: "m", hash: "h", source: "s", by: "x", graph: {} },
    };
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const work = store.runs.commit("r", [created]);
    await expect(work).rejects.toMatchObject({ code: "CUTOVER_STORE_UNAVAILABLE", details: { busyMs: 60 } });
    const waiting = store.runs.commit("r", [created]);
    other.exec("ROLLBACK");
    expect((await waiting).length).toBe(1);
    other.close();
  });
});

describe("a process killed", () => {
  test.each([
    "store.schema.before-commit",
    "store.commit.before-begin",
    "store.commit.before",
    "store.commit.after",
  ])("at %s loses nothing that was acknowledged", async (point) => {
    const { out, signal } = await inOtherProcess(`
        let passes = 0;
        setFaultHandler((name) => {
          if (name === "${point}" && (++passes === 5 || name.startsWith("store.schema"))) process.kill(process.pid, "SIGKILL");
        });
        const store = await open();
        const { writeSync } = await import("node:fs");
        await store.runs.commit("r", [created]);
        for (let n = 0; n < 50; n++) {
          await store.runs.commit("r", [note("n" + n), note("m" + n)]);
          writeSync(1, "+");
        }`);
    expect(signal).toBe("SIGKILL");
    await using store = await openSqliteStore({ path, clock: systemClock });
    const events = await store.events.count();
    const acknowledged = point.startsWith("store.schema") ? 0 : 1 + 2 * out.length;
    const inFlight = point === "store.commit.after" ? 2 : 0;
    expect(events).toBe(acknowledged + inFlight);
    expect(await store.events.verify()).toMatchObject({ whole: true, events });
  });

  test.each(["store.routes-file.before-rename", "store.routes-file.after-rename"])(
    "at %s leaves a whole routes file, which the next opening brings up to date",
    async (point) => {
      const { signal } = await inOtherProcess(`
        const store = await open();
        await store.routes.set({ route: "q", epoch: 0, stage: "live", share: 10, by: "x" });
        setFaultHandler((name) => name === "${point}" && process.kill(process.pid, "SIGKILL"));
        await store.routes.set({ route: "q", epoch: 1, stage: "live", share: 50, by: "x" });`);
      expect(signal).toBe("SIGKILL");
      const read = (): RoutesFile => JSON.parse(readFileSync(routesFile, "utf8")) as RoutesFile;
      expect(read().routes[0]?.share).toBe(point.endsWith("after-rename") ? 50 : 10);
      await using store = await openSqliteStore({ path, routesFile, clock: systemClock });
      expect(read().routes).toEqual(await store.routes.list());
      expect(read().routes[0]?.share).toBe(50);
    },
  );

  test("in the middle of a rebuild leaves the rows as they were", async () => {
    const { signal } = await inOtherProcess(`
      const store = await open();
      await store.runs.commit("r", [created, note("a")]);
      setFaultHandler((name) => name === "store.rebuild.before-commit" && process.kill(process.pid, "SIGKILL"));
      await store.rebuild();`);
    expect(signal).toBe("SIGKILL");
    await using store = await openSqliteStore({ path, clock: systemClock });
    expect(await store.runs.get("r")).toMatchObject({ migration: "m" });
    expect(await store.rebuild()).toEqual({ events: 2 });
  });
});

test("every fault point of the store is listed", () => {
  const sources = ["../owner.ts", "../routes-file.ts", "group-commit.ts", "schema.ts", "rebuild.ts"];
  const found = sources.flatMap((file) =>
    [...readFileSync(join(import.meta.dirname, file), "utf8").matchAll(/"(store\.[a-z-]+\.[a-z-]+)"/g)].map(
      ([, name]) => name,
    ),
  );
  expect(new Set(found)).toEqual(new Set(storeFaultPoints));
});
