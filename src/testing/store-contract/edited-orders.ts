import type { ChainReport, Store } from "../../store/index.ts";
import { claimIds, type ContractCase, end, newOrder } from "./tools.ts";

/**
 * Orders in every state, of two queues: `a` COMPLETED, `b` FAILED, `c` RUNNING, `d` waits for `c`, `e` for its time, `f` and `g`
 * share a limit, `h` took the unique key of `b` over, `i` waits for room, `z` of another queue. One more was removed.
 */
async function grow(store: Store): Promise<void> {
  const now = store.clock.now();
  await store.orders.configure("q", { limits: { k: { concurrency: 1 } } }, "ana", "one at a time");
  await store.orders.submit([newOrder("old")]);
  await claimIds(store, 1);
  await end(store, "old");
  await store.orders.prune("q", Number.MAX_SAFE_INTEGER, 10);
  await store.orders.submit([
    newOrder("a"),
    newOrder("b", { uniqueKey: "u", uniqueUntil: now }),
    newOrder("c"),
  ]);
  const [a, b] = await store.orders.claim(
    "q",
    "w",
    { slots: 3, memory: 2 ** 40, max: 3, kinds: ["hash"], starts: ["hash"], tags: [] },
    10_000,
  );
  const ended = { endedAt: now + 5, result: { sum: 7 } };
  const one = { event: "ended", from: ["RUNNING" as const] };
  await store.orders.change([
    { ...one, id: "a", fence: a?.fence ?? 0, to: "COMPLETED", set: ended },
    { ...one, id: "b", fence: b?.fence ?? 0, to: "FAILED", set: { error: { code: "E", message: "m" } } },
  ]);
  await store.orders.submit([
    newOrder("d", { after: ["c"] }),
    newOrder("e", { runAt: now + 60_000 }),
    newOrder("f", { limitKey: "k" }),
    newOrder("g", { limitKey: "k" }),
    newOrder("h", { uniqueKey: "u" }),
    newOrder("i", { priority: 3 }),
    newOrder("z", { queue: "p" }),
  ]);
}

type Row = NonNullable<Extract<ChainReport, { readonly whole: false }>["row"]>;

const of = (id: string, column: string, expected: Row["expected"], found: Row["found"]): Row => ({
  table: "orders",
  key: { id },
  column,
  expected,
  found,
});

