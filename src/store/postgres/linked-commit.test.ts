import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { writerSession } from "../../../test/postgres/writer-session.ts";
import { claimIds, newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { OrderChange, OrderRecord, Store } from "../index.ts";
import { Gathered, triple } from "../orders/gathered.ts";
import type { OrderJob } from "../orders/order-io.ts";
import { HeldRows } from "./held-rows.ts";
import { commitLinked, decideLinked, type Linkable, type Linked, recallLinked } from "./linked-commit.ts";
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

/** A store, and beside it a connection as another process's writer would have it. */
async function open(): Promise<{ store: Store; session: Session; schema: string }> {
  const schema = server.schema();
  const store = await openPostgresStore({ url: server.url(), schema });
  opened.push(store);
  return { store, session: await connect(schema), schema };
}

async function connect(schema: string): Promise<Session> {
  const session = await writerSession(server.url(), schema);
  opened.push({ close: () => session.end() });
  return session;
}

const claim = (max: number): OrderJob => ({
  do: "claim",
  queue: "q",
  worker: "w",
  capacity: { ...starting(max) },
  leaseMs: 60_000,
});
const submit = (...ids: readonly string[]): OrderJob => ({
  do: "submit",
  orders: ids.map((id) => newOrder(id)),
});
const completed = (order: OrderRecord): OrderJob => ({ do: "change", changes: [completion(order)] });

const completion = ({ id, fence }: OrderRecord): OrderChange => ({
  id,
  fence,
  from: ["RUNNING"],
  to: "COMPLETED",
  event: "completed",
  unlessCancelled: true,
  set: { endedAt: 1, result: { of: id } },
});

/** Decides and commits; the orders that a claim got. */
async function done(
  session: Session,
  held: HeldRows,
  ...jobs: readonly OrderJob[]
): Promise<{ linked: Linked | undefined; linkable: Linkable | undefined; claimed: readonly OrderRecord[] }> {
  const linkable = await decideLinked(session, jobs, { held, now: undefined, learn: () => {} });
  const linked = linkable === undefined ? undefined : await commitLinked(session, linkable, undefined);
  if (linked === undefined) await rollBack(session);
  else held.wrote(linked.written, linked.xact);
  const index = jobs.findIndex((job) => job.do === "claim");
  const outcome = linkable?.outcomes[index];
  return { linked, linkable, claimed: outcome?.ok === true ? (outcome.value as readonly OrderRecord[]) : [] };
}

async function rowsOf(schema: string): Promise<readonly unknown[]> {
  return await server.query(`SELECT * FROM "${schema}".orders ORDER BY id`);
}

describe("a commit that the server links", () => {
  test("has its events in the chain, and its orders know them, though its place was not known when it was decided", async () => {
    const { store, session, schema } = await open();
    const held = new HeldRows();
    await store.orders.submit([newOrder("a"), newOrder("b")]);
    const options = { held, now: undefined, learn: () => {} };
    const decided = (await decideLinked(session, [claim(1)], options)) as Linkable;
    // Others go on meanwhile: the chain is not held.
    await store.orders.submit([newOrder("d")]);
    const first = await commitLinked(session, decided, undefined);
    held.wrote(first?.written ?? [], first?.xact ?? "");
    expect(first?.events.map(({ seq, type }) => [seq, type])).toEqual([
      [3, "orders.transition"],
      [4, "orders.transition"],
    ]);
    const [order] = (decided.outcomes[0] as unknown as { value: readonly OrderRecord[] }).value;
    const second = await done(session, held, completed(order as OrderRecord), claim(1));
    expect(second.claimed.map(({ id }) => id)).toEqual(["b"]);
    expect(await store.events.read({ limit: 100, after: 2 })).toEqual([
      ...(first?.events ?? []),
      ...(second.linked?.events ?? []),
    ]);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 7 });
    expect((await store.orders.history("a")).map(({ seq, event }) => [seq, event])).toEqual([
      [1, "submitted"],
      [3, "claimed"],
      [4, "started"],
      [5, "completed"],
    ]);
    expect(await store.orders.get("a")).toMatchObject({ state: "COMPLETED", result: { of: "a" } });
    const before = await rowsOf(schema);
    await store.rebuild();
    expect(await rowsOf(schema)).toEqual(before);
  });

  test("of many orders has large events packed", async () => {
    const { store, session } = await open();
    const ids = Array.from({ length: 300 }, (_, n) => `o${n}`);
    const { linked } = await done(session, new HeldRows(), submit(...ids));
    expect(linked?.events).toHaveLength(1);
    expect(await store.events.read({ limit: 10 })).toEqual(linked?.events);
    expect(await store.events.verify()).toMatchObject({ whole: true });
    expect(await store.orders.counts("q")).toMatchObject({ PENDING: 300 });
  });

  test("passes by what another one is about to claim", async () => {
    const { store, session, schema } = await open();
    await store.orders.submit(["a", "b", "c", "d"].map((id) => newOrder(id)));
    const other = await connect(schema);
    const options = { held: new HeldRows(), now: undefined, learn: () => {} };
    // Two orders more than it takes are looked at.
    const decided = (await decideLinked(other, [claim(1)], options)) as Linkable;
    const { claimed } = await done(session, new HeldRows(), claim(4));
    expect(claimed.map(({ id }) => id)).toEqual(["d"]);
    expect(await commitLinked(other, decided, undefined)).toMatchObject({ written: [{ id: "a" }] });
    expect(await claimIds(store, 4)).toEqual(["b", "c"]);
  });

  test("finds nothing where all is taken, and leaves nothing open", async () => {
    const { store, session } = await open();
    const { linked, linkable } = await done(session, new HeldRows(), claim(3));
    expect([linked, linkable?.outcomes]).toEqual([undefined, [{ ok: true, value: [] }]]);
    expect(await store.orders.submit([newOrder("a")])).toHaveLength(1);
  });
});

