import { join } from "node:path";
import type { Json, JsonObject, StepContext } from "cutover";
import { expect, test } from "vitest";
import { statusMap } from "../crossing.ts";
import type { QueueState } from "../old/order-files.ts";
import { places, readRecord } from "../server/settings.ts";
import { readLines } from "../start/account.ts";
import { TemporaryServer, until } from "../test/temporary-server.ts";
import { moveOrders } from "./move.ts";
import { readOnce } from "./old-folder.ts";

/** What a step sees, with everything it said kept; `checkpoints` allows so many, then the process "ends". */
function stepContext(saved: { checkpoint?: Json }, checkpoints = Number.POSITIVE_INFINITY) {
  const evidence = new Map<string, JsonObject>();
  let left = checkpoints;
  const context = {
    attempt: 1,
    signal: new AbortController().signal,
    log: { warn: () => {}, error: () => {} },
    progress: () => {},
    checkpoint: () => saved.checkpoint,
    saveCheckpoint: (value: Json) => {
      saved.checkpoint = value;
      return --left > 0 ? Promise.resolve() : Promise.reject(new Error("the process ended here"));
    },
    evidence: (name: string, data: JsonObject) => {
      evidence.set(name, data);
      return Promise.resolve("id");
    },
  } as unknown as StepContext;
  return { context, evidence };
}

/** The real data, with both slots of the old queue taken so that what waits keeps waiting. */
async function blockedServer(): Promise<TemporaryServer> {
  const server = new TemporaryServer();
  await server.start();
  const hang = { taskPrompt: "hang", agentType: "crawler", maxWallClockSeconds: 60, priority: 99 };
  for (const id of ["block-1", "block-2"]) await server.ask("POST", "/work-orders", { ...hang, id });
  // As the file says it: what is read below must not change any more.
  await until("the old queue is blocked", () => {
    const state = readRecord<QueueState>(join(places(server.dir).old, "queue-state.json"));
    return ["block-1", "block-2"].every((id) => state?.running.includes(id));
  });
  return server;
}

test("planning the move says what would happen and touches nothing", async () => {
  await using server = await blockedServer();
  const before = readOnce(places(server.dir).old);
  const { kind, input } = moveOrders(server.dir, statusMap);
  const { summary } = await kind.plan(input);
  expect(summary).toBe(`moves ${before.waiting.length} waiting work orders · 4 set aside`);
  expect(readOnce(places(server.dir).old)).toEqual(before);
});

test("a move that ended in the middle goes on from its checkpoint; each order is moved and run once", async () => {
  await using server = await blockedServer();
  const { waiting } = readOnce(places(server.dir).old);
  expect(waiting.length).toBeGreaterThan(8);
  const { kind } = moveOrders(server.dir, statusMap);
  const saved: { checkpoint?: Json } = {};
  await expect(kind.start(stepContext(saved, 1).context)).rejects.toThrow("the process ended here");
  expect(saved.checkpoint).toMatchObject({ done: 8, ids: waiting });

  const { context, evidence } = stepContext(saved);
  expect(await kind.start(context)).toMatchObject({ moved: waiting.length, aside: 4 });
  expect(evidence.get("compared")).toEqual({ orders: waiting.length, differences: [] });
  expect(evidence.get("aside")?.["items"]).toHaveLength(4);
  const effects = (id: string): number =>
    readLines<{ event: string; id: string; exit: number }>(places(server.dir).ledger).filter(
      (line) => line.event === "end" && line.id === id && line.exit === 0,
    ).length;
  await until("all moved orders are done", () => waiting.every((id) => effects(id) === 1));
});

test("a status nobody mapped ends the move before anything is moved", async () => {
  await using server = await blockedServer();
  const { running: _, ...partial } = statusMap;
  const { kind } = moveOrders(server.dir, partial);
  await expect(kind.start(stepContext({}).context)).rejects.toMatchObject({ code: "CUTOVER_DATA_UNMAPPED" });
  expect(readOnce(places(server.dir).old).orders.some(({ movedTo }) => movedTo !== undefined)).toBe(false);
});
