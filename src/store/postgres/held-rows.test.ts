import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { claimIds, newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { OrderChange, Store } from "../index.ts";
import { jsonArray, jsonTexts } from "./arrays.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

async function openTwo(): Promise<{ a: Store; b: Store; schema: string }> {
  const schema = server.schema();
  const open = (): Promise<Store> => openPostgresStore({ url: server.url(), schema });
  return { a: await open(), b: await open(), schema };
}

const completed = (id: string): OrderChange => ({
  id,
  fence: 1,
  from: ["PREPARING", "RUNNING"],
  to: "COMPLETED",
  event: "completed",
});

describe("an order that a process remembers from its own claim", () => {
  test("is seen with what another process has done to it since", async () => {
    const { a, b } = await openTwo();
    await a.orders.submit([newOrder("o1")]);
    await claimIds(a, 1);
    await b.orders.requestCancel("o1", "no longer wanted");
    const [ended] = await a.orders.change([completed("o1")]);
    expect(ended).toMatchObject({ state: "COMPLETED", cancelRequested: true });
    const events = (await b.orders.history("o1")).map(({ event }) => event);
    expect(events).toContain("cancel-requested");
    expect(events.at(-1)).toBe("completed");
    expect(await b.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  test("is refused when another process has taken it over, or it is gone", async () => {
    const { a, b, schema } = await openTwo();
    await a.orders.submit([newOrder("o1"), newOrder("o2")]);
    await claimIds(a, 2);
    await b.orders.change([
      { id: "o1", fence: 1, from: ["PREPARING", "RUNNING"], to: "PENDING", event: "rescued" },
    ]);
    await claimIds(b, 1);
    await server.query(`DELETE FROM "${schema}".orders WHERE id = 'o2'`);
    for (const id of ["o1", "o2"])
      await expect(a.orders.change([completed(id)])).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    expect(await b.orders.get("o1")).toMatchObject({ fence: 2, worker: "w" });
    await Promise.all([a.close(), b.close()]);
  });

  test("keeps the lease that was renewed, and the payload as it was submitted", async () => {
    const { a, b } = await openTwo();
    await a.orders.submit([newOrder("o1", { payload: { list: [1], name: 'a "quoted" \\ name' } })]);
    const [held] = await a.orders.claim("q", "w", starting(1), 60_000);
    const given = held?.payload as { list: number[] } | undefined;
    given?.list.push(2);
    await a.orders.renew([{ id: "o1", fence: 1 }], 600_000);
    const [moved] = await a.orders.change([
      { ...completed("o1"), to: "RUNNING", event: "progressed", set: { progress: { done: 1 } } },
    ]);
    expect(moved?.leaseUntil).toBeGreaterThan(a.clock.now() + 300_000);
    expect(moved).toMatchObject({ payload: { list: [1] } });
    const [ended] = await a.orders.change([completed("o1")]);
    expect(ended).toMatchObject({ payload: { list: [1] } });
    expect(await b.orders.get("o1")).toEqual(ended);
    await Promise.all([a.close(), b.close()]);
  });

  test("ends with hundreds of others in one commit, each told of and counted once", async () => {
    const { a, b } = await openTwo();
    const ids = Array.from({ length: 750 }, (_, n) => `o${String(n).padStart(3, "0")}`);
    await a.orders.submit(ids.map((id) => newOrder(id)));
    await claimIds(a, 750);
    const half = ids.slice(0, 375);
    const answers = await Promise.allSettled([
      ...half.map((id) => a.orders.change([completed(id)])),
      a.orders.change([{ ...completed("o400"), fence: 7 }]),
      a.orders.change(ids.slice(375).map(completed)),
      a.orders.submit([newOrder("late")]),
    ]);
    expect(answers.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(await b.orders.counts("q")).toMatchObject({ COMPLETED: 750, RUNNING: 0, PENDING: 1 });
    for (const id of ["o000", "o120", "o374", "o749"])
      expect(
        (await b.orders.history(id)).map(({ event }) => event).filter((event) => event === "completed"),
      ).toEqual(["completed"]);
    const before = await b.orders.list({ queue: "q", states: ["COMPLETED"], limit: 1_000 });
    await b.rebuild();
    expect(await b.orders.list({ queue: "q", states: ["COMPLETED"], limit: 1_000 })).toEqual(before);
    await Promise.all([a.close(), b.close()]);
  });
});

test("JSON texts reach the server as they are, among them NULL", async () => {
  const client = await connectClient(server.url());
  const texts = [`{"a":"\\u001e\\u001f","b":"\\"\\\\"}`, null, `"NULL"`, `[]`, `"ü€😀"`];
  for (const sent of [texts, [null], [texts[0] ?? ""], ['""']]) {
    const { rows } = await client.query(`SELECT ${jsonTexts(1)} AS found`, [jsonArray(sent)]);
    expect((rows[0] as { found: unknown }).found).toEqual(sent);
  }
  await client.end();
});
