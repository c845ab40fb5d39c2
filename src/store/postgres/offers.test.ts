import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { openProxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { writerSession } from "../../../test/postgres/writer-session.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { claimIds, newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { NewOrder, OrderRecord, Store } from "../index.ts";
import { Gathered } from "../orders/gathered.ts";
import type { Statement } from "../sql/program.ts";
import { claimOffered } from "./linked-commit.ts";
import { lockOffered, type Offer, readOffer } from "./offers.ts";
import { openPostgresStore } from "./open.ts";
import { Recollection } from "./recollection.ts";
import { preparedText } from "./statement-text.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Two stores that know of each other, and somebody who listens to what they tell. */
class Pair implements AsyncDisposable {
  /** Texts that the worker's side has sent. */
  readonly sent: string[] = [];
  /** Time of both: how long a test takes does not matter. */
  readonly clock = new ManualClock(1_000_000);
  readonly #told: Record<string, unknown>[] = [];
  readonly schema = server.schema();
  #submitter!: Store;
  #worker!: Store;
  #listener!: TestClient;
  #rings = 0;

  static async open(url: string = server.url()): Promise<Pair> {
    const pair = new Pair();
    const both = { schema: pair.schema, clock: pair.clock };
    pair.#submitter = await openPostgresStore({ ...both, url: server.url() });
    pair.#worker = await openPostgresStore({ ...both, url, driver: await watchedDriver(pair.sent) });
    pair.#worker.orders.onWork(() => pair.#rings++);
    pair.#listener = await connectClient(server.url());
    pair.#listener.on("notification", ({ payload }) =>
      pair.#told.push(JSON.parse(payload ?? "{}") as Record<string, unknown>),
    );
    await pair.#listener.query(`LISTEN "cutover_${pair.schema}"`);
    // Until each has greeted the other, and the worker's side knows the queue and doubts nothing.
    for (let n = 0; n < 100; n++) {
      await pair.submit(`before-${n}`);
      if (!(await pair.claim()).looked) return pair;
    }
    throw new Error("expected one of a hundred orders to be claimed without a look");
  }

  get submitter(): Store {
    return this.#submitter;
  }

  get worker(): Store {
    return this.#worker;
  }

  /** What was told last, as it was told. */
  get told(): string {
    return JSON.stringify(this.#told.at(-1));
  }

  /** What there is to tell of an order. */
  async offerOf(id: string): Promise<Offer> {
    const sql = `SELECT id, queue, kind, priority::int, memory::int, slots::int, tags::json, turn::int,
      created_at::int AS "createdAt", trail::json FROM "${this.schema}".orders WHERE id = $1`;
    const { rows } = await this.#listener.query(sql, [id]);
    return rows[0] as unknown as Offer;
  }

  /** Whether others are told of new work up to this position: of what came before they may be told meanwhile. */
  async isToldOf(seq: unknown): Promise<boolean> {
    const isOfIt = (told: Record<string, unknown>): boolean =>
      told["seq"] === seq && JSON.stringify(told["queues"]) === '["q"]';
    for (let n = 0; n < 2_000 && !this.#told.some(isOfIt); n++) await pause(1);
    return this.#told.some(isOfIt);
  }

  /** Submits, and waits until the worker's side was rung. */
  async submit(id: string, more: Partial<NewOrder> = {}): Promise<void> {
    await pause(10); // Rings are that far apart.
    await this.#rung(() => this.submitter.orders.submit([newOrder(id, more)]));
  }

  /** Tells what only the stores should. */
  async tell(offer: unknown): Promise<void> {
    const payload = JSON.stringify({ from: "somebody", seq: 0, queues: ["q"], offer });
    await this.#rung(() =>
      this.#listener.query("SELECT pg_notify($1, $2)", [`cutover_${this.schema}`, payload]),
    );
  }

  /** Ids of what is claimed, and whether the store was looked through for it. */
  async claim(): Promise<{ readonly ids: readonly string[]; readonly looked: boolean }> {
    const before = this.sent.length;
    const ids = await claimIds(this.worker, 10);
    return { ids, looked: this.sent.slice(before).some((text) => text.includes("RECURSIVE class")) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.submitter.close(), this.worker.close(), this.#listener.end()]);
  }

  async #rung(act: () => Promise<unknown>): Promise<void> {
    const [rings, told] = [this.#rings, this.#told.length];
    await act();
    for (let n = 0; n < 300 && (this.#rings === rings || this.#told.length === told); n++) await pause(1);
  }
}

describe("a new order that another process tells of", () => {
  test("is claimed without a look for it, as it is stored", async () => {
    await using pair = await Pair.open();
    const more = { payload: { a: [1, "x"] }, tenant: "t", carrier: { traceparent: "00-1" } };
    const given = { ...more, priority: 3, tags: ["gpu"], slots: 2 };
    const room = starting(5, { tags: ["gpu"] });
    let [order, looked, id]: [OrderRecord | undefined, boolean, string] = [undefined, true, ""];
    // Of a commit that was in vain at first others are told later, and not of the order.
    for (let n = 0; looked && n < 50; n++) {
      id = `o${n}`;
      await pair.submit(id, { ...given, uniqueKey: `u${n}` });
      expect(pair.told).toContain('"from"');
      expect(pair.told).not.toMatch(/payload|traceparent|"t"|"u\d/);
      const before = pair.sent.length;
      [order] = await pair.worker.orders.claim("q", "w", room, 10_000);
      looked = pair.sent.slice(before).some((text) => text.includes("RECURSIVE class"));
    }
    expect(looked).toBe(false);
    expect(order).toEqual(await pair.submitter.orders.get(id));
    expect(order).toMatchObject({ ...more, state: "RUNNING", worker: "w", fence: 1, attempt: 1, slots: 2 });
    const steps = ["submitted", "claimed", "started", "completed"];
    const change = { id, fence: 1, from: ["RUNNING"], to: "COMPLETED", event: "completed" } as const;
    const end = pair.sent.length;
    expect(await pair.worker.orders.change([change])).toMatchObject([{ state: "COMPLETED" }]);
    // What the claim has made sure of is known: its end is one statement.
    expect(pair.sent.slice(end).filter((text) => text.includes("chain_head"))).toHaveLength(1);
    expect((await pair.submitter.orders.history(id)).map(({ event }) => event)).toEqual(steps);
    expect(await pair.submitter.events.verify()).toMatchObject({ whole: true });
  });

  test("is told of with the position of its commit, whatever was told before", async () => {
    await using pair = await Pair.open();
    for (let n = 0; n < 8; n++) {
      await pair.submitter.orders.configure("q", { paused: false }, "somebody", "a test");
      // Without knowledge of the chain's end the next commit is given its place by the server.
      await pair.submitter.rebuild();
      await pair.submit(`o${n}`);
      expect(await pair.isToldOf((await pair.offerOf(`o${n}`)).trail[0])).toBe(true);
      await pair.claim();
    }
  });

  test("is given to one of two workers that were both told of it", async () => {
    await using pair = await Pair.open();
    for (let n = 0; n < 20; n++) {
      await pair.submit(`o${n}`);
      const got = await Promise.all([pair.claim(), claimIds(pair.submitter, 10)]);
      expect([...got[0].ids, ...got[1]]).toEqual([`o${n}`]);
    }
    expect(await pair.worker.events.verify()).toMatchObject({ whole: true });
  });

  test.each([
    ["another kind", { kind: "other" }],
    ["another priority", { priority: 1 }],
    ["less memory", { memory: 1 }],
    ["fewer slots", { slots: 0 }],
    ["other tags", { tags: ["x"] }],
    ["another turn", { turn: 1 }],
    ["another time", { createdAt: 5 }],
    ["other events", { trail: [1] }],
    ["another id", { id: "unknown" }],
  ])("is claimed as it is where somebody tells of it with %s", async (_, wrong: Partial<Offer>) => {
    await using pair = await Pair.open();
    await pair.submit("o1");
    await pair.tell({ ...(await pair.offerOf("o1")), ...wrong });
    expect(await pair.claim()).toEqual({ ids: ["o1"], looked: true });
    expect(await pair.worker.orders.get("o1")).toMatchObject({ kind: "hash", priority: 0, slots: 1 });
    expect(await pair.worker.events.verify()).toMatchObject({ whole: true });
  });

  test("is not claimed alone where others wait as well, nor before those that are better", async () => {
    await using pair = await Pair.open();
    await pair.submit("o1");
    const offer = await pair.offerOf("o1");
    await pair.submit("o2", { priority: 5 });
    await pair.tell(offer);
    expect(await pair.claim()).toEqual({ ids: ["o2", "o1"], looked: true });
  });

  test("does not pass by what has become due, or waits in the inbox", async () => {
    await using pair = await Pair.open();
    await pair.submitter.orders.submit([newOrder("later", { runAt: pair.clock.now() + 60 })]);
    await pair.submit("o1");
    await pair.clock.advance(60);
    expect((await pair.claim()).ids.toSorted()).toEqual(["later", "o1"]);
    const caller = await connectClient(server.url());
    await caller.query("BEGIN");
    await pair.submitter.orders.submitWithin(caller, [newOrder("within")]);
    await caller.query("COMMIT");
    await caller.end();
    await pair.submit("o2");
    expect((await pair.claim()).ids.toSorted()).toEqual(["o2", "within"]);
  });

  test("is left where the queue was paused, and told to be unwanted where that was asked for", async () => {
    await using pair = await Pair.open();
    await pair.submit("o1");
    await pair.submitter.orders.configure("q", { paused: true }, "somebody", "a test");
    expect((await pair.claim()).ids).toEqual([]);
    await pair.submitter.orders.configure("q", { paused: false }, "somebody", "a test");
    expect((await pair.claim()).ids).toEqual(["o1"]);
    await pair.submit("o2");
    await pair.submitter.orders.requestCancel("o2", "not wanted");
    const [order] = await pair.worker.orders.claim("q", "w", starting(5), 10_000);
    expect(order).toMatchObject({ id: "o2", cancelRequested: true });
  });

  test("is left to whoever is about to claim it, and nobody waits for that", async () => {
    await using pair = await Pair.open();
    await pair.submit("o1");
    const other = await connectClient(server.url());
    await other.query(`BEGIN; SELECT FROM "${pair.schema}".orders WHERE id = 'o1' FOR NO KEY UPDATE`);
    expect(await Promise.race([pair.claim(), pause(5_000)])).toEqual({ ids: [], looked: true });
    await other.query("ROLLBACK");
    await other.end();
    expect((await pair.claim()).ids).toEqual(["o1"]);
    expect(await pair.worker.events.verify()).toMatchObject({ whole: true });
  });

  test("keeps what was told of it since", async () => {
    await using pair = await Pair.open();
    await pair.submit("o1");
    const offer = await pair.offerOf("o1");
    await pair.submitter.orders.setPriority("o1", 7);
    await pair.submitter.orders.setPriority("o1", 0);
    await pair.tell(offer);
    expect((await pair.claim()).ids).toEqual(["o1"]);
    const told = (await pair.worker.orders.history("o1")).map(({ event }) => event);
    expect(told).toEqual(["submitted", "prioritised", "prioritised", "claimed", "started"]);
  });

  test("is forgotten after a while", async () => {
    await using pair = await Pair.open();
    await pair.submit("o1");
    await pair.tell(await pair.offerOf("o1"));
    await pair.clock.advance(300);
    expect(await pair.claim()).toEqual({ ids: ["o1"], looked: true });
  });

  test.each([
    ["cut-after", "pass"],
    ["cut-before", "pass"],
    ["cut-after", "cut-after"],
  ] as const)(
    "is claimed once, and told in full, where the answer is lost (%s, then %s)",
    async (fate, again) => {
      await using proxy = Object.assign(await openProxy(server.port), {
        [Symbol.asyncDispose]: () => proxy.close(),
      });
      await using pair = await Pair.open(proxy.url(server.url()));
      await pair.submit("o1");
      await pair.tell(await pair.offerOf("o1"));
      const { name: lock } = preparedText(lockOffered({ id: "o1" } as Offer).sql, pair.schema);
      // Then that of the look for what was claimed.
      const fates = [
        [`${lock}\0`, fate],
        ["FROM orders WHERE id = $1::text", again],
      ] as const;
      let cut = 0;
      proxy.fate = (sent) => {
        const [text, next] = fates[cut] ?? [];
        if (text === undefined || !sent.includes(text)) return "pass";
        cut++;
        return next ?? "pass";
      };
      const [order, ...others] = await pair.worker.orders.claim("q", "w", starting(5), 60_000);
      expect(cut).toBeGreaterThan(0);
      expect(others).toEqual([]);
      expect(order).toEqual(await pair.submitter.orders.get("o1"));
      expect(order).toMatchObject({ state: "RUNNING", fence: 1, payload: { file: "o1.txt" } });
      expect(await pair.submitter.events.verify()).toMatchObject({ whole: true });
    },
  );
});

/** Decided on an offer, and not committed yet. */
function claimOf(offer: Offer, now: number): Statement {
  const recollection = new Recollection();
  const asked = new Gathered();
  asked.askedConfigs.add("q");
  recollection.note(asked, { lanes: [], configs: [] });
  const job = { do: "claim", queue: "q", worker: "w", capacity: starting(5), leaseMs: 10_000 } as const;
  const linkable = claimOffered(job, offer, { recollection, now, timed: false });
  if (linkable?.statement === undefined) throw new Error("expected a statement");
  return linkable.statement;
}

describe("the locks of a claim of what was told", () => {
  const xact: Statement = {
    sql: "SELECT pg_current_xact_id_if_assigned()::text AS xact",
    values: [],
    wants: "rows",
  };

  test("are none where the order waits no longer: nothing is written, and nobody waits", async () => {
    await using pair = await Pair.open();
    const session = await writerSession(server.url(), pair.schema);
    await pair.submit("o1");
    const offer = await pair.offerOf("o1");
    expect((await session.send([lockOffered(offer), xact])).at(-1)?.rows).toMatchObject([
      { xact: expect.any(String) as string },
    ]);
    await pair.claim();
    expect((await session.send([lockOffered(offer), xact])).at(-1)?.rows).toEqual([{ xact: null }]);
    await session.end();
  });

  test("are asked for by the statement that writes: it may see an order that they did not", async () => {
    await using pair = await Pair.open();
    const session = await writerSession(server.url(), pair.schema);
    await pair.submit("o1");
    const offer = await pair.offerOf("o1");
    const statement = claimOf(offer, pair.clock.now());
    const unseen = lockOffered({ ...offer, id: "not there yet" });
    expect((await session.send([unseen, statement])).at(-1)?.rows).toEqual([]);
    expect(await pair.submitter.orders.get("o1")).toMatchObject({ state: "PENDING" });
    expect((await session.send([lockOffered(offer), statement])).at(-1)?.rows).toHaveLength(2);
    expect(await pair.submitter.orders.get("o1")).toMatchObject({ state: "RUNNING", worker: "w" });
    expect(await pair.submitter.events.verify()).toMatchObject({ whole: true });
    await session.end();
  });
});

test("what is no offer is none", () => {
  const offer = {
    id: "o",
    queue: "q",
    kind: "k",
    priority: 0,
    memory: 1,
    slots: 1,
    tags: ["t"],
    turn: 1,
    createdAt: 1,
    trail: [1],
  };
  expect(readOffer({ ...offer, more: 1 })).toEqual(offer);
  const wrong = [
    null,
    "o",
    [],
    {},
    ...Object.keys(offer).map((name) => ({ ...offer, [name]: undefined })),
    { ...offer, priority: 1.5 },
    { ...offer, tags: [1] },
    { ...offer, trail: ["1"] },
  ];
  for (const heard of wrong) expect(readOffer(heard)).toBeUndefined();
});