/** What a hand with the database could do to a queue, and how it is told. */
const edits: readonly (readonly [sql: string, row: Partial<Row>])[] = [
  ["UPDATE orders SET state = 'COMPLETED' WHERE id = 'b'", of("b", "state", "FAILED", "COMPLETED")],
  [`UPDATE orders SET result = '{"sum":8}' WHERE id = 'a'`, of("a", "result", `{"sum":7}`, `{"sum":8}`)],
  ["UPDATE orders SET error = NULL WHERE id = 'b'", of("b", "error", `{"code":"E","message":"m"}`, null)],
  ["UPDATE orders SET priority = 9 WHERE id = 'i'", of("i", "priority", 3, 9)],
  [
    `UPDATE orders SET payload = '{"file":"x"}' WHERE id = 'i'`,
    of("i", "payload", `{"file":"i.txt"}`, `{"file":"x"}`),
  ],
  ["UPDATE orders SET fence = 9 WHERE id = 'c'", of("c", "fence", 1, 9)],
  ["UPDATE orders SET attempt = 0 WHERE id = 'c'", of("c", "attempt", 1, 0)],
  ["UPDATE orders SET worker = 'eve' WHERE id = 'c'", of("c", "worker", "w", "eve")],
  ["UPDATE orders SET trail = '[1]' WHERE id = 'a'", of("a", "trail", "[6,7,8,9]", "[1]")],
  ["UPDATE orders SET waits = 'room' WHERE id = 'e'", of("e", "waits", "time", "room")],
  [
    "UPDATE orders SET due_at = 1 WHERE id = 'e'",
    { table: "orders", key: { id: "e" }, column: "due_at", found: 1 },
  ],
  ["UPDATE orders SET blocked_by = 0, waits = 'room' WHERE id = 'd'", of("d", "blocked_by", 1, 0)],
  ["UPDATE orders SET blocked_by = 2 WHERE id = 'd'", of("d", "blocked_by", 1, 2)],
  ["UPDATE orders SET waits = NULL WHERE id = 'i'", of("i", "waits", "room", null)],
  [
    "UPDATE orders SET lease_until = NULL WHERE id = 'c'",
    { table: "orders", key: { id: "c" }, column: "lease_until" },
  ],
  ["UPDATE orders SET unique_key = NULL WHERE id = 'h'", of("h", "unique_key", "u", null)],
  ["UPDATE orders SET tenant = 'eve' WHERE id = 'z'", of("z", "tenant", "", "eve")],
  [
    "DELETE FROM orders WHERE id = 'i'",
    { table: "orders", key: { id: "i" }, column: null, expected: "a row", found: null },
  ],
  [
    "DELETE FROM orders WHERE id = 'z'",
    { table: "orders", key: { id: "z" }, expected: "a row", found: null },
  ],
  [
    "UPDATE orders SET id = 'zz' WHERE id = 'a'",
    { table: "orders", key: { id: "zz" }, column: null, expected: null, found: "a row" },
  ],
  [
    "DELETE FROM orders WHERE id = 'a'",
    { table: "order_counts", key: { queue: "q", state: "COMPLETED" }, column: "n", expected: 0, found: 1 },
  ],
  [
    "UPDATE order_counts SET n = n + 3 WHERE queue = 'p'",
    { table: "order_counts", key: { queue: "p", state: "PENDING" }, column: "n", expected: 1, found: 4 },
  ],
  [
    "UPDATE order_limit_keys SET admitted = 0",
    {
      table: "order_limit_keys",
      key: { queue: "q", limit_key: "k" },
      column: "admitted",
      expected: 1,
      found: 0,
    },
  ],
  [
    "DELETE FROM order_links",
    { table: "order_links", key: { leader: "c", id: "d" }, column: null, expected: "a row", found: null },
  ],
  [
    "INSERT INTO order_links VALUES ('c', 'i')",
    { table: "order_links", key: { leader: "c", id: "i" }, expected: null, found: "a row" },
  ],
  [
    "UPDATE queue_configs SET config = '{}'",
    { table: "queue_configs", key: { queue: "q" }, column: "config" },
  ],
  [
    "DELETE FROM queue_configs",
    { table: "queue_configs", key: { queue: "q" }, expected: "a row", found: null },
  ],
];