describe("what had become otherwise when the chain was locked", () => {
  interface Otherwise {
    readonly what: string;
    readonly jobs: (order: OrderRecord) => readonly OrderJob[];
    /** What somebody else does meanwhile. */
    readonly meanwhile: (store: Store, order: OrderRecord) => Promise<unknown>;
  }
  const cases: readonly Otherwise[] = [
    {
      what: "the queue was paused",
      jobs: () => [claim(1)],
      meanwhile: (store) => store.orders.configure("q", { paused: true }, "ana", "test"),
    },
    {
      what: "weights were given",
      jobs: () => [submit("new")],
      meanwhile: (store) => store.orders.configure("q", { weights: { t: 3 } }, "ana", "test"),
    },
    {
      what: "the id was taken",
      jobs: () => [submit("new")],
      meanwhile: (store) => store.orders.submit([newOrder("new", { kind: "other" })]),
    },
    {
      what: "the unique key was taken",
      jobs: () => [{ do: "submit", orders: [newOrder("new", { uniqueKey: "k" })] }],
      meanwhile: (store) => store.orders.submit([newOrder("first", { uniqueKey: "k" })]),
    },
    {
      what: "the queue became full",
      jobs: () => [{ do: "submit", orders: [newOrder("new")], depthLimit: 4 }],
      meanwhile: (store) => store.orders.submit([newOrder("x1"), newOrder("x2")]),
    },
    {
      what: "its turn was served",
      jobs: () => [{ do: "submit", orders: [newOrder("new", { tenant: "late" })] }],
      meanwhile: (store) => claimIds(store, 2),
    },
  ];

  test.each(cases)("$what: nothing is done", async ({ jobs, meanwhile }) => {
    const { store, session } = await open();
    await store.orders.submit(["a", "b", "c"].map((id) => newOrder(id)));
    const held = new HeldRows();
    const { claimed } = await done(session, held, claim(1));
    const [order] = claimed as readonly [OrderRecord];
    const options = { held, now: undefined, learn: () => {} };
    const decided = (await decideLinked(session, jobs(order), options)) as Linkable;
    expect(decided.statement).toBeDefined();
    // It touches no row that is locked here.
    await meanwhile(store, order);
    const events = await store.events.count();
    expect(await commitLinked(session, decided, undefined)).toBeUndefined();
    await rollBack(session);
    const after = await store.events.read({ after: events, limit: 100 });
    expect(after.filter(({ data }) => JSON.stringify(data).includes('"new"'))).toEqual([]);
    expect(await store.orders.get(order.id)).toMatchObject({ state: "RUNNING" });
    expect(await store.events.verify()).toMatchObject({ whole: true });
  });

  const heldCases: readonly Omit<Otherwise, "jobs">[] = [
    {
      what: "the end of the order was asked for",
      meanwhile: (store, { id }) => store.orders.requestCancel(id, "not wanted"),
    },
    {
      what: "the order was given another priority",
      meanwhile: (store, { id }) => store.orders.setPriority(id, 7),
    },
    {
      what: "somebody waits for the order",
      meanwhile: (store, { id }) => store.orders.submit([newOrder("after", { after: [id] })]),
    },
  ];

  // Once it is decided the order is locked: others wait for the commit then.
  test.each(heldCases)("$what before it was locked: nothing is done", async ({ meanwhile }) => {
    const { store, session } = await open();
    await store.orders.submit(["a", "b"].map((id) => newOrder(id)));
    const held = new HeldRows();
    const { claimed } = await done(session, held, claim(1));
    const [order] = claimed as readonly [OrderRecord];
    await meanwhile(store, order);
    const before = await store.orders.get(order.id);
    const { linkable, linked } = await done(session, held, completed(order));
    expect(linkable?.statement).toBeDefined();
    expect(linked).toBeUndefined();
    expect(await store.orders.get(order.id)).toEqual(before);
    expect(await store.events.verify()).toMatchObject({ whole: true });
  });

  test("rows stand behind the end of the chain: nothing is done", async () => {
    const { store, session, schema } = await open();
    await store.orders.submit([newOrder("a")]);
    const decided = (await decideLinked(session, [claim(1)], {
      held: new HeldRows(),
      now: undefined,
      learn: () => {},
    })) as Linkable;
    await server.query(
      `INSERT INTO "${schema}".events SELECT seq + 5, at, stream, type, data, hash FROM "${schema}".events`,
    );
    expect(await commitLinked(session, decided, undefined)).toBeUndefined();
    await rollBack(session);
  });

  test.each<[string, (store: Store) => Promise<unknown>]>([
    ["an order in the inbox", (store) => submitWithin(store, "inboxed")],
    [
      "an order whose time has come",
      async (store) => {
        await store.orders.submit([newOrder("due", { runAt: store.clock.now() + 300 })]);
        await new Promise((resolve) => setTimeout(resolve, 400));
      },
    ],
    ["an order with a limit", (store) => store.orders.submit([newOrder("limited", { limitKey: "k" })])],
  ])("%s is left to those who hold the chain", async (_, bring) => {
    const { store, session } = await open();
    await bring(store);
    const decided = await decideLinked(session, [claim(5)], {
      held: new HeldRows(),
      now: undefined,
      learn: () => {},
    });
    await rollBack(session);
    expect(decided).toBeUndefined();
  });
});

