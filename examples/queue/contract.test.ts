import { expect, test } from "vitest";
import { brokenPromises } from "./contract.ts";
import { TemporaryServer } from "./test/temporary-server.ts";

const stages = [
  ["off", 0],
  ["shadow", 0],
  ["live", 50],
  ["live", 100],
  ["complete", 100],
] as const;

test("the HTTP contract is kept before, during and after the crossing", { timeout: 90_000 }, async () => {
  await using server = new TemporaryServer();
  await server.start();
  for (const [stage, share] of stages) {
    await server.stage(stage, share);
    expect(await brokenPromises(server.port), `${stage} ${share} %`).toEqual([]);
  }
});

test("a full queue answers 503 with Retry-After on either side", { timeout: 60_000 }, async () => {
  await using server = new TemporaryServer();
  await server.start();
  for (const [stage, side] of [
    ["off", "old"],
    ["complete", "new"],
  ] as const) {
    await server.stage(stage, stage === "off" ? 0 : 100);
    const order = { taskPrompt: "hang", agentType: "crawler", maxWallClockSeconds: 20 };
    const answers = await Promise.all(
      Array.from({ length: 130 }, () => server.ask("POST", "/work-orders", order)),
    );
    const refused = answers.filter(({ code }) => code === 503);
    const accepted = answers.filter(({ code }) => code === 201);
    expect(refused.length + accepted.length).toBe(130);
    expect(accepted.length).toBeGreaterThanOrEqual(78);
    expect(accepted.length).toBeLessThanOrEqual(105);
    expect(refused.every(({ headers }) => Number(headers["retry-after"]) >= 1)).toBe(true);
    expect(accepted.every(({ headers }) => headers["x-side"] === side)).toBe(true);
  }
});

test(
  "an order is read and cancelled where it lives, whatever the route says now",
  { timeout: 30_000 },
  async () => {
    await using server = new TemporaryServer();
    await server.start();
    const hang = { taskPrompt: "hang", agentType: "crawler", maxWallClockSeconds: 60, priority: 90 };
    await server.stage("off", 0);
    await server.ask("POST", "/work-orders", { ...hang, id: "lives-old" });
    await server.stage("live", 100);
    await server.ask("POST", "/work-orders", { ...hang, id: "lives-new" });
    await server.stage("off", 0);
    for (const [id, side] of [
      ["lives-old", "old"],
      ["lives-new", "new"],
    ] as const) {
      const read = await server.ask("GET", `/work-orders/${id}`);
      expect([read.code, read.headers["x-side"]]).toEqual([200, side]);
      expect((await server.ask("POST", `/work-orders/${id}/cancel`)).code).toBe(200);
    }
  },
);
