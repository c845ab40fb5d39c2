import type { IncomingMessage, ServerResponse } from "node:http";
import { QueueFull } from "../old/old-queue.ts";
import { InvalidSubmission, readSubmission } from "../old/submission.ts";
import { type Submission, statuses, type WorkOrderStatus } from "../old/work-order.ts";
import { full } from "./answers.ts";
import type { Orders, Placed } from "./orders.ts";

const largestBody = 65_536;

/** An answer before it is written: status code, JSON body (or text), headers. */
interface Answer {
  readonly code: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiOptions {
  readonly orders: Orders;
  /** The routed submit. */
  readonly submit: (submission: Submission) => Promise<Placed | typeof full>;
  readonly health: () => Promise<object>;
  readonly metrics: () => Promise<string>;
  /** Calls of the crossing, below `/crossing/`; undefined for a name it does not have. */
  readonly crossing: (name: string, body: unknown) => Promise<object | undefined>;
  /** Orders waiting on both sides; a hint for well-behaved clients. */
  readonly depth: () => number;
}

/** The HTTP contract: the same before, during and after the crossing. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  api: ApiOptions,
): Promise<void> {
  let answer: Answer;
  try {
    answer = await dispatch(request, api);
  } catch (error) {
    answer = errorAnswer(error);
  }
  const text = typeof answer.body === "string" ? answer.body : `${JSON.stringify(answer.body)}\n`;
  response.writeHead(answer.code, {
    "content-type": typeof answer.body === "string" ? "text/plain; version=0.0.4" : "application/json",
    "x-queue-depth": String(api.depth()),
    ...answer.headers,
  });
  response.end(text);
}

async function dispatch(request: IncomingMessage, api: ApiOptions): Promise<Answer> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const [, head = "", id, action, ...rest] = url.pathname.split("/").map(decodeURIComponent);
  const route = `${request.method} ${head}${id === undefined ? "" : "/:id"}${action === undefined ? "" : `/${action}`}`;
  if (rest.length > 0) return notFound(url.pathname);
  switch (route) {
    case "GET health":
      return { code: 200, body: await api.health() };
    case "GET metrics":
      return { code: 200, body: await api.metrics() };
    case "POST work-orders":
      return await postOrder(await readJson(request), api);
    case "GET work-orders":
      return await listOrders(url.searchParams.get("status"), api);
    case "GET work-orders/:id": {
      const found = await api.orders.find(id ?? "");
      return found === undefined ? notFound(`work order ${id}`) : placed(200, found);
    }
    case "POST work-orders/:id/cancel":
      return await cancelOrder(id ?? "", api);
    case "POST crossing/:id": {
      const done = await api.crossing(id ?? "", await readJson(request));
      return done === undefined ? notFound(url.pathname) : { code: 200, body: done };
    }
    default:
      return notFound(url.pathname);
  }
}

async function postOrder(body: unknown, { orders, submit }: ApiOptions): Promise<Answer> {
  const submission = readSubmission(body);
  const known = await orders.known(submission.order.id);
  // A queued order that fell out of the queue (a crash between two writes) is put in again by posting it again.
  if (known !== undefined && known.order.status !== "queued") return placed(200, known);
  if (known?.side === "old") return placed(200, await orders.submitOld(submission));
  if (known !== undefined) return placed(200, known);
  const answer = await submit(submission);
  if (answer === full) throw new QueueFull();
  return placed(201, answer);
}

async function listOrders(status: string | null, { orders }: ApiOptions): Promise<Answer> {
  if (status !== null && !(statuses as readonly string[]).includes(status))
    return { code: 400, body: { error: `status must be one of ${statuses.join(", ")}` } };
  return {
    code: 200,
    body: { workOrders: await orders.list((status as WorkOrderStatus | null) ?? undefined) },
  };
}

async function cancelOrder(id: string, { orders }: ApiOptions): Promise<Answer> {
  const canceled = await orders.cancel(id);
  if (canceled !== undefined) return { code: 200, body: canceled };
  const found = await orders.find(id);
  if (found === undefined) return notFound(`work order ${id}`);
  return { code: 409, body: { error: `work order ${id} has ended: ${found.order.status}` } };
}

const placed = (code: number, { side, order }: Placed): Answer => ({
  code,
  body: order,
  headers: { "x-side": side },
});
const notFound = (what: string): Answer => ({ code: 404, body: { error: `not found: ${what}` } });

function errorAnswer(error: unknown): Answer {
  const body = { error: error instanceof Error ? error.message : String(error) };
  if (error instanceof InvalidSubmission) return { code: 400, body };
  if (error instanceof BodyTooLarge) return { code: 413, body };
  if (error instanceof QueueFull) return { code: 503, body, headers: { "retry-after": "1" } };
  return { code: 500, body };
}

class BodyTooLarge extends Error {}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBody) throw new BodyTooLarge(`body must be at most ${largestBody} bytes`);
    chunks.push(chunk);
  }
  try {
    return size === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown);
  } catch {
    throw new InvalidSubmission("body must be JSON");
  }
}
