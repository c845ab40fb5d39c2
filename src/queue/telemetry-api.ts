/**
 * What the queue uses of `import * as otel from "@opentelemetry/api"`, described by shape: the queue works with
 * every 1.x of it and depends on none. Contexts are handed through and never looked into.
 */
export interface TelemetryApi {
  readonly trace: {
    getTracer(name: string, version?: string): TelemetryTracer;
    setSpan(context: unknown, span: TelemetrySpan): unknown;
  };
  readonly metrics: { getMeter(name: string, version?: string): TelemetryMeter };
  readonly propagation: {
    inject(context: unknown, carrier: Record<string, unknown>): void;
    extract(context: unknown, carrier: Readonly<Record<string, unknown>>): unknown;
  };
  readonly context: {
    active(): unknown;
    with<T>(context: unknown, work: () => T): T;
  };
}

export type TelemetryAttributes = Readonly<Record<string, string | number | boolean>>;

export interface TelemetrySpan {
  setAttributes(attributes: TelemetryAttributes): unknown;
  setStatus(status: { readonly code: number; readonly message?: string }): unknown;
  recordException(error: { readonly code: string; readonly name: string; readonly message: string }): void;
  addEvent(name: string, attributes?: TelemetryAttributes): unknown;
  end(): void;
}

export interface TelemetryTracer {
  startSpan(
    name: string,
    options: { readonly kind: number; readonly attributes: TelemetryAttributes },
    context: unknown,
  ): TelemetrySpan;
}

export interface TelemetryInstrument {
  readonly description: string;
  readonly unit: string;
  readonly advice?: { readonly explicitBucketBoundaries: number[] };
}

export interface TelemetryCounter {
  add(value: number, attributes: TelemetryAttributes): void;
}

export interface TelemetryHistogram {
  record(value: number, attributes: TelemetryAttributes): void;
}

/** One object per gauge, only compared. */
export interface TelemetryGauge {
  addCallback(callback: never): void;
}

export interface TelemetryMeter {
  createCounter(name: string, options: TelemetryInstrument): TelemetryCounter;
  createHistogram(name: string, options: TelemetryInstrument): TelemetryHistogram;
  createObservableGauge(name: string, options: TelemetryInstrument): TelemetryGauge;
  addBatchObservableCallback(callback: TelemetryCallback, gauges: TelemetryGauge[]): void;
  removeBatchObservableCallback(callback: TelemetryCallback, gauges: TelemetryGauge[]): void;
}

export type TelemetryCallback = (result: {
  observe(gauge: TelemetryGauge, value: number, attributes?: TelemetryAttributes): void;
}) => Promise<void>;

/** Numbers of the specification, which never change. */
export const spanKind = { producer: 3, consumer: 4 } as const;
export const spanStatusError = 2;

/** True for the API's object, and for what has the shape of all that is used of it. */
export function isTelemetryApi(value: unknown): value is TelemetryApi {
  const given = value as Partial<TelemetryApi> | null | undefined;
  return (
    typeof given?.trace?.getTracer === "function" &&
    typeof given.metrics?.getMeter === "function" &&
    typeof given.propagation?.inject === "function" &&
    typeof given.context?.with === "function"
  );
}
