import type { OrderRecord, OrderState } from "cutover/store";
import { describe, expect, test } from "vitest";
import { statuses } from "../old/work-order.ts";
import { toNewQueue, toWorkOrder } from "./translate.ts";

const payload = {
  id: "a",
  taskPrompt: "work",
  agentType: "coder",
  maxIterations: 3,
  maxWallClockSeconds: 0.5,
  createdAt: "2025-11-03T08:00:00.000Z",
  childIds: [] as string[],
};
const record = (state: OrderState, more: Partial<OrderRecord> = {}): OrderRecord =>
  ({ id: "a", state, payload, startedAt: 1, endedAt: 2, fence: 7, error: null, ...more }) as OrderRecord;
const states: readonly OrderState[] = [
  "PENDING",
  "PREPARING",
  "RUNNING",
  "WAITING_RETRY",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
];

describe("the new queue in the old words", () => {
  test("every state has one of the seven statuses", () => {
    expect(states.map((state) => toWorkOrder(record(state)).status)).toEqual([
      "queued",
      "running",
      "running",
      "running",
      "succeeded",
      "failed",
      "canceled",
    ]);
  });

  test("a parent that is done with its own work waits, integrates and ends as its integration does", () => {
    const parent = record("COMPLETED", { payload: { ...payload, childIds: ["b"] } });
    const integration = (state: OrderState): OrderRecord => record(state, { id: "a.integration" });
    const seen = [undefined, ...states.map(integration)].map((part) => toWorkOrder(parent, part).status);
    expect(seen).toEqual([
      "waiting_for_children",
      "integrating",
      "integrating",
      "integrating",
      "integrating",
      "succeeded",
      "failed",
      "canceled",
    ]);
    for (const status of seen) expect(statuses).toContain(status);
  });

  test("failures read as they always did", () => {
    const exit = { code: "CUTOVER_ORDER_FAILED", message: "sh ended …", details: { exitCode: 3 } };
    const late = { code: "CUTOVER_ORDER_TIMEOUT", message: "late" };
    expect(toWorkOrder(record("FAILED", { error: exit })).error).toBe("Agent exited with code 3");
    expect(toWorkOrder(record("FAILED", { error: late })).error).toBe("Agent timed out after 0.5 s");
  });

  test("an order keeps its id, its first submission and its iterations", () => {
    const { kind, options } = toNewQueue(payload as never, { priority: 5 });
    expect(kind).toBe("coder");
    expect(options).toMatchObject({ id: "a", key: "a", priority: 5, retries: 2, timeout: 500 });
    expect(options.createdAt).toBe(Date.parse(payload.createdAt));
  });
});
