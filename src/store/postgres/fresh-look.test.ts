import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { claimIds, newOrder } from "../../testing/store-contract/tools.ts";
import type { OrderChange, Store } from "../index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

interface Two {
  /** Its statements are noted. */
  readonly a: Store;
  readonly b: Store;
  readonly sent: string[];
  readonly schema: string;
}

async function openTwo(): Promise<Two> {
  const [sent, schema] = [[] as string[], server.schema()];
  const a = await openPostgresStore({ url: server.url(), schema, driver: await watchedDriver(sent) });
  const b = await openPostgresStore({ url: server.url(), schema });
  return { a, b, sent, schema };
}

const looks = (texts: readonly string[]): number =>
  texts.filter((text) => text.startsWith("(SELECT 'head'")).length;
const ended = (id: string): OrderChange => ({
  id,
  fence: 1,
  from: ["RUNNING"],
  to: "COMPLETED",
  event: "completed",
});

/** Lets `b` commit until `a` has asked how things stand: of a ring it may not know yet, or have something else to do. */
async function looked({ sent }: Pick<Two, "sent">, commit: (n: number) => Promise<unknown>): Promise<void> {
  const before = looks(sent);
  const end = performance.now() + 10_000;
  for (let n = 0; performance.now() < end; n++) {
    await commit(n);
    for (let waits = 0; waits < 20 && looks(sent) === before; waits++)
      await new Promise((resolve) => setTimeout(resolve, 2));
    if (looks(sent) > before) return;
  }
  throw new Error("expected a look after the commits of another process");
}

describe("a process that hears of a commit of another one", () => {
  test("asks how things stand while it rests, and stores its next order by one statement", async () => {
    const two = await openTwo();
    const { a, b, sent } = two;
    await a.orders.submit([newOrder("first")]);
    let stored = 0;
    const submitAfterLook = async (n: number): Promise<readonly string[]> => {
      await looked(two, (commit) => b.orders.submit([newOrder(`b${n}-${commit}`)]));
      const before = sent.length;
      await a.orders.submit([newOrder(`a${n}`, { uniqueKey: `k${n}` })], { depthLimit: 1_000 });
      stored++;
      return sent.slice(before).filter((text) => text.includes("chain_head") && !text.includes("pg_notify"));
    };
    let statements = await submitAfterLook(stored);
    // On a busy machine another ring may be on its way, and the usual way is gone.
    while (statements.length > 1 && stored < 50) statements = await submitAfterLook(stored);
    expect(statements.map((text) => text.slice(0, 9))).toEqual(["WITH head"]);
    const orders = await a.orders.list({ queue: "q", limit: 1_000 });
    expect(orders.filter(({ id }) => id.startsWith("a"))).toHaveLength(stored);
    const report = await a.events.verify();
    expect(report).toMatchObject({ whole: true, events: orders.length });
    await b.rebuild();
    expect(await a.orders.list({ queue: "q", limit: 1_000 })).toEqual(orders);
    await Promise.all([a.close(), b.close()]);
  });

  test("takes over what the other one has changed: depth, weights and turns", async () => {
    const two = await openTwo();
    const { a, b } = two;
    const submit = (id: string, tenant = ""): Promise<unknown> =>
      a.orders.submit([newOrder(id, { tenant })], { depthLimit: 4 });
    await submit("x1", "x");
    await submit("y1", "y");
    await looked(two, (n) => b.orders.configure("q", { weights: { y: 4 + n } }, "test", "worth more"));
    await submit("y2", "y");
    await looked(two, (n) => b.orders.submit([newOrder("x2", { tenant: "x", priority: n === 0 ? 0 : n })]));
    await expect(submit("y3", "y")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_FULL" });
    await claimIds(b, 1);
    await b.orders.change([ended("x1")]);
    await looked(two, (n) => b.orders.configure("q", { weights: { y: 8 + n } }, "test", "worth more"));
    await submit("y4", "y");
    await expect(submit("y5", "y")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_FULL" });
    // With four turns for one of x the second of y comes before the second of x.
    expect((await claimIds(a, 10)).slice(0, 2)).toEqual(["y1", "y2"]);
    expect(await a.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  test("ends what it holds with all that others have written to it meanwhile", async () => {
    const two = await openTwo();
    const { a, b, schema } = two;
    const names = ["cancelled", "gone", "left", "taken"];
    await a.orders.submit(names.map((id) => newOrder(id)));
    expect(await claimIds(a, 10)).toEqual(names);
    await b.orders.requestCancel("cancelled", "no longer wanted");
    await server.query(`DELETE FROM "${schema}".orders WHERE id = 'gone'`);
    await b.orders.change([{ ...ended("taken"), to: "PENDING", event: "rescued" }]);
    await looked(two, (n) => b.orders.submit([newOrder(`other${n}`, { queue: "other" })]));
    await expect(a.orders.change([ended("taken")])).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    await expect(a.orders.change([ended("gone")])).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    expect(await a.orders.change([ended("left")])).toMatchObject([{ state: "COMPLETED" }]);
    expect(await a.orders.change([ended("cancelled")])).toMatchObject([{ cancelRequested: true }]);
    const told = (await a.orders.history("cancelled")).map(({ event }) => event);
    expect(told).toEqual(["submitted", "claimed", "started", "cancel-requested", "completed"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("soon asks no more when nothing comes of it", async () => {
    const two = await openTwo();
    const { a, b, sent } = two;
    await a.orders.submit([newOrder("first")]);
    for (let n = 0; n < 9; n++) await looked(two, (more) => b.orders.submit([newOrder(`o${n}-${more}`)]));
    const before = looks(sent);
    for (let n = 0; n < 40; n++) {
      await b.orders.submit([newOrder(`p${n}`)]);
      await new Promise((resolve) => setTimeout(resolve, 6));
    }
    expect(looks(sent) - before).toBeLessThan(8);
    await Promise.all([a.close(), b.close()]);
  });

  test("believes nobody who tells of events that there are not", async () => {
    const two = await openTwo();
    const { a, b, sent, schema } = two;
    await a.orders.submit([newOrder("o1")]);
    const before = looks(sent);
    const forged = JSON.stringify({ from: "somebody", seq: 1_000_000, queues: ["q"] });
    await server.query(`SELECT pg_notify('cutover_${schema}', '${forged}')`);
    for (let waits = 0; waits < 500 && looks(sent) === before; waits++)
      await new Promise((resolve) => setTimeout(resolve, 2));
    expect(looks(sent)).toBe(before + 1);
    const between = sent.length;
    await a.orders.submit([newOrder("o2")]);
    await a.orders.submit([newOrder("o3")]);
    expect(sent.slice(between).some((text) => text.startsWith("WITH head"))).toBe(true);
    expect(await b.events.verify()).toMatchObject({ whole: true, events: 3 });
    await Promise.all([a.close(), b.close()]);
  });
});
