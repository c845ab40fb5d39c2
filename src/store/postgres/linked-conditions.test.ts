import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { writerSession } from "../../../test/postgres/writer-session.ts";
import { claimIds, newOrder } from "../../testing/store-contract/tools.ts";
import type { Store } from "../index.ts";
import { Gathered } from "../orders/gathered.ts";
import type { OrderJob } from "../orders/order-io.ts";
import { HeldRows } from "./held-rows.ts";
import { commitLinked, decideLinked, type Linkable, recallLinked } from "./linked-commit.ts";
import { openPostgresStore } from "./open.ts";
import { Recollection } from "./recollection.ts";
import { rollBack, type Session } from "./session.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function open(): Promise<{ store: Store; session: Session }> {
  const schema = server.schema();
  const store = await openPostgresStore({ url: server.url(), schema });
  opened.push(store);
  const session = await writerSession(server.url(), schema);
  opened.push({ close: () => session.end() });
  return { store, session };
}

const decided = async (session: Session, ...jobs: readonly OrderJob[]): Promise<Linkable> =>
  (await decideLinked(session, jobs, { held: new HeldRows(), now: undefined, learn: () => {} })) as Linkable;

async function isStored(session: Session, linkable: Linkable): Promise<boolean> {
  const linked = await commitLinked(session, linkable, undefined);
  await rollBack(session);
  return linked !== undefined;
}

/** New orders in two queues and three lanes, where no more than five may be open. */
const submit = (name: string): OrderJob => ({
  do: "submit",
  orders: [
    newOrder(`${name}-1`, { queue: "p" }),
    newOrder(`${name}-2`, { queue: "q" }),
    newOrder(`${name}-3`, { queue: "q", tenant: "t" }),
  ],
  depthLimit: 5,
});

interface Change {
  readonly what: string;
  readonly meanwhile: (store: Store) => Promise<unknown>;
  /** Whether new orders are stored all the same, decided on what was read, and on what was remembered. */
  readonly stored: { readonly read: boolean; readonly recalled: boolean };
}

const changes: readonly Change[] = [
  {
    what: "nothing has changed",
    meanwhile: () => Promise.resolve(),
    stored: { read: true, recalled: true },
  },
  {
    what: "one was configured",
    meanwhile: (store) => store.orders.configure("p", { weights: { t: 2 } }, "ana", "test"),
    stored: { read: false, recalled: false },
  },
  {
    what: "one is nearly full",
    meanwhile: (store) => store.orders.submit(["x", "y"].map((id) => newOrder(id, { tenant: "z" }))),
    stored: { read: false, recalled: false },
  },
  {
    // Two orders with one turn do no harm, where it was read just now.
    what: "a tenant got the next turn",
    meanwhile: (store) => store.orders.submit([newOrder("x", { tenant: "t" })]),
    stored: { read: true, recalled: false },
  },
];

test.each(changes.flatMap((change) => (["read", "recalled"] as const).map((how) => ({ ...change, how }))))(
  "of several queues and lanes that were $how $what",
  async ({ meanwhile, stored, how }) => {
    const { store, session } = await open();
    const recollection = new Recollection();
    const first = await decided(session, submit("first"));
    expect(await isStored(session, first)).toBe(true);
    recollection.note(first.gathered, first.writes);
    const again = [submit("second")];
    const second =
      how === "read"
        ? await decided(session, ...again)
        : recallLinked(again, { recollection, now: store.clock.now(), timed: true });
    await meanwhile(store);
    expect(await isStored(session, second as Linkable)).toBe(stored[how]);
    expect((await store.orders.get("second-2")) !== undefined).toBe(stored[how]);
    expect(await store.events.verify()).toMatchObject({ whole: true });
  },
);

test("of many orders of a tenant none is stored with a turn that was served already", async () => {
  const { store, session } = await open();
  await store.orders.submit(["a", "b"].map((id) => newOrder(id, { tenant: "other" })));
  const ids = ["first", "second", "third", "fourth"];
  const late = await decided(session, {
    do: "submit",
    orders: ids.map((id) => newOrder(id, { tenant: "late" })),
  });
  expect(await claimIds(store, 2)).toEqual(["a", "b"]);
  expect(await isStored(session, late)).toBe(false);
});

test("the text does not depend on how many lanes there are", () => {
  const recollection = new Recollection();
  const gathered = new Gathered();
  const lanes = Array.from({ length: 50 }, (_, n) => ({ queue: "q", priority: 0, tenant: `t${n}`, turn: 5 }));
  gathered.askedConfigs.add("q");
  recollection.note(gathered, { lanes, configs: [] });
  const texts = lanes.map((_, last) => {
    const orders = lanes.slice(0, last + 1).map(({ tenant }, n) => newOrder(`o${n}`, { tenant }));
    const options = { recollection, now: 1, timed: true };
    return recallLinked([{ do: "submit", orders }], options)?.statement?.sql;
  });
  expect(new Set(texts).size).toBeLessThan(10);
});
