import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { WorkOrder } from "../old/work-order.ts";
import { readLines } from "../start/account.ts";
import { TemporaryServer, until } from "../test/temporary-server.ts";
import { places } from "./settings.ts";

/** Keeps both slots of the old queue busy, and then some: what is posted after it waits. */
async function blockOldQueue(server: TemporaryServer): Promise<void> {
  const hang = { taskPrompt: "hang", agentType: "crawler", maxWallClockSeconds: 60, priority: 99 };
  for (const id of ["block-1", "block-2"]) await server.ask("POST", "/work-orders", { ...hang, id });
  await until("the old queue is blocked", async () => (await read(server, "block-2")).status === "running");
}

const read = async (server: TemporaryServer, id: string): Promise<WorkOrder> =>
  (await server.ask("GET", `/work-orders/${id}`)).body as WorkOrder;

const post = (server: TemporaryServer, id: string, agentType = "coder"): Promise<unknown> =>
  server.ask("POST", "/work-orders", { id, taskPrompt: "work", agentType, maxWallClockSeconds: 60 });

const ends = (server: TemporaryServer, id: string): number =>
  readLines<{ event: string; id: string; exit: number }>(places(server.dir).ledger).filter(
    (line) => line.event === "end" && line.id === id && line.exit === 0,
  ).length;

test(
  "a moved order runs on the new side only, also when it is moved twice",
  { timeout: 60_000 },
  async () => {
    await using server = new TemporaryServer();
    await server.start();
    await blockOldQueue(server);
    await post(server, "mover");
    const first = await server.ask("POST", "/crossing/move", { ids: ["mover", "block-1", "no-such"] });
    expect(first.body).toEqual({ moved: ["mover"], notWaiting: ["block-1", "no-such"] });
    const again = await server.ask("POST", "/crossing/move", { ids: ["mover"] });
    expect(again.body).toEqual({ moved: ["mover"], notWaiting: [] });
    await until("the order is done", async () => (await read(server, "mover")).status === "succeeded");
    expect(ends(server, "mover")).toBe(1);
    const file = readFileSync(join(places(server.dir).old, "work-orders/mover.json"), "utf8");
    expect(JSON.parse(file)).toMatchObject({ status: "queued", movedTo: { side: "new" } });
  },
);

test("after a kill -9 the old queue leaves alone what the new side holds", { timeout: 60_000 }, async () => {
  await using server = new TemporaryServer();
  await server.start();
  await blockOldQueue(server);
  for (const id of ["one", "two"]) await post(server, id);
  await server.ask("POST", "/crossing/move", { ids: ["one", "two"] });
  await server.kill();
  await server.start();
  for (const id of ["one", "two"]) {
    await until(`${id} is done`, async () => (await read(server, id)).status === "succeeded");
    const { headers } = await server.ask("GET", `/work-orders/${id}`);
    expect([headers["x-side"], ends(server, id)]).toEqual(["new", 1]);
  }
});

test(
  "the way back returns what has not started, once; the rest ends on the new side",
  { timeout: 60_000 },
  async () => {
    await using server = new TemporaryServer();
    await server.start();
    await blockOldQueue(server);
    const hanging = ["hang-1", "hang-2", "hang-3"];
    for (const id of hanging) await post(server, id, "crawler");
    const waiting = ["wait-1", "wait-2"];
    for (const id of waiting) await post(server, id);
    await server.ask("POST", "/crossing/move", { ids: hanging });
    await until("the new side is busy", async () => (await read(server, "hang-3")).status === "running");
    await server.ask("POST", "/crossing/move", { ids: waiting });

    const back = await server.ask("POST", "/crossing/move-back");
    expect(back.body).toEqual({ returned: waiting, stay: hanging });
    expect((await server.ask("POST", "/crossing/move-back")).body).toEqual({ returned: [], stay: hanging });
    expect((await server.ask("GET", "/work-orders/wait-1")).headers["x-side"]).toBe("old");

    // And forth again, as a second crossing would.
    await server.ask("POST", "/crossing/move", { ids: waiting });
    for (const id of hanging) await server.ask("POST", `/work-orders/${id}/cancel`);
    for (const id of waiting) {
      await until(`${id} is done`, async () => (await read(server, id)).status === "succeeded");
      expect(ends(server, id)).toBe(1);
    }
  },
);

test(
  "a parent in the old queue integrates when its moved children have ended",
  { timeout: 60_000 },
  async () => {
    await using server = new TemporaryServer();
    await server.start();
    await blockOldQueue(server);
    const parents = ["GK9UHXeqCCw3", "ITeImQGUyhCf", "Kbd3fShS1WIk"];
    await server.ask("POST", "/crossing/move", { ids: ["XH0AyU3Fcvrs", "qEaY7pQVu35u", "9IwVUgymzqVx"] });
    for (const id of ["block-1", "block-2"]) await server.ask("POST", `/work-orders/${id}/cancel`);
    for (const id of parents) {
      await until(`${id} is done`, async () => (await read(server, id)).status === "succeeded");
      expect(await read(server, id)).toMatchObject({ integrationStatus: "done" });
    }
  },
);

test(
  "the old path is not retired while the route is not complete or anything is unfinished",
  { timeout: 60_000 },
  async () => {
    await using server = new TemporaryServer();
    await server.start();
    await blockOldQueue(server);
    const ids = ["q0AgtSnT0MRc", "sPZjyccYneXF"];
    const early = await server.ask("POST", "/crossing/retire", { ids });
    expect(early.body).toMatchObject({ retired: false, reason: "the route is at stage off, not complete" });
    await server.stage("complete", 100);
    expect((await server.ask("POST", "/crossing/retire", { ids })).body).toMatchObject({ retired: false });
    for (const id of ["block-1", "block-2"]) await server.ask("POST", `/work-orders/${id}/cancel`);
    await until("the old queue is gone", async () => {
      const { body } = await server.ask("POST", "/crossing/retire", { ids });
      return (body as { retired: boolean }).retired;
    });
    expect(await read(server, "-fEZJrRnOAJc")).toMatchObject({ status: "succeeded" });
    expect(await read(server, "q0AgtSnT0MRc")).toMatchObject({ status: "queued" });
    await server.kill();
    await server.start();
    expect(await read(server, "2MFsmV4MkaVI")).toMatchObject({ status: "succeeded", agentType: "coder" });
  },
);
