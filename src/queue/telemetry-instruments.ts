import type { NewOrder, OrderCounts } from "../store/index.ts";
import type { OrderEvent } from "./states.ts";
import type {
  TelemetryAttributes,
  TelemetryCallback,
  TelemetryCounter,
  TelemetryGauge,
  TelemetryHistogram,
  TelemetryMeter,
} from "./telemetry-api.ts";

/** How an attempt, or a wait, came to its end; `late` when its claim was lost and the outcome refused. */
export type AttemptEnd = OrderEvent | "late";

/** What the gauges show. */
export interface QueueGauges {
  readonly counts: OrderCounts;
  /** How long the order that waits longest has been due, ms. */
  readonly ageMs: number;
  readonly slots: { readonly used: number; readonly total: number };
}

/** Bounds that the conventions advise for seconds, and further ones for long work. */
const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600];

const counter = { unit: "{order}" };
const histogram = { unit: "s", advice: { explicitBucketBoundaries: seconds } };

/** The metrics of one queue. Counted per kind; each set of attributes is made once and kept. */
export class Instruments {
  readonly #meter: TelemetryMeter;
  readonly #queue: TelemetryAttributes;
  readonly #byKind = new Map<string, TelemetryAttributes>();
  readonly #byEnd = new Map<string, TelemetryAttributes>();
  readonly #sent: TelemetryCounter;
  readonly #claimed: TelemetryCounter;
  readonly #ends: TelemetryCounter;
  readonly #wait: TelemetryHistogram;
  readonly #run: TelemetryHistogram;
  #stop: (() => void) | undefined;

  constructor(meter: TelemetryMeter, queue: TelemetryAttributes) {
    this.#meter = meter;
    this.#queue = queue;
    const about = (description: string, of: typeof counter) => ({ description, ...of });
    this.#sent = meter.createCounter("messaging.client.sent.messages", about("Work orders stored", counter));
    this.#claimed = meter.createCounter(
      "messaging.client.consumed.messages",
      about("Attempts begun", counter),
    );
    this.#ends = meter.createCounter(
      "cutover.queue.order.ends",
      about("How attempts and waits ended: completed, retry-scheduled, failed, cancelled, late, …", counter),
    );
    this.#wait = meter.createHistogram("cutover.queue.order.wait", about("From due to claimed", histogram));
    this.#run = meter.createHistogram("messaging.process.duration", about("Time of an attempt", histogram));
  }

  sent(orders: readonly NewOrder[], stored: unknown): void {
    // What was known already was not stored again.
    const fresh = Array.isArray(stored) ? (stored as readonly { readonly fresh?: boolean }[]) : [];
    const byKind = new Map<string, number>();
    orders.forEach(({ kind }, i) => {
      if (fresh[i]?.fresh !== false) byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
    });
    for (const [kind, n] of byKind) this.#sent.add(n, this.#kind(kind));
  }

  claimed(kind: string, waitedMs: number): void {
    this.#claimed.add(1, this.#kind(kind));
    this.#wait.record(Math.max(0, waitedMs) / 1_000, this.#kind(kind));
  }

  ended(end: AttemptEnd, kind: string, runMs: number): void {
    this.count(end, kind);
    this.#run.record(Math.max(0, runMs) / 1_000, this.#end(end, kind));
  }

  count(end: AttemptEnd, kind: string): void {
    this.#ends.add(1, this.#end(end, kind));
  }

  observe(read: () => Promise<QueueGauges | undefined>): void {
    this.close();
    const gauge = (name: string, unit: string, description: string): TelemetryGauge =>
      this.#meter.createObservableGauge(`cutover.queue.${name}`, { unit, description });
    const orders = gauge("orders", "{order}", "Work orders by state");
    const age = gauge("age", "s", "How long the order that waits longest has been due");
    const used = gauge("slots.used", "{slot}", "Slots of this worker in use");
    const total = gauge("slots.total", "{slot}", "Slots of this worker");
    const gauges = [orders, age, used, total];
    const look: TelemetryCallback = async (result) => {
      const now = await read();
      if (now === undefined) return;
      for (const [state, n] of Object.entries<number>(now.counts))
        result.observe(orders, n, { ...this.#queue, "cutover.order.state": state });
      result.observe(age, now.ageMs / 1_000, this.#queue);
      result.observe(used, now.slots.used, this.#queue);
      result.observe(total, now.slots.total, this.#queue);
    };
    this.#meter.addBatchObservableCallback(look, gauges);
    this.#stop = () => this.#meter.removeBatchObservableCallback(look, gauges);
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #kind(kind: string): TelemetryAttributes {
    return kept(this.#byKind, kind, () => ({ ...this.#queue, "cutover.order.kind": kind }));
  }

  #end(end: AttemptEnd, kind: string): TelemetryAttributes {
    return kept(this.#byEnd, `${end} ${kind}`, () => ({
      ...this.#kind(kind),
      "cutover.order.outcome": end,
    }));
  }
}

function kept(
  map: Map<string, TelemetryAttributes>,
  key: string,
  make: () => TelemetryAttributes,
): TelemetryAttributes {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = make()));
  return found;
}
