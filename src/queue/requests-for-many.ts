import { hasCode } from "../core/index.ts";
import type { OrderRecord, OrderState } from "../store/index.ts";
import { forCall } from "./calls.ts";
import type { QueueContext } from "./context.ts";
import type { Queue } from "./queue.ts";
import { requeue } from "./requeue.ts";
import { type AskEnd, cancelOrder, cancelWaiting, waitingStates } from "./requests.ts";
import { invalid, isText, onlyKnown, reasonText, whole } from "./settings.ts";
import { refuseUnknownStates, unfinishedStates } from "./states.ts";
import { kindName } from "./submission.ts";

/** Orders read in one go, and touched at the same time. */
const pageSize = 500;
const atOnce = 200;

export async function cancelMany(
  context: QueueContext,
  which: Parameters<Queue["cancelAll"]>[0],
  askEnd: AskEnd,
): Promise<number> {
  onlyKnown(which, { reason: true, kind: true, states: true, signal: true }, "cancelAll");
  const { reason, kind, states = unfinishedStates, signal } = which;
  const call = forCall(context, signal);
  reasonText(reason);
  refuseUnknownStates(states, unfinishedStates);
  if (kind !== undefined) kindName(kind);
  // Of those that wait none is cancelled that was claimed since it was looked at.
  const waits = states.every((state) => waitingStates.includes(state));
  const cancel = (order: OrderRecord): Promise<OrderRecord> =>
    waits ? cancelWaiting(call, order, reason, states) : cancelOrder(call, order, reason, askEnd);
  let cancelled = 0;
  for await (const page of ordersIn(call, states)) {
    const meant = page.filter((order) => kind === undefined || order.kind === kind);
    cancelled += await forEach(meant, cancel);
  }
  return cancelled;
}

export function deadLetters(
  context: QueueContext,
  query: NonNullable<Parameters<Queue["deadLetters"]>[0]>,
): Promise<readonly OrderRecord[]> {
  onlyKnown(query, { kind: true, limit: true, after: true, signal: true }, "deadLetters");
  const limit = whole(query.limit ?? 100, "limit", 1, 100_000);
  if (query.kind !== undefined) kindName(query.kind);
  if (query.after !== undefined) isText(query.after, "after");
  const call = forCall(context, query.signal);
  return failed(call, limit, query.after, ({ kind }) => query.kind === undefined || kind === query.kind);
}

/** @param known the order of an id, refused when there is none */
export async function resubmitMany(
  context: QueueContext,
  query: NonNullable<Parameters<Queue["resubmit"]>[0]>,
  known: (call: QueueContext, id: string) => Promise<OrderRecord>,
): Promise<number> {
  onlyKnown(
    query,
    { kind: true, limit: true, code: true, ids: true, reason: true, signal: true },
    "resubmit",
  );
  const { kind, code, ids, reason = "asked for by resubmit()", signal } = query;
  reasonText(reason);
  const limit = whole(query.limit ?? 1_000, "limit", 1, 100_000);
  if (kind !== undefined) kindName(kind);
  if (code !== undefined) isText(code, "code");
  if (ids !== undefined && !Array.isArray(ids)) throw invalid("ids", "a list of ids", ids);
  const call = forCall(context, signal);
  const meant = (order: OrderRecord): boolean =>
    order.state === "FAILED" &&
    (kind === undefined || order.kind === kind) &&
    (code === undefined || order.error?.code === code);
  const found =
    ids === undefined
      ? await failed(call, limit, undefined, meant)
      : (await Promise.all(ids.map((id) => known(call, id)))).filter(meant).slice(0, limit);
  return forEach(found, (order) => requeue(call, order, reason));
}

async function failed(
  context: QueueContext,
  limit: number,
  after: string | undefined,
  meant: (order: OrderRecord) => boolean,
): Promise<readonly OrderRecord[]> {
  const found: OrderRecord[] = [];
  for await (const page of ordersIn(context, ["FAILED"], after)) {
    found.push(...page.filter(meant));
    if (found.length >= limit) break;
  }
  return found.slice(0, limit);
}

/** Orders in these states, by id, a page at a time. */
async function* ordersIn(
  { store, settings }: QueueContext,
  states: readonly OrderState[],
  after?: string,
): AsyncGenerator<readonly OrderRecord[]> {
  for (let last = after; ;) {
    const query = { queue: settings.name, states, limit: pageSize };
    const page = await store.orders.list(last === undefined ? query : { ...query, after: last });
    if (page.length > 0) yield page;
    if (page.length < pageSize) return;
    last = page.at(-1)?.id;
  }
}

const movedOn = [
  "CUTOVER_LEASE_LOST",
  "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
  "CUTOVER_QUEUE_UNKNOWN_ORDER",
] as const;

/** Runs `ask` for each, some at a time; resolves with how many it was done for. Those that moved on meanwhile are left. */
async function forEach(
  orders: readonly OrderRecord[],
  ask: (order: OrderRecord) => Promise<OrderRecord>,
): Promise<number> {
  let done = 0;
  for (let from = 0; from < orders.length; from += atOnce) {
    await Promise.all(
      orders.slice(from, from + atOnce).map(async (order) => {
        try {
          await ask(order);
          done++;
        } catch (error) {
          if (!movedOn.some((code) => hasCode(error, code))) throw error;
        }
      }),
    );
  }
  return done;
}
