import type { MetricData } from "@opentelemetry/sdk-metrics";
import { describe, expect, test } from "vitest";
import { collectTelemetry } from "../../test/queue/open-telemetry.ts";
import { CutoverError, type Log, silentLog } from "../core/index.ts";
import type { NewOrder, OrderCounts, OrderRecord } from "../store/index.ts";
import type { TelemetryApi } from "./telemetry-api.ts";
import { queueSettings } from "./settings.ts";
import { openTelemetry } from "./telemetry.ts";

const fresh = (id: string, kind = "thumbnail"): NewOrder => ({
  id,
  queue: "images",
  kind,
  payload: { file: id },
  priority: 0,
  memory: 0,
  slots: 1,
  tags: [],
  maxRetries: 3,
  timeoutMs: 1_000,
  tenant: "",
  limitKey: null,
  runAt: 0,
  uniqueKey: null,
  uniqueUntil: null,
  after: [],
  ifAfterFails: "cancel",
  createdAt: 0,
  carrier: null,
});

const running = (order: NewOrder, attempt = 1): OrderRecord => ({
  ...order,
  state: "RUNNING",
  attempt,
  fence: attempt + 6,
  startedAt: 0,
  endedAt: null,
  worker: "one",
  leaseUntil: 1,
  cancelRequested: false,
  waits: null,
  blockedBy: 0,
  sandbox: null,
  progress: null,
  result: null,
  error: null,
  usage: null,
  crashes: 0,
});

const counts: OrderCounts = {
  PENDING: 4,
  PREPARING: 0,
  RUNNING: 2,
  WAITING_RETRY: 1,
  COMPLETED: 9,
  FAILED: 0,
  CANCELLED: 0,
};

/** Attributes that are not the same everywhere, with the value. */
const points = (metric: MetricData | undefined): readonly unknown[] =>
  metric?.dataPoints.map(({ attributes, value }) => [
    attributes["cutover.order.outcome"] ??
      attributes["cutover.order.state"] ??
      attributes["cutover.order.kind"],
    typeof value === "object" && "sum" in value ? { count: value.count, sum: value.sum } : value,
  ]) ?? [];

