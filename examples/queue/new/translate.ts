import {
  isEnded,
  type QueueEntry,
  type Submission,
  type WorkOrder,
  type WorkOrderStatus,
} from "../old/work-order.ts";
import type { OrderRecord, OrderState } from "cutover/store";
import type { SubmitOptions } from "cutover/queue";

/** A state of the new queue in the old server's words. `WAITING_RETRY` is between two iterations of a running order. */
const words: Readonly<Record<OrderState, WorkOrderStatus>> = {
  PENDING: "queued",
  PREPARING: "running",
  RUNNING: "running",
  WAITING_RETRY: "running",
  COMPLETED: "succeeded",
  FAILED: "failed",
  CANCELLED: "canceled",
};

/** What the new queue keeps of an order: the old one's own form, as it was submitted. */
export type Payload = Omit<WorkOrder, "status">;

/** An order as the new queue takes it. The id is the key: submitting it again changes nothing. */
export function toNewQueue(
  payload: Payload,
  { priority }: Pick<QueueEntry, "priority">,
): { readonly kind: string; readonly options: SubmitOptions } {
  const { id, agentType, maxIterations, maxWallClockSeconds, createdAt } = payload;
  return {
    kind: agentType,
    options: {
      id,
      key: id,
      priority,
      retries: Math.floor(maxIterations) - 1,
      timeout: maxWallClockSeconds * 1_000,
      needs: { memory: "64 MB" },
      createdAt: Date.parse(createdAt),
    },
  };
}

export const toPayload = ({ order }: Submission, now: number): Payload => ({
  ...order,
  createdAt: new Date(now).toISOString(),
});

/** The order as the API shows it. `integration` is the record of a parent's last part of work, if there is one. */
export function toWorkOrder(record: OrderRecord, integration?: OrderRecord): WorkOrder {
  const payload = record.payload as unknown as Payload;
  const last = integration ?? record;
  const status = statusOf(record, payload, integration);
  const { endedAt, error } = last;
  return {
    ...payload,
    status,
    ...(record.startedAt === null ? {} : { runId: `${record.id}.${record.fence}` }),
    ...(isEnded(status) && endedAt !== null ? { completedAt: new Date(endedAt).toISOString() } : {}),
    ...(status === "failed" && error !== null ? { error: errorText(last, payload) } : {}),
    ...(integration === undefined ? {} : integrationFields(integration)),
  };
}

/** A parent that did its own work waits for its children, then integrates; the old queue's words for it. */
function statusOf(
  record: OrderRecord,
  payload: Payload,
  integration: OrderRecord | undefined,
): WorkOrderStatus {
  const own = words[record.state];
  if (payload.childIds.length === 0 || own !== "succeeded") return own;
  if (integration === undefined) return "waiting_for_children";
  const word = words[integration.state];
  return isEnded(word) ? word : "integrating";
}

const integrationFields = ({ id, state }: OrderRecord): Partial<WorkOrder> => ({
  integrationStatus: isEnded(words[state]) ? "done" : "in_progress",
  integrationWorkOrderId: id,
});

function errorText({ error }: OrderRecord, { maxWallClockSeconds }: Payload): string {
  if (error?.code === "CUTOVER_ORDER_TIMEOUT") return `Agent timed out after ${maxWallClockSeconds} s`;
  const exitCode = error?.details?.["exitCode"];
  return typeof exitCode === "number"
    ? `Agent exited with code ${exitCode}`
    : (error?.message ?? "unknown error");
}
