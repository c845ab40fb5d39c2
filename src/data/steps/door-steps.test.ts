import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../core/index.ts";
import { openRig, runSteps } from "../../testing/engine-rig.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { type DataDoor, serveData } from "../door/serve-data.ts";
import { backfill } from "./backfill.ts";
import { openToLook } from "./preview.ts";

test("a step that begins in the moment in which the application is killed goes on with the next one", async () => {
  const dir = mkdtempSync(join(tmpdir(), "cutover-door-steps-"));
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
    rmSync(dir, { recursive: true, force: true });
  }
});

test("a plan does not wait for an application that is away", async () => {
  const dir = mkdtempSync(join(tmpdir(), "cutover-door-steps-"));
  try {
    const began = performance.now();
    await expect(openToLook(`door:${dir}/app.sock`)).rejects.toMatchObject({
      code: "CUTOVER_DATA_UNAVAILABLE",
    });
    expect(performance.now() - began).toBeLessThan(5_000);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
