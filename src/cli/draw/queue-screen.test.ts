import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OrderEntry, OrderRecord } from "../../store/index.ts";
import type { Spread } from "../queue/flow-tally.ts";
import { type QueueView, reasonsFor } from "../queue/queue-view.ts";
import { lineWidth, paint } from "./line.ts";
import { orderPage, orderTable, standing } from "./order-lines.ts";
import { queueLine, queueScreen } from "./queue-screen.ts";

const start = Date.UTC(2026, 0, 1, 12);
const none: Spread = { count: 0, p50: 0, p99: 0, max: 0, buckets: Array.from({ length: 12 }, () => 0) };
const some: Spread = { count: 9, p50: 0.8, p99: 12, max: 80, buckets: [5, 2, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0] };
const counts = {
  PENDING: 12_031,
  PREPARING: 0,
  RUNNING: 200,
  WAITING_RETRY: 12,
  COMPLETED: 1_203_443,
  FAILED: 31,
  CANCELLED: 2,
};

const worker = (
  id: string,
  change: Partial<QueueView["workers"][number]> = {},
): QueueView["workers"][number] => ({
  id,
  queue: "pictures",
  kinds: ["thumbnail"],
  tags: ["gpu"],
  slots: 200,
  memory: 2 ** 30,
  staggerMs: 0,
  startedAt: start,
  seenAt: start,
  seenAgoMs: 2_000,
  alive: true,
  ...change,
});

const view = (change: Partial<QueueView> = {}): QueueView => ({
  queue: "pictures",
  at: start,
  status: "ok",
  reasons: [],
  config: { paused: false, weights: {}, limits: {} },
  counts,
  ageMs: 8_000,
  workers: [worker("host:1:2"), worker("host:3:4", { alive: false, seenAgoMs: 90_000, staggerMs: 5_000 })],
  flow: {
    windowMs: 60_000,
    submitted: 1_203,
    started: 1_200,
    completed: 1_198,
    failed: 0.2,
    retried: 1,
    cancelled: 0,
    wait: some,
    run: none,
  },
  ...change,
});

const order = (change: Partial<OrderRecord> = {}): OrderRecord => ({
  id: "0000000000aaaaaaaaaaaaaaaa",
  queue: "pictures",
  kind: "thumbnail",
  state: "PENDING",
  payload: { file: "a.png" },
  priority: 0,
  memory: 512 * 1024 * 1024,
  slots: 1,
  tags: [],
  attempt: 0,
  maxRetries: 3,
  timeoutMs: 3_600_000,
  tenant: "",
  limitKey: null,
  uniqueKey: null,
  runAt: start,
  createdAt: start,
  startedAt: null,
  endedAt: null,
  worker: null,
  fence: 0,
  leaseUntil: null,
  cancelRequested: false,
  waits: "room",
  blockedBy: 0,
  sandbox: null,
  progress: null,
  result: null,
  error: null,
  usage: null,
  carrier: null,
  crashes: 0,
  ...change,
});

const text = (lines: ReturnType<typeof queueScreen>): string =>
  lines.map((line) => paint(line, false)).join("\n");
const options = { columns: 80, rows: 100, store: "postgres://ann@host/db", keys: "", storeFlag: "" };

