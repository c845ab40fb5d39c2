import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { ask, type HttpAnswer } from "./http-client.ts";
import { isEnded, statuses, type WorkOrder } from "./old/work-order.ts";

/** One promise of the HTTP API, as its clients know it. Resolves with undefined, or with what is wrong. */
interface ContractLine {
  readonly name: string;
  readonly holds: (api: Api) => Promise<string | undefined>;
}

type Api = (method: string, path: string, body?: unknown) => Promise<HttpAnswer>;

const patienceMs = 8_000;

/**
 * Holds a running server against its contract: the same list before, during and after the crossing. Resolves with one
 * line for each broken promise; none is the whole contract kept.
 */
export async function brokenPromises(port: number): Promise<string[]> {
  const api: Api = (method, path, body) => ask(port, method, path, body);
  const broken: string[] = [];
  for (const { name, holds } of contract) {
    const wrong = await holds(api).catch((error: unknown) => String(error));
    if (wrong !== undefined) broken.push(`${name}: ${wrong}`);
  }
  return broken;
}

/** How many promises there are. */
export const contractLength = (): number => contract.length;

const newId = (): string => `contract-${randomBytes(6).toString("hex")}`;
const prompt = "Check the contract (äöü 🚀)";

const contract: readonly ContractLine[] = [
  {
    name: "a work order is accepted with 201 and answered as submitted",
    holds: async (api) => {
      const id = newId();
      const { code, body } = await post(api, {
        id,
        taskPrompt: prompt,
        agentType: "reviewer",
        maxIterations: 2,
      });
      const order = body as WorkOrder;
      if (code !== 201) return `expected 201, found ${code}`;
      if (order.id !== id || order.taskPrompt !== prompt || order.maxIterations !== 2) return "fields differ";
      if (order.status !== "queued") return `expected queued, found ${order.status}`;
      return shapeProblem(order);
    },
  },
  {
    name: "the same id again answers 200 with the same order",
    holds: async (api) => {
      const order = { id: newId(), taskPrompt: prompt, agentType: "reviewer" };
      const first = (await post(api, order)).body as WorkOrder;
      const { code, body } = await api("POST", "/work-orders", { ...order, taskPrompt: "another" });
      if (code !== 200) return `expected 200, found ${code}`;
      const { taskPrompt, createdAt } = body as WorkOrder;
      return taskPrompt === prompt && createdAt === first.createdAt
        ? undefined
        : "another order was answered";
    },
  },
  {
    name: "a good order ends as succeeded, with run and time",
    holds: async (api) => {
      const order = await ended(api, { taskPrompt: prompt, agentType: "coder" });
      if (order.status !== "succeeded") return `expected succeeded, found ${order.status}`;
      return order.runId !== undefined && order.completedAt !== undefined
        ? undefined
        : "runId or completedAt missing";
    },
  },
  {
    name: "an order that fails says with which exit code",
    holds: async (api) => {
      const order = await ended(api, { taskPrompt: prompt, agentType: "tester", maxIterations: 3 });
      if (order.status !== "failed") return `expected failed, found ${order.status}`;
      return order.error === "Agent exited with code 1" ? undefined : `error text: ${order.error}`;
    },
  },
  {
    name: "an order that asks for another iteration gets it",
    holds: async (api) => {
      const { status, error } = await ended(api, {
        taskPrompt: prompt,
        agentType: "fixer",
        maxIterations: 2,
      });
      return status === "succeeded" ? undefined : `expected succeeded, found ${status} ${error}`;
    },
  },
  {
    name: "an order that hangs is ended at its limit",
    holds: async (api) => {
      const order = await ended(api, { taskPrompt: prompt, agentType: "crawler", maxWallClockSeconds: 0.1 });
      if (order.status !== "failed") return `expected failed, found ${order.status}`;
      return order.error === "Agent timed out after 0.1 s" ? undefined : `error text: ${order.error}`;
    },
  },
  {
    name: "a parent waits for its children and integrates",
    holds: async (api) => {
      const id = newId();
      const child = { id: newId(), taskPrompt: prompt, agentType: "coder", parentId: id, depth: 1 };
      await post(api, child);
      const parent = await ended(api, { id, taskPrompt: prompt, agentType: "planner", childIds: [child.id] });
      if (parent.status !== "succeeded") return `expected succeeded, found ${parent.status} ${parent.error}`;
      const { body } = await api("GET", `/work-orders/${child.id}`);
      if (!isEnded((body as WorkOrder).status)) return "the parent ended before its child";
      return parent.integrationStatus === "done"
        ? undefined
        : `integrationStatus: ${parent.integrationStatus}`;
    },
  },
  {
    name: "a cancelled order ends as canceled, once",
    holds: async (api) => {
      const { body } = await post(api, { id: newId(), taskPrompt: prompt, agentType: "crawler" });
      const { id } = body as WorkOrder;
      const { code } = await api("POST", `/work-orders/${id}/cancel`);
      if (code !== 200) return `expected 200, found ${code}`;
      const { status } = await untilEnded(api, id);
      if (status !== "canceled") return `expected canceled, found ${status}`;
      const again = await api("POST", `/work-orders/${id}/cancel`);
      return again.code === 409 ? undefined : `expected 409 for the second, found ${again.code}`;
    },
  },
  {
    name: "what is not there answers 404, what is not an order 400",
    holds: async (api) => {
      const { code } = await api("GET", "/work-orders/no-such-order");
      if (code !== 404) return `expected 404, found ${code}`;
      for (const body of [
        {},
        { taskPrompt: 7 },
        { taskPrompt: "x", agentType: "magician" },
        { taskPrompt: "x", id: "a/b" },
      ]) {
        const answer = await api("POST", "/work-orders", body);
        if (answer.code !== 400) return `expected 400 for ${JSON.stringify(body)}, found ${answer.code}`;
      }
      return undefined;
    },
  },
  {
    name: "the list holds orders of the asked status only",
    holds: async (api) => {
      const { code, body } = await api("GET", "/work-orders?status=succeeded");
      const { workOrders } = body as { workOrders: WorkOrder[] };
      if (code !== 200 || workOrders.length === 0) return `expected orders, found ${code}`;
      if (workOrders.some(({ status }) => status !== "succeeded")) return "another status in the list";
      const refused = await api("GET", "/work-orders?status=completed");
      return refused.code === 400 ? undefined : `expected 400 for an unknown status, found ${refused.code}`;
    },
  },
];