async function submitWithin(store: Store, id: string): Promise<void> {
  const caller = await connectClient(server.url());
  await caller.query("BEGIN");
  await store.orders.submitWithin(caller, [newOrder(id)]);
  await caller.query("COMMIT");
  await caller.end();
}

describe("new orders on what is remembered of their queue", () => {
  const now = (): number => Date.now();

  async function remembered(): Promise<{ store: Store; session: Session; recollection: Recollection }> {
    const { store, session } = await open();
    const recollection = new Recollection();
    const linkable = await decideLinked(session, [submit("first")], {
      held: new HeldRows(),
      now: undefined,
      learn: () => {},
    });
    await commitLinked(session, linkable as Linkable, undefined);
    recollection.note((linkable as Linkable).gathered, (linkable as Linkable).writes);
    return { store, session, recollection };
  }

  test("are stored in one round trip, though others have claimed and ended meanwhile", async () => {
    const { store, session, recollection } = await remembered();
    const [order] = await store.orders.claim("q", "w", starting(1), 60_000);
    await store.orders.change([completion(order as OrderRecord)]);
    const linkable = recallLinked([submit("second")], { recollection, now: now(), timed: true });
    const linked = await commitLinked(session, linkable as Linkable, undefined);
    expect(linked?.events.map(({ seq }) => seq)).toEqual([await store.events.count()]);
    expect(await store.events.verify()).toMatchObject({ whole: true });
    expect((await store.orders.history("second")).map(({ seq }) => seq)).toEqual([linked?.events[0]?.seq]);
  });

  test.each<[string, (store: Store) => Promise<unknown>, number]>([
    ["orders of the same tenant came", (store) => store.orders.submit([newOrder("x")]), 0],
    [
      "turns were served beyond its own",
      async (store) => {
        await store.orders.submit(["x", "y", "z"].map((id) => newOrder(id, { tenant: "other" })));
        await claimIds(store, 4);
      },
      0,
    ],
    ["the clock of this process is wrong", () => Promise.resolve(), 500],
  ])("are not stored so where %s", async (_, meanwhile, ahead) => {
    const { store, session, recollection } = await remembered();
    await meanwhile(store);
    const options = { recollection, now: now() + ahead, timed: true };
    const linkable = recallLinked([submit("second")], options);
    expect(await commitLinked(session, linkable as Linkable, undefined)).toBeUndefined();
    await rollBack(session);
    expect(await store.orders.get("second")).toBeUndefined();
  });

  test("are not thought of where nothing is remembered, or something else is asked for", () => {
    const recall = (recollection: Recollection, ...jobs: readonly OrderJob[]): unknown =>
      recallLinked(jobs, { recollection, now: 1, timed: true });
    const known = new Recollection();
    const gathered = new Gathered();
    gathered.askedConfigs.add("q");
    gathered.askedLanes.add(triple("q", 0, newOrder("a").tenant));
    known.note(gathered, {
      lanes: [{ queue: "q", priority: 0, tenant: newOrder("a").tenant, turn: 5 }],
      configs: [],
    });
    expect(recall(known, submit("a"))).toBeDefined();
    expect(recall(new Recollection(), submit("a"))).toBeUndefined();
    expect(recall(known, submit("a"), claim(1))).toBeUndefined();
    expect(recall(known, { do: "submit", orders: [newOrder("a", { after: ["b"] })] })).toBeUndefined();
    expect(recall(known, { do: "submit", orders: [newOrder("a", { limitKey: "k" })] })).toBeUndefined();
    known.forget();
    expect(recall(known, submit("a"))).toBeUndefined();
  });
});