describe("a trace", () => {
  test("goes from the caller over the submit into the attempt and what the work does", async () => {
    const { otel, spans } = collectTelemetry();
    const telemetry = openTelemetry(otel, "images", "one", silentLog);
    const tracer = otel.trace.getTracer("application");
    const sent = await tracer.startActiveSpan("request", async (request) => {
      const stored = await telemetry.send([fresh("a")], (orders) => Promise.resolve(orders));
      request.end();
      return stored;
    });
    const order = running(sent[0] as NewOrder);
    const attempt = telemetry.attempt(order, 250);
    await attempt.within(async () => {
      await Promise.resolve();
      tracer.startSpan("resize").end();
    });
    attempt.end("completed", 40);

    const [send, request, resize, process] = spans();
    expect([send, request, resize, process].map((span) => span?.name)).toEqual([
      "send images",
      "request",
      "resize",
      "process images",
    ]);
    const { traceId } = request!.spanContext();
    for (const span of spans()) expect(span.spanContext().traceId).toBe(traceId);
    expect(send?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    expect(process?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
    expect(resize?.parentSpanContext?.spanId).toBe(process?.spanContext().spanId);
    expect(send).toMatchObject({
      kind: otel.SpanKind.PRODUCER,
      attributes: {
        "messaging.system": "cutover",
        "messaging.destination.name": "images",
        "messaging.operation.type": "send",
        "messaging.message.id": "a",
        "cutover.order.kind": "thumbnail",
      },
    });
    expect(process).toMatchObject({
      kind: otel.SpanKind.CONSUMER,
      status: { code: otel.SpanStatusCode.UNSET },
      attributes: {
        "messaging.operation.type": "process",
        "messaging.message.id": "a",
        "messaging.client.id": "one",
        "cutover.order.attempt": 1,
        "cutover.order.fence": 7,
        "cutover.order.outcome": "completed",
      },
    });
  });

  test("shows why an attempt failed and when the next one comes", () => {
    const { otel, spans } = collectTelemetry();
    const telemetry = openTelemetry(otel, "images", "one", silentLog);
    const attempt = telemetry.attempt(running(fresh("a")), 0);
    const broken = Object.assign(new Error("the disk is away"), { code: "EIO" });
    attempt.end("retry-scheduled", 10, broken, Date.UTC(2026, 0, 2));
    const [span] = spans();
    expect(span).toMatchObject({
      status: { code: otel.SpanStatusCode.ERROR, message: "the disk is away" },
      attributes: { "error.type": "EIO", "cutover.order.outcome": "retry-scheduled" },
    });
    expect(span?.events).toMatchObject([
      { name: "exception", attributes: { "exception.message": "the disk is away" } },
      { name: "cutover.order.retry", attributes: { "cutover.order.retry_at": "2026-01-02T00:00:00.000Z" } },
    ]);
  });

  test("a refused submit is an error of its span, and is refused as it was", async () => {
    const { otel, spans } = collectTelemetry();
    const telemetry = openTelemetry(otel, "images", "one", silentLog);
    const full = new CutoverError("CUTOVER_QUEUE_FULL", { message: "come back later" });
    await expect(telemetry.send([fresh("a"), fresh("b")], () => Promise.reject(full))).rejects.toBe(full);
    expect(spans()).toMatchObject([
      {
        status: { code: otel.SpanStatusCode.ERROR },
        attributes: { "error.type": "CUTOVER_QUEUE_FULL", "messaging.batch.message_count": 2 },
      },
    ]);
  });

  test("that an order brought along from another system goes on, with what else it carries", async () => {
    const { otel, spans } = collectTelemetry();
    const telemetry = openTelemetry(otel, "images", "one", silentLog);
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const carrier = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, customer: "7" };
    const [order] = await telemetry.send([{ ...fresh("a"), carrier }], (orders) => Promise.resolve(orders));
    const spanId = spans()[0]?.spanContext().spanId;
    expect(order?.carrier).toEqual({ traceparent: `00-${traceId}-${spanId}-01`, customer: "7" });
  });
});

test("counters, histograms and gauges tell what the queue did, by kind and outcome", async () => {
  const { otel, metrics } = collectTelemetry();
  const telemetry = openTelemetry(otel, "images", "one", silentLog);
  let reads = 0;
  telemetry.observe(() => {
    reads++;
    return Promise.resolve({ counts, ageMs: 1_500, slots: { used: 2, total: 8 } });
  });
  const orders = [fresh("a"), fresh("b"), fresh("c", "report")];
  await telemetry.send(orders, () => Promise.resolve([{ fresh: true }, { fresh: false }, { fresh: true }]));
  telemetry.attempt(running(fresh("a")), 2_000).end("retry-scheduled", 500, new Error("once"));
  telemetry.attempt(running(fresh("a"), 2), 1_000).end("completed", 250);
  telemetry.attempt(running(fresh("c", "report")), 0).end("late", 100);
  telemetry.count("cancelled", "report");

  const now = await metrics();
  expect(points(now.get("messaging.client.sent.messages"))).toEqual([
    ["thumbnail", 1],
    ["report", 1],
  ]);
  expect(points(now.get("messaging.client.consumed.messages"))).toEqual([
    ["thumbnail", 2],
    ["report", 1],
  ]);
  expect(points(now.get("cutover.queue.order.ends"))).toEqual([
    ["retry-scheduled", 1],
    ["completed", 1],
    ["late", 1],
    ["cancelled", 1],
  ]);
  expect(points(now.get("cutover.queue.order.wait"))).toEqual([
    ["thumbnail", { count: 2, sum: 3 }],
    ["report", { count: 1, sum: 0 }],
  ]);
  expect(points(now.get("messaging.process.duration"))).toEqual([
    ["retry-scheduled", { count: 1, sum: 0.5 }],
    ["completed", { count: 1, sum: 0.25 }],
    ["late", { count: 1, sum: 0.1 }],
  ]);
  expect(points(now.get("cutover.queue.orders"))).toEqual(Object.entries(counts));
  expect(points(now.get("cutover.queue.age"))).toEqual([[undefined, 1.5]]);
  expect(points(now.get("cutover.queue.slots.used"))).toEqual([[undefined, 2]]);
  expect(points(now.get("cutover.queue.slots.total"))).toEqual([[undefined, 8]]);
  expect(now.get("messaging.process.duration")?.descriptor).toMatchObject({ unit: "s" });

  telemetry.close();
  await metrics();
  expect(reads).toBe(1);
});

describe("telemetry that fails", () => {
  const told: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => told.push(message) };
  const fail = (): never => {
    throw new Error("exporter is broken");
  };

  test("wherever it does, the queue goes on, and says so once", async () => {
    const broken = new Proxy({}, { get: () => fail }) as never;
    const apis: TelemetryApi[] = [
      { trace: broken, metrics: broken, propagation: broken, context: broken },
      {
        trace: { getTracer: () => ({ startSpan: () => broken }), setSpan: (context) => context },
        metrics: {
          getMeter: () => ({
            createCounter: () => ({ add: fail }),
            createHistogram: () => ({ record: fail }),
            createObservableGauge: fail,
            addBatchObservableCallback: fail,
            removeBatchObservableCallback: fail,
          }),
        },
        propagation: { inject: fail, extract: (context) => context },
        context: {
          active: () => undefined,
          with(_, work) {
            work();
            throw new Error("context is lost");
          },
        },
      },
    ];
    for (const api of apis) {
      told.length = 0;
      const telemetry = openTelemetry(api, "images", "one", log);
      telemetry.observe(() => Promise.reject(new Error("store is away")));
      await expect(telemetry.send([fresh("a")], (orders) => Promise.resolve(orders.length))).resolves.toBe(1);
      let ran = 0;
      const attempt = telemetry.attempt(running(fresh("a")), 0);
      expect(attempt.within(() => ++ran)).toBe(1);
      const own = new Error("of the work itself");
      expect(() =>
        attempt.within(() => {
          throw own;
        }),
      ).toThrow(own);
      attempt.end("failed", 1, own);
      telemetry.count("cancelled", "thumbnail");
      telemetry.close();
      expect(told).toHaveLength(1);
    }
  });

  test("a store that cannot be read leaves the gauges empty", async () => {
    const { otel, metrics } = collectTelemetry();
    told.length = 0;
    const telemetry = openTelemetry(otel, "images", "one", log);
    telemetry.observe(() => Promise.reject(new Error("store is away")));
    expect((await metrics()).get("cutover.queue.orders")?.dataPoints ?? []).toEqual([]);
    expect(told).toHaveLength(1);
    telemetry.close();
  });

  test("what is not the API's object is refused at the door", () => {
    for (const wrong of [{}, { trace: {} }, null, "opentelemetry"]) {
      expect(() => queueSettings({ telemetry: wrong as never })).toThrow(
        expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID", place: "telemetry" }),
      );
    }
  });
});
