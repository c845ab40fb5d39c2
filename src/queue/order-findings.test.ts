import { expect, test } from "vitest";
import { type Opened, open } from "../../test/queue/manual-queue.ts";
import { orderFindings } from "./order-findings.ts";

/** An order of a kind that nobody does holds the one place of its limit key; as many as wanted wait behind it. */
async function heldUp(
  behind: number,
): Promise<Opened & { findingsOf: (id: string) => Promise<readonly string[]> }> {
  const opened = await open();
  const { queue, store } = opened;
  await queue.configure({ limits: { "*": { concurrency: 1 } } });
  await queue.submit("strange", null, { id: "holder", limit: "k" });
  const others = Array.from({ length: behind }, (_, n) => ({ kind: "job", limit: "k", id: `o${n}` }));
  for (let from = 0; from < behind; from += 500) await queue.submitAll(others.slice(from, from + 500));
  await queue.submit("job", null, { id: "free", limit: "other" });
  return {
    ...opened,
    findingsOf: async (id) => {
      const found = await store.orders.get(id);
      if (found === undefined) throw new Error(`expected order ${id}`);
      return (await orderFindings(store, found)).map(({ code, message }) => `${code}: ${message}`);
    },
  };
}

const held = (behind: string): string =>
  `limit: what no living worker takes holds places of limit keys: k by holder, ${behind} behind it; start a worker that takes it, or cancel it`;

test("health names the order that nobody takes, and says how many wait behind it", async () => {
  const { queue, pass } = await heldUp(3);
  queue.work("job", () => null);
  await pass(0);
  const { reasons } = await queue.health();
  expect(reasons.map(({ code, message }) => `${code}: ${message}`)).toContain(held("3 wait"));
});

test("an order says what keeps it from being started, also where that is another one of its limit key", async () => {
  const { queue, store, findingsOf, pass } = await heldUp(2);
  expect(await findingsOf("o0")).toEqual(["no-worker: 4 orders wait and no worker is there"]);
  queue.work("job", () => null);
  await pass(0);
  expect(await findingsOf("holder")).toEqual(["unserved: no living worker takes strange", held("2 wait")]);
  expect(await findingsOf("o1")).toEqual(["unserved: no living worker takes strange", held("2 wait")]);
  expect((await store.orders.get("free"))?.state).toBe("COMPLETED");
  expect(await findingsOf("free")).toEqual([]);
  await queue.cancel("holder", "nobody does it");
  await pass(1_000);
  expect(await queue.counts()).toMatchObject({ PENDING: 0, COMPLETED: 3 });
});

test("of a long line no more than a thousand are counted", async () => {
  const { queue, findingsOf, pass } = await heldUp(1_001);
  queue.work("job", () => null);
  await pass(0);
  expect((await findingsOf("holder")).at(-1)).toBe(held("at least 1,000 wait"));
});
