import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Log, silentLog, systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/index.ts";
import { openRig, runSteps } from "../../testing/engine-rig.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { type DataDoor, serveData } from "../door/serve-data.ts";
import { backfill } from "./backfill.ts";
import { openToLook } from "./preview.ts";
import { type OpenedStore, openStore } from "./store-ref.ts";

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "cutover-door-steps-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A step that waits, with what it says meanwhile. */
function opening(address: string): {
  readonly clock: ManualClock;
  readonly stop: AbortController;
  readonly said: string[];
  /** Undefined while it waits. */
  readonly ended: () => OpenedStore | { readonly error: unknown } | undefined;
  readonly pass: () => Promise<void>;
} {
  const [clock, stop, said] = [new ManualClock(), new AbortController(), [] as string[]];
  const log: Log = { ...silentLog, warn: (text) => said.push(text) };
  let ended: OpenedStore | { readonly error: unknown } | undefined;
  openStore({ clock, signal: stop.signal, log }, address).then(
    (store) => (ended = store),
    (error: unknown) => (ended = { error }),
  );
  const pass = async (): Promise<void> => {
    await clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, stop, said, ended: () => ended, pass };
}

test("a step that begins in the moment in which the application is killed goes on with the next one", async () => {
  const dir = folder();
  const socket = join(dir, "app.sock");
  await using rig = await openRig({ clock: systemClock });
  const store = openMemoryStore();
  await store.write([{ collection: "", key: Buffer.from("k"), value: Buffer.from("v") }]);
  let next: Promise<DataDoor> | undefined;
  // It takes the step's connection and dies before its greeting; the one after it serves the store.
  const dying = createServer((one) => {
    one.destroy();
    dying.close();
    next = once(dying, "close").then(() => serveData(store, { socket }));
  }).listen(socket);
  try {
    await once(dying, "listening");
    const { state, results } = await runSteps(rig, [backfill(`door:${socket}`, `lmdb:${dir}/new`)]);
    expect(next).not.toBe(undefined);
    expect([state, results["move/backfill"]]).toMatchObject(["COMPLETED", { rows: 1 }]);
  } finally {
    await (await next)?.[Symbol.asyncDispose]();
  }
});

test("a step that waits for an application says so once, and goes on when it is there", async () => {
  const socket = join(folder(), "app.sock");
  const { said, ended, pass } = opening(`door:${socket}`);
  for (let passed = 0; passed < 20; passed++) await pass();
  expect([said.length, ended()]).toEqual([1, undefined]);
  expect(said[0]).toMatch(/^waits up to 10 s: expected the application behind door:.* found nothing at /);
  await using door = await serveData(openMemoryStore(), { socket });
  expect(door.connections).toBe(0);
  while (ended() === undefined) await pass();
  await using opened = ended() as OpenedStore;
  expect(await opened.store.count({ collection: "" })).toBe(0);
});

test("a step gives up an application that does not come within 10 s", async () => {
  const { clock, ended, pass } = opening(`door:${folder()}/app.sock`);
  const begun = clock.monotonic();
  while (ended() === undefined) await pass();
  expect(ended()).toMatchObject({ error: { code: "CUTOVER_DATA_UNAVAILABLE" } });
  const waited = clock.monotonic() - begun;
  expect([waited >= 10_000, waited < 12_000]).toEqual([true, true]);
});

test("a step that is stopped while it waits ends at once", async () => {
  const { stop, said, ended, pass } = opening(`door:${folder()}/app.sock`);
  while (said.length === 0) await pass();
  stop.abort(new Error("paused"));
  for (let turns = 0; turns < 100 && ended() === undefined; turns++)
    await new Promise((resolve) => setImmediate(resolve));
  expect(ended()).toMatchObject({ error: { message: "paused" } });
});

test("what does not come by waiting is told at once, and a plan does not wait at all", async () => {
  const dir = folder();
  const { said, ended } = opening(`leveldb:${dir}/nothing`);
  while (ended() === undefined) await new Promise((resolve) => setImmediate(resolve));
  expect([ended(), said]).toMatchObject([{ error: { code: "CUTOVER_DATA_MISSING" } }, []]);
  const look = openToLook(`door:${dir}/app.sock`);
  await expect(look).rejects.toMatchObject({ code: "CUTOVER_DATA_UNAVAILABLE" });
});
