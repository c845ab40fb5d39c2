import { asError, type JsonObject, type Log } from "../core/index.ts";
import type { NewOrder, OrderRecord } from "../store/index.ts";
import { errorRecord } from "./failure.ts";
import { addressed, orderAttributes, processAttributes, sendAttributes } from "./telemetry-attributes.ts";
import { spanKind, spanStatusError, type TelemetryApi, type TelemetrySpan } from "./telemetry-api.ts";
import { type AttemptEnd, Instruments, type QueueGauges } from "./telemetry-instruments.ts";

/**
 * Tells OpenTelemetry what a queue does. `undefined` in the queue's context when nobody asked for it, so that it
 * costs one check: `context.telemetry?.attempt(order, waited)`.
 *
 * Nothing here throws, and nothing that OpenTelemetry throws goes further: work and record never depend on it.
 */
export interface Telemetry {
  /**
   * Wraps the store's part of a submit in a `send` span whose context travels in the carrier of each order.
   * Returns and throws what `store` does.
   */
  send<T>(orders: readonly NewOrder[], store: (orders: readonly NewOrder[]) => Promise<T>): Promise<T>;
  /** A submit that never came to the store: its `send` span, with what it was refused for. */
  refused(error: unknown): void;
  /** An attempt begins: a `process` span, child of the `send` span. `waitedMs`: from due to claimed. */
  attempt(order: OrderRecord, waitedMs: number): AttemptTrace;
  /** A transition outside of an attempt, e.g. `cancelled` of an order that waited: counted only. */
  count(end: AttemptEnd, kind: string): void;
  /** What the gauges read each time somebody collects metrics. Once for each queue. */
  observe(read: () => Promise<QueueGauges>): void;
  /** Gauges are read no more. */
  close(): void;
}

/** One attempt on its way. `end` is called exactly once, after the outcome was recorded. */
export interface AttemptTrace {
  /** Runs the work with the span active, so that spans of the work become its children. */
  within<T>(work: () => T): T;
  /** `late`: the claim was lost meanwhile and the outcome was refused. `retryAt`: the store's time of the next attempt. */
  end(outcome: AttemptEnd, runMs: number, error?: unknown, retryAt?: number): void;
}

/** @param queue name of the queue · @param worker name of this worker in the record */
export function openTelemetry(api: TelemetryApi, queue: string, worker: string, log: Log): Telemetry {
  const guard = new Guard(log);
  const destination = addressed(queue);
  const tracer = guard.do(() => api.trace.getTracer("cutover/queue"));
  const instruments = guard.do(() => new Instruments(api.metrics.getMeter("cutover/queue"), destination));

  return {
    send: (orders, store) => sendTraced(orders, store),
    refused: (error) =>
      guard.do(() => {
        const attributes = sendAttributes(destination);
        const options = { kind: spanKind.producer, attributes };
        const span = tracer?.startSpan(`send ${queue}`, options, api.context.active());
        markFailed(span, error);
        span?.end();
      }),
    attempt: (order, waitedMs) => {
      guard.do(() => instruments?.claimed(order.kind, waitedMs));
      const started = guard.do(() => {
        const parent = api.propagation.extract(api.context.active(), order.carrier ?? {});
        const attributes = processAttributes(destination, order, worker);
        const span = tracer?.startSpan(`process ${queue}`, { kind: spanKind.consumer, attributes }, parent);
        return span && { span, context: api.trace.setSpan(parent, span) };
      });
      return {
        within: (work) =>
          started === undefined
            ? work()
            : guard.around(work, (run) => api.context.with(started.context, run)),
        end(outcome, runMs, error, retryAt) {
          guard.do(() => instruments?.ended(outcome, order.kind, runMs));
          guard.do(() => endAttempt(started?.span, outcome, error, retryAt));
        },
      };
    },
    count: (end, kind) => guard.do(() => instruments?.count(end, kind)),
    observe: (read) => guard.do(() => instruments?.observe(() => guard.wait(read))),
    close: () => guard.do(() => instruments?.close()),
  };

  async function sendTraced<T>(
    orders: readonly NewOrder[],
    store: (orders: readonly NewOrder[]) => Promise<T>,
  ): Promise<T> {
    const sending = guard.do(() => startSend(orders));
    let failure: unknown;
    try {
      const stored = await store(sending?.orders ?? orders);
      guard.do(() => {
        instruments?.sent(orders, stored);
        nameKnown(sending?.span, orders, stored);
      });
      return stored;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      guard.do(() => {
        if (failure !== undefined) markFailed(sending?.span, failure);
        sending?.span?.end();
      });
    }
  }

  function startSend(orders: readonly NewOrder[]): {
    readonly span: TelemetrySpan | undefined;
    readonly orders: readonly NewOrder[];
  } {
    // A carrier that came along already, e.g. out of another system, goes before what is active here.
    const [first] = orders;
    const active = api.context.active();
    const parent = first?.carrier == null ? active : api.propagation.extract(active, first.carrier);
    const attributes = orderAttributes(destination, orders);
    const span = tracer?.startSpan(`send ${queue}`, { kind: spanKind.producer, attributes }, parent);
    const context = span === undefined ? parent : api.trace.setSpan(parent, span);
    const carrier: Record<string, unknown> = {};
    api.propagation.inject(context, carrier);
    if (Object.keys(carrier).length === 0) return { span, orders };
    return {
      span,
      orders: orders.map((order) => ({ ...order, carrier: { ...order.carrier, ...carrier } as JsonObject })),
    };
  }
}

