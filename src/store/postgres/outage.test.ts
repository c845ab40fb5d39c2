import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openProxy, type Proxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { setFaultHandler } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { newOrder, refusal, seededRandom } from "../../testing/store-contract/tools.ts";
import type { NewOrder, Store, StoredEvent } from "../index.ts";
import { openPostgresStore } from "./open.ts";
import { preparedText } from "./statement-text.ts";

let server: TestServer;
let proxy: Proxy;
beforeAll(async () => {
  server = await postgresServer();
  proxy = await openProxy(server.port);
});
afterEach(() => {
  proxy.fate = () => "pass";
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

const open = (schema: string, url = server.url(), retryMs = 30_000): Promise<Store> =>
  openPostgresStore({ url, schema, retryMs });
const order = (id: string): NewOrder => newOrder(id, { queue: "q" });

/** The wire is cut once, at the next packet that holds a COMMIT, or the first statement that is its own transaction. */
function cutCommit(fate: "cut-before" | "cut-after"): void {
  const { name = "" } = preparedText("COMMIT");
  proxy.fate = (sent) => {
    if (![`${name}\0`, "COMMIT", "WITH head AS"].some((text) => sent.includes(text))) return "pass";
    proxy.fate = () => "pass";
    return fate;
  };
}

/** Everything acknowledged is there once, and the chain is whole. */
async function expectOnce(store: Store, ids: readonly string[]): Promise<void> {
  const events = await store.events.read({ types: ["orders.submitted"], limit: 10_000 });
  const told = events.flatMap(({ data }) => (data["orders"] as { id: string }[]).map(({ id }) => id));
  expect([...told].sort()).toEqual([...ids].sort());
  expect((await store.orders.counts("q")).PENDING).toBe(ids.length);
  expect(await store.events.verify()).toMatchObject({ whole: true });
}

describe("a commit whose answer is lost", () => {
  test.each(["cut-after", "cut-before"] as const)("is stored once and told as stored (%s)", async (fate) => {
    await using store = await open(server.schema(), proxy.url(server.url()));
    await store.orders.submit([order("first")]);
    const heard: string[] = [];
    store.events.subscribe((events) => heard.push(...events.map(({ type }) => type)));
    cutCommit(fate);
    const [stored] = await store.orders.submit([order("second")]);
    expect(stored).toMatchObject({ fresh: true, order: { id: "second", state: "PENDING" } });
    await expectOnce(store, ["first", "second"]);
    expect(heard).toEqual(["orders.submitted"]);
  });

  test.each(["cut-after", "cut-before"] as const)(
    "is told as it is when it has no event (%s)",
    async (fate) => {
      await using store = await open(server.schema(), proxy.url(server.url()));
      const schedule = { when: "every 1s", timezone: null, order: {}, nextAt: 10 };
      await store.orders.setSchedule("q", "s", schedule);
      cutCommit(fate);
      // Done again it would find the schedule moved, and say that somebody else did.
      expect(await store.orders.advanceSchedule("q", "s", 10, 20)).toBe(true);
      expect(await store.orders.advanceSchedule("q", "s", 10, 30)).toBe(false);
    },
  );

  test.each(["cut-after", "cut-before"] as const)(
    "is stored once when the server was to link it (%s)",
    async (fate) => {
      const schema = server.schema();
      await using store = await open(schema, proxy.url(server.url()));
      await using other = await open(schema);
      const heard: StoredEvent[] = [];
      store.events.subscribe((events) => heard.push(...events), { others: false });
      await store.orders.submit([order("first")]);
      let cut = false;
      proxy.fate = (sent) => {
        if (cut || !sent.includes("WITH link_0")) return "pass";
        cut = true;
        return fate;
      };
      const ids = ["first"];
      // Others have committed since, and it has not heard of it yet.
      for (let n = 0; !cut && n < 50; n++) {
        await other.orders.submit([newOrder(`other-${n}`, { queue: "other" })]);
        const [stored] = await store.orders.submit([order(`o${n}`)]);
        expect(stored).toMatchObject({ fresh: true });
        ids.push(`o${n}`);
      }
      expect(cut).toBe(true);
      expect((await store.orders.counts("q")).PENDING).toBe(ids.length);
      expect((await store.orders.list({ queue: "q", limit: 100 })).map(({ id }) => id).sort()).toEqual(
        ids.sort(),
      );
      // Whoever listens here is told of it once, as it is stored.
      expect(heard).toEqual(await store.events.read({ stream: "queue:q", limit: 100 }));
      expect(await store.events.verify()).toMatchObject({ whole: true });
    },
  );

  test("is called unknown when the server stays away", async () => {
    const store = await open(server.schema(), proxy.url(server.url()), 300);
    await store.orders.submit([order("first")]);
    cutCommit("cut-after");
    const before = proxy.fate;
    proxy.fate = (sent) => {
      const fate = before(sent);
      if (fate === "cut-after") proxy.fate = () => "cut-before";
      return fate;
    };
    const work = store.orders.submit([order("second")]);
    await expect(work).rejects.toThrow(/it may be stored or not/);
    expect(await refusal(work)).toBe("CUTOVER_STORE_UNAVAILABLE");
    proxy.fate = () => "pass";
    const [again] = await store.orders.submit([order("second")]);
    expect(again?.fresh).toBe(false);
    await store.close();
  });
});

describe("a store whose connections are ended by the server", () => {
  test.each([1, 2, 3])("loses nothing and doubles nothing (seed %i)", async (seed) => {
    const random = seededRandom(seed);
    const schema = server.schema();
    await using store = await open(schema);
    let going = true;
    const killer = (async () => {
      let ended = 0;
      while (going) {
        await new Promise((resolve) => setTimeout(resolve, 5 + random() * 30));
        const killed = await server.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cutover %'
           AND random() < 0.6`,
        );
        ended += killed.length;
      }
      return ended;
    })();
    const ids: string[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, caller) => {
        for (let n = 0; n < 40; n++) {
          const id = `o${caller}-${n}`;
          const [stored] = await store.orders.submit([order(id)]);
          expect(stored?.fresh).toBe(true);
          if (n % 10 === 0) expect((await store.orders.get(id))?.id).toBe(id);
          ids.push(id);
        }
      }),
    );
    going = false;
    expect(await killer).toBeGreaterThan(0);
    await expectOnce(store, ids);
  });

  test("goes on after the server was restarted in the middle of its writes", async () => {
    await using store = await open(server.schema());
    const ids: string[] = [];
    let going = true;
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      for (let n = 0; going; n++) {
        const id = `o${caller}-${n}`;
        const [stored] = await store.orders.submit([order(id)]);
        expect(stored?.fresh).toBe(true);
        ids.push(id);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = ids.length;
    await server.restart("immediate");
    while (ids.length < before + 20) await new Promise((resolve) => setTimeout(resolve, 20));
    going = false;
    await Promise.all(callers);
    await expectOnce(store, ids);
  });
});

test("a process that stands still in the middle of a commit loses the chain to others, and nothing else", async () => {
  const schema = server.schema();
  await using store = await open(schema);
  await store.orders.submit([order("first")]);
  let stood = false;
  setFaultHandler((name) => {
    if (name !== "store.commit.before" || stood) return;
    stood = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
  });
  try {
    expect((await store.orders.submit([order("second")]))[0]?.fresh).toBe(true);
  } finally {
    setFaultHandler(undefined);
  }
  await expectOnce(store, ["first", "second"]);
});

describe("a server that is away", () => {
  test("is waited for as long as it was said, then named with what to do", async () => {
    const store = await open(server.schema(), proxy.url(server.url()), 200);
    proxy.fate = () => "cut-before";
    proxy.cutAll();
    const work = store.orders.submit([order("o")]);
    await expect(work).rejects.toThrow(/tried for/);
    expect(await refusal(work)).toBe("CUTOVER_STORE_UNAVAILABLE");
    expect(await refusal(store.orders.get("o"))).toBe("CUTOVER_STORE_UNAVAILABLE");
    proxy.fate = () => "pass";
    await store.orders.submit([order("o")]);
    await store.close();
  });

  test("is waited for by each call from its own beginning, however many stand before it", async () => {
    const timers = new ManualClock();
    const url = proxy.url(server.url());
    const schema = server.schema();
    // Hardly any waits between two tries: each call is tried again up to its end.
    const store = await openPostgresStore({ url, schema, timers, retryMs: 1_000, random: () => 0.01 });
    proxy.fate = () => "cut-before";
    proxy.cutAll();
    const waits: number[] = [];
    const submit = async (id: string): Promise<void> => {
      const since = timers.monotonic();
      expect(await refusal(store.orders.submit([order(id)]))).toBe("CUTOVER_STORE_UNAVAILABLE");
      waits.push(timers.monotonic() - since);
    };
    const calls = [submit("first")];
    let isOver = false;
    const passing = (async () => {
      for (; !isOver; await new Promise((resolve) => setTimeout(resolve, 1))) await timers.advance(10);
    })();
    while (timers.monotonic() < 100) await new Promise((resolve) => setTimeout(resolve, 1));
    // More than go into one commit, so that some stand behind others.
    calls.push(...Array.from({ length: 1_600 }, (_, n) => submit(`o${n}`)));
    while (timers.monotonic() < 900) await new Promise((resolve) => setTimeout(resolve, 1));
    calls.push(submit("last"));
    await Promise.all(calls);
    expect(waits.length).toBe(1_602);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...waits)).toBeLessThan(1_900);
    proxy.fate = () => "pass";
    await store.close();
    isOver = true;
    await passing;
  });

  test("does not keep a store from closing", async () => {
    const store = await open(server.schema(), proxy.url(server.url()), 200);
    proxy.fate = () => "cut-before";
    proxy.cutAll();
    const work = refusal(store.orders.submit([order("o")]));
    await store.close();
    expect(await work).toBe("CUTOVER_STORE_UNAVAILABLE");
  });
});
