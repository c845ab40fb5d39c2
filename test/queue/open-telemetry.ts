import { AsyncLocalStorage } from "node:async_hooks";
import * as otel from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { onTestFinished } from "vitest";

export interface Collected {
  readonly otel: typeof otel;
  /** Ended spans, in the order of their ends. */
  readonly spans: () => readonly ReadableSpan[];
  /** Collects now. */
  readonly metrics: () => Promise<ReadonlyMap<string, MetricData>>;
}

/** The real SDK with everything kept in memory, registered as an application would, until the test ends. */
export function collectTelemetry(): Collected {
  const kept = new InMemorySpanExporter();
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  // Collected when a test asks: an hour is never.
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  otel.context.setGlobalContextManager(new AsyncContexts());
  otel.propagation.setGlobalPropagator(traceparent);
  otel.trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(kept)] }),
  );
  const meters = new MeterProvider({ readers: [reader] });
  otel.metrics.setGlobalMeterProvider(meters);
  onTestFinished(async () => {
    await meters.shutdown();
    for (const api of [otel.context, otel.propagation, otel.trace, otel.metrics]) api.disable();
  });
  return {
    otel,
    spans: () => kept.getFinishedSpans(),
    async metrics() {
      exporter.reset();
      await reader.forceFlush();
      const scopes = exporter.getMetrics().at(-1)?.scopeMetrics ?? [];
      return new Map(scopes.flatMap(({ metrics }) => metrics).map((data) => [data.descriptor.name, data]));
    },
  };
}

/** What an application takes from `@opentelemetry/context-async-hooks`. */
class AsyncContexts implements otel.ContextManager {
  readonly #storage = new AsyncLocalStorage<otel.Context>();
  active(): otel.Context {
    return this.#storage.getStore() ?? otel.ROOT_CONTEXT;
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: otel.Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(context, () => fn.call(thisArg as never, ...args));
  }
  bind<T>(_context: otel.Context, target: T): T {
    return target;
  }
  enable(): this {
    return this;
  }
  disable(): this {
    return this;
  }
}

/** W3C trace context, as far as a test needs it. */
const traceparent: otel.TextMapPropagator<Record<string, unknown>> = {
  fields: () => ["traceparent"],
  inject(context, carrier) {
    const span = otel.trace.getSpanContext(context);
    if (span !== undefined) carrier["traceparent"] = `00-${span.traceId}-${span.spanId}-01`;
  },
  extract(context, carrier) {
    const parts = /^00-(\w{32})-(\w{16})-01$/.exec(String(carrier["traceparent"]));
    if (parts === null) return context;
    const [, traceId = "", spanId = ""] = parts;
    return otel.trace.setSpanContext(context, { traceId, spanId, traceFlags: 1, isRemote: true });
  },
};