describe("many stores on one database", () => {
  test("share the work: every order is done once, in a chain that is whole, and rebuilt the same", async () => {
    const schema = server.schema();
    const sent: string[] = [];
    const driver = await watchedDriver(sent);
    const stores: Store[] = [];
    for (let n = 0; n < 6; n++)
      stores.push(await openPostgresStore({ url: server.url(), schema, ...(n === 0 ? { driver } : {}) }));
    opened.push(...stores);
    const [first] = stores as [Store];
    const total = 300;
    const submits = stores.slice(3).map(async (store, part) => {
      for (let n = 0; n < total / 3; n++)
        await store.orders.submit([newOrder(`o${part}-${n}`)], { depthLimit: 5_000 });
    });
    const ended: string[] = [];
    const workers = stores.slice(0, 4).map(async (store) => {
      while (ended.length < total) {
        const orders = await store.orders.claim("q", `w${stores.indexOf(store)}`, starting(3), 60_000);
        await Promise.all(orders.map((order) => store.orders.change([completion(order)])));
        ended.push(...orders.map(({ id }) => id));
        if (orders.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
    await Promise.all([...submits, ...workers]);
    expect(new Set(ended).size).toBe(total);
    expect(ended).toHaveLength(total);
    expect(await first.orders.counts("q")).toMatchObject({ COMPLETED: total, PENDING: 0, RUNNING: 0 });
    expect(await first.events.verify()).toMatchObject({ whole: true });
    // Otherwise this would not be about it.
    expect(sent.filter((text) => text.startsWith("WITH link_0")).length).toBeGreaterThan(10);
    const steps = ["submitted", "claimed", "started", "completed"];
    for (const id of ["o0-0", "o1-77", "o2-99"])
      expect((await first.orders.history(id)).map(({ event }) => event)).toEqual(steps);
    const before = await rowsOf(schema);
    await first.rebuild();
    expect(await rowsOf(schema)).toEqual(before);
  }, 120_000);
});
