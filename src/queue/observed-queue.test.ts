import { expect, test } from "vitest";
import { open, settle } from "../../test/queue/manual-queue.ts";
import { collectTelemetry } from "../../test/queue/open-telemetry.ts";

test("an observed queue shows an order from its submit through all attempts in one trace", async () => {
  const { otel, spans, metrics } = collectTelemetry();
  const { queue, pass } = await open({
    telemetry: otel,
    workerId: "one",
    backoff: { base: "5s", jitter: 0 },
  });
  const tracer = otel.trace.getTracer("application");
  queue.work("job", (_, { attempt }) => {
    tracer.startSpan(`effect ${attempt}`).end();
    if (attempt === 1) throw Object.assign(new Error("not yet"), { code: "EAGAIN" });
    return "done";
  });
  const { id } = await queue.submit("job", null, { key: "k" });
  await pass(0);
  expect((await queue.submit("job", null, { key: "k" })).fresh).toBe(false);
  await pass(5_000);
  expect(await queue.get(id)).toMatchObject({
    state: "COMPLETED",
    carrier: { traceparent: expect.any(String) },
  });

  const [first, effect1, attempt1, again, effect2, attempt2] = spans();
  expect(spans().map(({ name }) => name)).toEqual([
    "send default",
    "effect 1",
    "process default",
    "send default",
    "effect 2",
    "process default",
  ]);
  const trace = first?.spanContext().traceId;
  for (const span of [effect1, attempt1, effect2, attempt2]) expect(span?.spanContext().traceId).toBe(trace);
  expect(again?.spanContext().traceId).not.toBe(trace);
  expect(effect2?.parentSpanContext?.spanId).toBe(attempt2?.spanContext().spanId);
  expect(attempt1).toMatchObject({
    attributes: {
      "cutover.order.attempt": 1,
      "cutover.order.outcome": "retry-scheduled",
      "error.type": "EAGAIN",
    },
    status: { code: otel.SpanStatusCode.ERROR },
  });
  expect(attempt2).toMatchObject({
    attributes: {
      "cutover.order.attempt": 2,
      "cutover.order.fence": 2,
      "cutover.order.outcome": "completed",
    },
  });
  const seen = await metrics();
  const value = (name: string): unknown => seen.get(name)?.dataPoints.map(({ value: of }) => of);
  expect(value("messaging.client.sent.messages")).toEqual([1]);
  expect(value("messaging.client.consumed.messages")).toEqual([2]);
  expect(value("cutover.queue.order.ends")).toEqual([1, 1]);
  expect(value("cutover.queue.age")).toEqual([0]);
  expect(value("cutover.queue.slots.total")).toEqual([4]);
});

test("a span of a submit names the order that there is, and a refusal has one, too", async () => {
  const { otel, spans } = collectTelemetry();
  const { queue, pass } = await open({ telemetry: otel, slots: 1, memoryPerSlot: "1 GB" });
  queue.work("job", () => null);
  const { id } = await queue.submit("job", null, { key: "k" });
  await queue.submit("job", null, { key: "k" });
  await expect(queue.submit("job", null, { id: "" })).rejects.toThrow();
  await expect(queue.submit("job", null, { needs: { memory: "2 GB" } })).rejects.toThrow();
  await pass(0);
  const sends = spans().filter(({ name }) => name === "send default");
  expect(sends.map(({ attributes }) => attributes["messaging.message.id"])).toEqual([
    id,
    id,
    undefined,
    undefined,
  ]);
  expect(sends.map(({ attributes }) => attributes["error.type"])).toEqual([
    undefined,
    undefined,
    "CUTOVER_QUEUE_INVALID",
    "CUTOVER_QUEUE_TOO_LARGE",
  ]);
});

test("an order that is cancelled while it waits, and work that comes back late, are counted", async () => {
  const { otel, metrics, spans } = collectTelemetry();
  const { queue, store, pass } = await open({ telemetry: otel });
  const waiting = await queue.submit("job");
  await queue.cancel(waiting.id, "not wanted");
  let finish = (): void => {};
  queue.work("job", () => new Promise<void>((resolve) => (finish = resolve)));
  const { id } = await queue.submit("job");
  await pass(0);
  const held = await store.orders.get(id);
  await store.orders.change([
    {
      id,
      fence: held?.fence ?? 0,
      from: ["RUNNING"],
      to: "WAITING_RETRY",
      event: "lost",
      set: { runAt: 1e15 },
    },
  ]);
  finish();
  await settle();
  const ends = (await metrics()).get("cutover.queue.order.ends")?.dataPoints ?? [];
  expect(ends.map(({ attributes, value }) => [attributes["cutover.order.outcome"], value])).toEqual([
    ["cancelled", 1],
    ["late", 1],
  ]);
  expect(spans().at(-1)?.attributes).toMatchObject({ "cutover.order.outcome": "late" });
});

test("telemetry that fails harms neither submit nor work", async () => {
  const { otel } = collectTelemetry();
  const broken = new Proxy(otel.trace, {
    get: (target, name) =>
      name === "setSpan"
        ? () => {
            throw new Error("broken");
          }
        : Reflect.get(target, name, target),
  });
  const { queue, pass } = await open({ telemetry: { ...otel, trace: broken } });
  queue.work("job", () => 7);
  const { id } = await queue.submit("job");
  await pass(0);
  expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", result: 7 });
});

test("a worker wakes for the next time of a schedule, and works on what it submitted", async () => {
  const { queue, clock, pass } = await open({ poll: "1h" });
  const times: string[] = [];
  queue.work("job", ({ payload }) => {
    times.push(`${new Date(clock.now()).toISOString()} ${JSON.stringify(payload)}`);
  });
  const made = await queue.schedule("often", { cron: "*/10 * * * *" }, "job", { n: 1 });
  expect(made).toMatchObject({ name: "often", when: "*/10 * * * *", timezone: "UTC" });
  expect(await queue.schedules()).toEqual([made]);
  for (let i = 0; i < 3; i++) await pass(10 * 60_000);
  expect(times).toEqual([
    '2026-01-01T00:10:00.000Z {"n":1}',
    '2026-01-01T00:20:00.000Z {"n":1}',
    '2026-01-01T00:30:00.000Z {"n":1}',
  ]);
  expect(await queue.unschedule("often")).toBe(true);
  await pass(3_600_000);
  expect(times).toHaveLength(3);
});

test("the options are refused at the door", async () => {
  await expect(open({ telemetry: {} as never })).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_INVALID",
    place: "telemetry",
  });
  const { queue } = await open();
  await expect(queue.schedule("n", { every: "1ms" }, "job")).rejects.toMatchObject({ place: "every" });
});