export function editedOrdersContract({
  describe,
  expect,
  withStore,
  tamper,
  callersTransaction,
}: ContractCase): void {
  describe("rows of orders against their events", () => {
    withStore("are whole where nobody edited them, also after a rebuild", async ({ store, clock }) => {
      await grow(store);
      const seen: string[] = [];
      const onProgress = ({ part, of }: { readonly part: string; readonly of: number }): void =>
        void seen.push(`${part} ${of}`);
      expect(await store.events.verify({ onProgress })).toMatchObject({ whole: true });
      expect([seen.includes("events 11"), seen.includes("orders 10")]).toEqual([true, true]);
      await clock.advance(60_000);
      await claimIds(store, 2);
      expect(await store.events.verify()).toMatchObject({ whole: true });
      await store.rebuild();
      expect(await store.events.verify()).toMatchObject({ whole: true });
    });

    withStore("are held against them as of one moment while others write", async ({ store }) => {
      let round = 0;
      let stop = false;
      const writing = (async () => {
        for (; !stop; round++) {
          const ids = Array.from({ length: 40 }, (_, n) => `${(n * 7) % 10}-${round}-${n}`);
          const after = ids.slice(0, 1);
          await store.orders.submit(
            ids.map((id, n) =>
              newOrder(id, { after: n > 30 ? after : [], limitKey: n % 9 === 0 ? "k" : null }),
            ),
          );
          const taken = await claimIds(store, 30);
          await Promise.all(taken.map((id) => end(store, id, round % 3 === 0 ? "FAILED" : "COMPLETED")));
          if (round % 4 === 3) await store.orders.prune("q", Number.MAX_SAFE_INTEGER, 50);
        }
      })();
      for (let look = 0; look < 8; look++) expect(await store.events.verify()).toMatchObject({ whole: true });
      stop = true;
      await writing;
      expect(round > 2).toBe(true);
      expect(await store.events.verify()).toMatchObject({ whole: true });
    });

    withStore("are whole while followers are still to be told of an end", async ({ store }) => {
      const behind = (n: number): ReturnType<typeof newOrder> =>
        newOrder(`f${n}`, { after: ["a"], ifAfterFails: n % 2 === 0 ? "run" : "cancel" });
      await store.orders.submit([newOrder("a"), ...Array.from({ length: 2_500 }, (_, n) => behind(n))]);
      await claimIds(store, 1);
      await end(store, "a", "FAILED");
      for (let turn = 0; turn < 4; turn++) {
        expect(await store.events.verify()).toMatchObject({ whole: true });
        await claimIds(store, 1);
      }
      expect((await store.orders.counts("q")).CANCELLED).toBe(1_250);
      expect(await store.events.verify()).toMatchObject({ whole: true });
    });

    withStore(
      "are whole where one that others wait for was requeued before all were told",
      async ({ store }) => {
        const many = Array.from({ length: 2_500 }, (_, n) =>
          newOrder(`f${n}`, { after: ["a"], ifAfterFails: "run" }),
        );
        await store.orders.submit([newOrder("a"), ...many]);
        await claimIds(store, 1);
        const { fence } = await end(store, "a", "FAILED");
        await store.orders.change([{ id: "a", fence, from: ["FAILED"], to: "PENDING", event: "requeued" }]);
        const blocked = (await store.orders.list({ queue: "q", limit: 3_000 })).filter(
          ({ blockedBy }) => blockedBy > 0,
        );
        expect(blocked.length > 0).toBe(true);
        expect(await store.events.verify()).toMatchObject({ whole: true });
        await claimIds(store, 3_000);
        await end(store, "a");
        expect(await store.events.verify()).toMatchObject({ whole: true });
        await claimIds(store, 3_000);
        await claimIds(store, 3_000);
        expect(await store.events.verify()).toMatchObject({ whole: true });
      },
    );

    withStore(
      "are not looked at where that is not wanted, and no further once it is called off",
      async ({ store }) => {
        await grow(store);
        const looked: string[] = [];
        const onProgress = ({ part }: { readonly part: string }): void => void looked.push(part);
        expect(await store.events.verify({ orders: false, onProgress })).toMatchObject({ whole: true });
        expect(looked.includes("orders")).toBe(false);
        const stop = new AbortController();
        const reason = new Error("enough");
        const [ended] = await Promise.allSettled([
          store.events.verify({ signal: stop.signal, onProgress: () => stop.abort(reason) }),
        ]);
        expect(ended).toEqual({ status: "rejected", reason });
      },
    );

    if (callersTransaction !== undefined)
      withStore("are whole beside what lies in the inbox, and when it was taken up", async ({ store }) => {
        await grow(store);
        const caller = await callersTransaction(store);
        await store.orders.submitWithin(caller.connection, [newOrder("late"), newOrder("b")]);
        await caller.commit();
        expect(await store.events.verify()).toMatchObject({ whole: true });
        await claimIds(store, 1);
        expect((await store.orders.get("late"))?.state).toBe("PENDING");
        expect(await store.events.verify()).toMatchObject({ whole: true });
      });

    if (tamper === undefined) return;
    for (const [sql, row] of edits) {
      withStore(`tell of ${sql}`, async ({ store }) => {
        await grow(store);
        await tamper(store, sql);
        expect(await store.events.verify()).toMatchObject({ whole: false, row });
        await store.rebuild();
        expect(await store.events.verify()).toMatchObject({ whole: true });
      });
    }

    withStore("name the first event that was written on an edited row", async ({ store }) => {
      await grow(store);
      await tamper(
        store,
        "UPDATE orders SET state = 'PENDING', waits = 'room', ended_at = NULL, priority = 9 WHERE id = 'a'",
      );
      expect(await claimIds(store, 1)).toEqual(["a"]);
      const report = await store.events.verify();
      expect(report).toMatchObject({ whole: false, brokenAt: 12 });
      expect("row" in report).toBe(false);
    });
  });
}