/** An order whose key was known is not stored: the one that has the key is what this submit led to. */
function nameKnown(span: TelemetrySpan | undefined, orders: readonly NewOrder[], stored: unknown): void {
  if (orders.length !== 1 || !Array.isArray(stored)) return;
  const [entry] = stored as readonly { readonly order?: { readonly id: string } }[];
  const id = entry?.order?.id;
  if (id !== undefined && id !== orders[0]?.id) span?.setAttributes({ "messaging.message.id": id });
}

function endAttempt(
  span: TelemetrySpan | undefined,
  outcome: AttemptEnd,
  error: unknown,
  retryAt: number | undefined,
): void {
  span?.setAttributes({ "cutover.order.outcome": outcome });
  if (error !== undefined) markFailed(span, error);
  if (outcome === "retry-scheduled") {
    const at = retryAt === undefined ? {} : { "cutover.order.retry_at": new Date(retryAt).toISOString() };
    span?.addEvent("cutover.order.retry", at);
  }
  span?.end();
}

function markFailed(span: TelemetrySpan | undefined, error: unknown): void {
  const { code, message } = errorRecord(error);
  span?.recordException({ code, message, name: asError(error).name });
  span?.setAttributes({ "error.type": code });
  span?.setStatus({ code: spanStatusError, message });
}

/** Keeps what OpenTelemetry throws away from the queue; told once, since it would come with every order. */
class Guard {
  readonly #log: Log;
  #told = false;

  constructor(log: Log) {
    this.#log = log;
  }

  do<T>(tell: () => T): T | undefined {
    try {
      return tell();
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  async wait<T>(tell: () => Promise<T>): Promise<T | undefined> {
    try {
      return await tell();
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  /** Runs `work` exactly once inside of `wrap`, whatever `wrap` does. */
  around<T>(work: () => T, wrap: (run: () => T) => T): T {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
    const once = (): T => {
      try {
        const value = work();
        outcome = { value };
        return value;
      } catch (error) {
        outcome = { error };
        throw error;
      }
    };
    try {
      wrap(once);
    } catch (error) {
      if (outcome === undefined || !("error" in outcome)) this.#tell(error);
    }
    const ended = outcome as { readonly value: T } | { readonly error: unknown } | undefined;
    if (ended === undefined) return work();
    if ("error" in ended) throw ended.error;
    return ended.value;
  }

  #tell(error: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#log.warn("telemetry failed; the queue goes on without what it could not tell", {
      reason: asError(error).message,
    });
  }
}