describe("the screen of a queue", () => {
  test("tells rates, states, age, times, workers and where it lies", () => {
    const shown = text(queueScreen(view(), options));
    expect(shown).toContain("queue pictures  ● well");
    expect(shown).toContain("postgres://ann@host/db");
    expect(shown).toContain("in 1,203/s · done 1,198/s · retried 1/s · failed 0.2/s");
    expect(shown).toMatch(/pending +12,031 .*oldest waits 8\.0 s/);
    expect(shown).toMatch(/wait +p50 0\.8 ms +p99 12 ms +max 80 ms +1 ms █▄·▂▂·/);
    expect(shown).toMatch(/run +nothing in this time/);
    expect(shown).toContain("1 worker · 200 slots");
    expect(shown).toContain("○ host:3:4  200 slots · thumbnail · #gpu · silent for 01:30 · 5.0 s s");
  });

  test("keeps failures and the age on a narrow terminal", () => {
    const shown = text(queueScreen(view(), { ...options, columns: 40 }));
    expect(shown).toMatch(/ in 1,203\/s · done 1,198\/s\n retried 1\/s · failed 0\.2\/s   last/);
    expect(shown).toContain("oldest 8.0 s");
    expect(shown).not.toContain("…\n ○");
  });

  test("a list in two lines cuts no kind that there is room for", () => {
    const long = order({ kind: "a-kind-with-a-rather-long-name" });
    expect(text(orderTable([long], start, 80))).toContain("a-kind-with-a-rather-long-name");
  });

  test("says what stands in the way and which command leads on, in the same store", () => {
    const reasons = reasonsFor({
      queue: "pictures",
      config: { paused: true },
      counts,
      ageMs: 600_000,
      workers: [worker("a")],
      waiting: [
        { kind: "thumbnail", tags: ["gpu"], slots: 1, memory: 1 },
        { kind: "thumbnail", tags: ["gpu", "eu"], slots: 1, memory: 1 },
        { kind: "other", tags: [], slots: 1, memory: 1 },
      ],
    });
    expect(reasons.map(({ code }) => code)).toEqual(["paused", "unserved", "tags", "age", "failed"]);
    const shown = text(
      queueScreen(view({ reasons, status: "warning" }), { ...options, storeFlag: " --store x" }),
    );
    expect(shown).toContain("no living worker takes other");
    expect(shown).toContain("no living worker takes thumbnail with gpu + eu");
    expect(shown).toContain("→ npx cutover queue resume --queue pictures --store x");
    expect(shown).toContain("the oldest order that waits for room has been due for 10:00");
    expect(
      reasonsFor({ queue: "q", config: { paused: false }, counts, ageMs: null, workers: [], waiting: [] })[0],
    ).toMatchObject({ code: "no-worker", level: "critical" });
    const none = { ...counts, PENDING: 0, FAILED: 0 };
    const misspelt = {
      queue: "q",
      config: { paused: false },
      counts: none,
      ageMs: null,
      workers: [],
      waiting: [],
    };
    expect(reasonsFor(misspelt)).toEqual([]);
    expect(reasonsFor({ ...misspelt, others: ["mail"] })).toMatchObject([
      { level: "warning", code: "unknown", message: "nothing was ever seen of queue q; the store has mail" },
    ]);
  });

  test("fits every width and height: workers, empty lines, empty states and times give way, its name does not", () => {
    const reasons = [
      { level: "critical", code: "no-worker", message: "nobody is there", command: "cutover worker FILE" },
      { level: "warning", code: "failed", message: "3 failed", command: "cutover queue ls --state FAILED" },
    ] as const;
    const low = queueScreen(view({ reasons, workers: [] }), { ...options, rows: 13 });
    expect(text(low)).toContain("queue pictures");
    expect(text(low)).toContain("cutover queue ls --state FAILED");
    expect([low.length <= 13, text(low).includes("pending"), text(low).includes("preparing")]).toEqual([
      true,
      true,
      false,
    ]);
    const many = Array.from({ length: 60 }, (_, index) => worker(`host-with-a-long-name:${index}:12345678`));
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 140 }), fc.integer({ min: 2, max: 60 }), (columns, rows) => {
        const shown = queueScreen(view({ workers: many, reasons }), {
          ...options,
          columns,
          rows,
          keys: "q leave",
        });
        expect(text(shown.slice(0, 1))).toContain("queue pictures".slice(0, columns - 1));
        expect(Math.max(...shown.map(lineWidth))).toBeLessThanOrEqual(columns);
        expect(shown.length).toBeLessThanOrEqual(rows);
      }),
    );
    expect(text(queueScreen(view({ workers: many }), { ...options, rows: 24 }))).toMatch(/… \d+ more/);
  });

  test("a command that stays on the screen is whole, however narrow that is", () => {
    const command = `npx cutover queue ls --state FAILED --store sqlite:/a/folder/${"x".repeat(60)}.db`;
    const reasons = [
      { level: "warning", code: "failed", message: "3 failed", command: "cutover queue ls --state FAILED" },
    ] as const;
    const storeFlag = ` --store sqlite:/a/folder/${"x".repeat(60)}.db`;
    const narrow = { ...options, columns: 60, storeFlag };
    expect(text(queueScreen(view({ reasons }), { ...narrow, rows: Infinity }))).toContain(command);
    expect(text(queueScreen(view({ reasons }), narrow))).not.toContain(command);
  });

  test("is one line in a log", () => {
    const shown = text([queueLine(view())]);
    expect(shown).toContain("12:00:00  pictures  pending 12,031 · running 200");
    expect(shown).toContain("done 1,198/s · wait p50 0.8 ms p99 12 ms · 1 worker");
  });
});

