import { asError, CutoverError, formatDuration } from "../core/index.ts";
import type { OrderStore, Store } from "../store/index.ts";
import type { QueueContext } from "./context.ts";
import { invalid, onlyKnown, plainObject } from "./settings.ts";

/** What ends a call early. */
export interface CallOptions {
  /**
   * The call is refused with the reason of this signal as soon as it aborts; nothing more is asked of the store for it. What a
   * write had asked for by then may be stored or not. Aborted before the call, nothing is asked. Default: none.
   */
  readonly signal?: AbortSignal;
}

/** Where options of orders belong in a call with many. */
export const inEach = "say it in each order: { kind, payload, priority, … }";
const saidElsewhere: Readonly<Record<"work" | "submitAll" | "submitAllWithin", string>> = {
  work: "say how many orders run here with slots of openQueue, what one takes with needs of submit, and what holds for all workers with limits of configure",
  submitAll: inEach,
  submitAllWithin: inEach,
};

/** Refuses what nobody reads behind the last argument. @throws CUTOVER_QUEUE_INVALID naming the call */
export function nothingMore(more: readonly unknown[], call: keyof typeof saidElsewhere): void {
  const found = more.find((argument) => argument !== undefined);
  if (found !== undefined) throw invalid(call, "no further argument", found, saidElsewhere[call]);
}

/** By what it does, not by its class: one of another realm or of a library will do. @throws CUTOVER_QUEUE_INVALID */
export function abortSignal(value: AbortSignal): void {
  const { aborted, addEventListener, signal } = ((value as unknown) ?? {}) as Record<string, unknown>;
  if (typeof aborted === "boolean" && typeof addEventListener === "function") return;
  const remedy = signal === undefined ? undefined : "hand in the signal of the controller: controller.signal";
  throw invalid("signal", "an AbortSignal", value, remedy);
}

/**
 * The signal of options that hold nothing else.
 * @param remedy where other members belong, when they have a place of their own
 * @throws CUTOVER_QUEUE_INVALID naming the call, or the signal
 */
export function callSignal(options: CallOptions, call: string, remedy?: string): AbortSignal | undefined {
  if (remedy === undefined) onlyKnown(options, { signal: true }, call);
  else {
    plainObject(options, call, "an object with signal");
    const other = Object.keys(options).find((member) => member !== "signal");
    if (other !== undefined) throw invalid(call, "no members but signal", other, remedy);
  }
  return options.signal;
}

type Ask = "read" | "write";

/** What a call that is given up may have left behind. Undefined: passed on as it is, the caller's own connection sets its limits. */
const orderAsks: Readonly<Record<keyof OrderStore, Ask | undefined>> = {
  submit: "write",
  submitWithin: undefined,
  claim: "write",
  change: "write",
  renew: "write",
  requestCancel: "write",
  setPriority: "write",
  get: "read",
  list: "read",
  waiting: "read",
  history: "read",
  orphans: "read",
  holders: "read",
  nextDue: "read",
  counts: "read",
  behind: "read",
  untaken: "read",
  oldestDue: "read",
  queues: "read",
  config: "read",
  configure: "write",
  seen: "write",
  gone: "write",
  workers: "read",
  setSchedule: "write",
  schedules: "read",
  advanceSchedule: "write",
  onWork: undefined,
  prunable: "read",
  prune: "write",
};
const eventAsks: Readonly<Record<keyof Store["events"], Ask | undefined>> = {
  read: "read",
  verify: "read",
  count: "read",
  subscribe: undefined,
  follow: undefined,
};

/**
 * The context of one call: what it asks of the store ends with the signal, and with the queue's `callTimeout`. The queue's own
 * work asks without an end: given up, the end of an order would only be asked for again.
 * @throws CUTOVER_QUEUE_INVALID for what is no signal
 */
export function forCall(context: QueueContext, signal?: AbortSignal): QueueContext {
  if (signal !== undefined) abortSignal(signal);
  if (signal === undefined && context.settings.callTimeoutMs === undefined) return context;
  const { store } = context;
  const ending = <T extends object>(part: T, asks: Readonly<Record<keyof T, Ask | undefined>>): T =>
    new Proxy({} as T, {
      get(_, name) {
        const member = Reflect.get(part, name) as unknown;
        if (typeof member !== "function") return member;
        const call = (...given: readonly unknown[]): unknown => Reflect.apply(member, part, given) as unknown;
        const ask = asks[name as keyof T];
        if (ask === undefined) return call;
        return (...given: readonly unknown[]) => inTime(context, signal, ask, () => call(...given));
      },
    });
  const [orders, events] = [ending(store.orders, orderAsks), ending(store.events, eventAsks)];
  const asked = new Proxy({} as Store, {
    get: (_, name) =>
      name === "orders" ? orders : name === "events" ? events : (Reflect.get(store, name) as unknown),
  });
  return { ...context, store: asked };
}

function inTime(
  { settings: { clock, callTimeoutMs: ms } }: QueueContext,
  signal: AbortSignal | undefined,
  kind: Ask,
  ask: () => unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(asError(signal?.reason));
    if (signal?.aborted === true) return abort();
    const timer = ms === undefined ? undefined : clock.after(ms, () => reject(unanswered(ms, kind)));
    signal?.addEventListener("abort", abort, { once: true });
    void (async () => ask())()
      .then(resolve, reject)
      .finally(() => {
        timer?.cancel();
        signal?.removeEventListener("abort", abort);
      });
  });
}

function unanswered(ms: number, kind: Ask): CutoverError {
  const none = `expected an answer of the store within ${formatDuration(ms)}, the queue's callTimeout, found none`;
  return new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: kind === "read" ? none : `${none}: what was asked for may be stored or not`,
    details: { waitedMs: ms },
    remedy:
      kind === "read"
        ? "look whether the server runs and what keeps it busy, then ask again"
        : "when the store answers again, look whether it is stored, or do the same again with the same ids or key",
  });
}