/** Posts until the server takes it: back-pressure is part of the contract. */
async function post(api: Api, order: object): Promise<HttpAnswer> {
  const limit = Date.now() + patienceMs;
  for (;;) {
    const answer = await api("POST", "/work-orders", { priority: 50, ...order });
    if (answer.code !== 503 || Date.now() > limit) return answer;
    await wait(100);
  }
}

async function ended(api: Api, order: { id?: string; [field: string]: unknown }): Promise<WorkOrder> {
  const { code, body } = await post(api, { ...order, id: order.id ?? newId() });
  if (code !== 201) throw new Error(`expected 201, found ${code} ${JSON.stringify(body)}`);
  return await untilEnded(api, (body as WorkOrder).id);
}

async function untilEnded(api: Api, id: string): Promise<WorkOrder> {
  const limit = Date.now() + patienceMs;
  for (;;) {
    const order = (await api("GET", `/work-orders/${id}`)).body as WorkOrder;
    if (isEnded(order.status)) return order;
    if (Date.now() > limit) throw new Error(`still ${order.status} after ${patienceMs / 1_000} s`);
    await wait(30);
  }
}

function shapeProblem(order: WorkOrder): string | undefined {
  const expected = {
    workspaceSource: "object",
    agentType: "string",
    maxWallClockSeconds: "number",
    gatePlanSource: "string",
    policies: "object",
    createdAt: "string",
    depth: "number",
    childIds: "object",
  } as const;
  const wrong = Object.entries(expected).find(
    ([field, type]) => typeof order[field as keyof WorkOrder] !== type,
  );
  if (wrong !== undefined) return `${wrong[0]} is no ${wrong[1]}`;
  return (statuses as readonly string[]).includes(order.status) ? undefined : `status ${order.status}`;
}