describe("orders on a screen", () => {
  test("a line says what each does or waits for", () => {
    const error = { code: "ENOENT", message: "no such file" };
    const shown = text(
      orderTable(
        [
          order(),
          order({ waits: "time", runAt: start + 60_000 }),
          order({ waits: "limit", limitKey: "customer-42", runAt: start - 2_000 }),
          order({ waits: "orders", blockedBy: 2 }),
          order({ tags: ["gpu"], cancelRequested: true }),
          order({ state: "RUNNING", attempt: 2, startedAt: start - 1_500, worker: "host:1:2" }),
          order({ state: "WAITING_RETRY", runAt: start + 5_000, error }),
          order({ state: "FAILED", endedAt: start - 1_000, error }),
          order({ state: "COMPLETED", endedAt: start - 1_000 }),
        ],
        start,
        140,
      ),
    ).split("\n");
    expect(shown[0]).toContain("○ 0000000000aaaaaaaaaaaaaaaa  thumbnail  pending         0/4  waits 0 ms");
    expect(shown[1]).toContain("not before 01:00 from now");
    expect(shown[2]).toContain("waits 2.0 s for others of limit customer-42");
    expect(shown[3]).toContain("waits for 2 orders");
    expect(shown[4]).toContain("for a worker with gpu · cancel asked");
    expect(shown[5]).toContain("2/4  for 1.5 s · host:1:2");
    expect(shown[6]).toContain("again in 5.0 s · ENOENT: no such file");
    expect(shown[7]).toContain("1.0 s ago · ENOENT: no such file");
    expect(shown[8]).toContain("✔");
  });

  test("one whose time has come without a worker to take it says since when it waits", () => {
    const runAt = start - 120_000;
    const error = { code: "ENOENT", message: "no such file" };
    const says = (changes: Partial<OrderRecord>): string => standing(order({ runAt, ...changes }), start);
    expect(says({ waits: "time" })).toBe("waits 02:00 for a worker");
    expect(says({ waits: "time", tags: ["gpu"] })).toBe("waits 02:00 for a worker with gpu");
    expect(says({ waits: "time", limitKey: "k" })).toBe("waits 02:00 for limit k or a worker");
    expect(says({ state: "WAITING_RETRY", waits: null, error })).toBe(
      "waits 02:00 for a worker · ENOENT: no such file",
    );
  });

  test("where a line is too short for what an order waits for, that stands in a line of its own", () => {
    const error = { code: "ENOENT", message: "no such file" };
    const failed = order({ state: "FAILED", endedAt: start - 1_000, error, attempt: 4 });
    expect(text(orderTable([failed], start, 60)).split("\n")).toEqual([
      " ✖ 0000000000aaaaaaaaaaaaaaaa  thumbnail",
      "   failed  4/4  1.0 s ago · ENOENT: no such file",
    ]);
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 160 }),
        fc.string({ minLength: 1, maxLength: 90 }),
        (columns, id) => {
          const lines = orderTable([failed, order({ id })], start, columns);
          expect(Math.max(...lines.map(lineWidth))).toBeLessThanOrEqual(columns);
        },
      ),
    );
  });

  test("one order is shown whole on any terminal: id, kind, error and what it waited for", () => {
    const words = "the quick brown fox jumps over the lazy dog and lands on its feet again".split(" ");
    const error = { code: "E_FOX", message: words.join(" ") };
    const id = "an-id-of-more-than-forty-letters-that-somebody-chose";
    const submitted = { seq: 1, event: "submitted", to: "PENDING", note: null, attempt: null } as const;
    const entry = {
      ...submitted,
      at: start,
      from: null,
      worker: null,
      fence: null,
      data: { after: ["a", "b"] },
    };
    const end = { ...entry, seq: 2, event: "exhausted", to: "FAILED", data: { error } } as const;
    for (const columns of [30, 60, 120]) {
      const lines = orderPage(
        { order: order({ id, state: "FAILED", error }), history: [entry, end], findings: [] },
        start,
        columns,
      );
      const shown = text(lines);
      for (const word of [...words, id, "thumbnail", "a, b"]) expect(shown).toContain(word);
      expect(lines.filter((line) => lineWidth(line) > columns).length).toBeLessThanOrEqual(
        columns < 60 ? 3 : 1,
      );
    }
  });

  test.each([50, 80, 140])(
    "each event of an order is whole on %i columns, with fence and reason",
    (columns) => {
      const told = { at: start, from: null, to: null, attempt: null, worker: null, fence: null, note: null };
      const worker = "host/4026531836:19611:2835548";
      const history: readonly OrderEntry[] = [
        { ...told, seq: 1, event: "submitted", to: "PENDING", data: {} },
        { ...told, seq: 2, event: "prioritised", data: { from: 0, to: 50 } },
        { ...told, seq: 3, event: "started", to: "RUNNING", attempt: 1, worker, fence: 3, data: {} },
        {
          ...told,
          seq: 4,
          at: start + 3_900_000,
          event: "cancel-requested",
          data: { reason: "not wanted (ann)" },
        },
      ];
      const lines = orderPage({ order: order(), history, findings: [] }, start, columns);
      const shown = text(lines);
      expect(shown).toMatch(/prioritised\s+(\+0 ms · )?priority 0 → 50$/m);
      expect(shown).toMatch(/started\s+(\+0 ms · )?attempt 1 ·\s+host\/4026531836:19611:2835548 · fence 3$/m);
      expect(shown).toMatch(/cancel-requested\s+(\+1 h 05 min · )?not wanted \(ann\)$/m);
      expect(shown).toContain("+1 h 05 min");
      expect(Math.max(...lines.slice(-8).map(lineWidth))).toBeLessThanOrEqual(columns);
    },
  );

  test("one order is shown with its facts and its history; what it carries cannot move the cursor", () => {
    const entry = (change: Partial<OrderEntry>): OrderEntry => ({
      seq: 1,
      at: start,
      event: "submitted",
      from: null,
      to: "PENDING",
      attempt: null,
      worker: null,
      fence: null,
      note: null,
      data: {},
      ...change,
    });
    const level = "warning" as const;
    const findings = [{ level, code: "limit" as const, message: "k is held by o1, 12 wait behind it" }];
    expect(text(orderPage({ order: order(), history: [], findings }, start, 80))).toMatch(
      /now +waits[^\n]*\n +in the way +k is held by o1, 12 wait behind it\n/,
    );
    const shown = text(
      orderPage(
        {
          order: order({
            state: "FAILED",
            error: { code: "E", message: "bad\u001b[2J" },
            payload: "x".repeat(400),
          }),
          history: [
            entry({}),
            entry({
              seq: 2,
              at: start + 1_200,
              event: "started",
              to: "RUNNING",
              attempt: 1,
              worker: "host:1:2",
            }),
            entry({
              seq: 3,
              at: start + 1_300,
              event: "exhausted",
              to: "FAILED",
              data: { error: { code: "E", message: "bad" } },
            }),
          ],
          findings: [],
        },
        start + 5_000,
        400,
      ),
    );
    expect(shown).not.toContain("\u001b");
    expect(shown).toContain("(402 characters)");
    expect(shown).toContain("1 slot · 512 MB · at most 1 h 00 min");
    expect(shown).toMatch(/2026-01-01 12:00:01 +\+1\.2 s +● started +attempt 1 · host:1:2/);
    expect(shown).toMatch(/\+100 ms +✖ exhausted +E: bad/);
  });
});
