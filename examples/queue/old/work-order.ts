/** A work order as the old server writes it to disk and answers it over HTTP: the contract nothing may change. */
export interface WorkOrder {
  readonly id: string;
  readonly taskPrompt: string;
  readonly workspaceSource: { readonly type: string; readonly [key: string]: unknown };
  readonly agentType: string;
  readonly maxIterations: number;
  readonly maxWallClockSeconds: number;
  readonly gatePlanSource: string;
  readonly policies: {
    readonly networkAllowed: boolean;
    readonly allowedPaths: readonly string[];
    readonly forbiddenPatterns: readonly string[];
  };
  readonly createdAt: string;
  readonly status: WorkOrderStatus;
  readonly depth: number;
  readonly childIds: readonly string[];
  readonly runId?: string;
  readonly completedAt?: string;
  readonly error?: string;
  readonly waitForCI?: boolean;
  readonly parentId?: string;
  readonly rootId?: string;
  readonly siblingIndex?: number;
  readonly integrationStatus?: "in_progress" | "done";
  readonly integrationWorkOrderId?: string;
}

export type WorkOrderStatus = (typeof statuses)[number];

export const statuses = [
  "queued",
  "running",
  "waiting_for_children",
  "integrating",
  "succeeded",
  "failed",
  "canceled",
] as const;

const ended: readonly string[] = ["succeeded", "failed", "canceled"];

/** True for a status that never changes again. */
export const isEnded = (status: string): boolean => ended.includes(status);

/** What stands in the queue state file about an order that waits. */
export interface QueueEntry {
  readonly workOrderId: string;
  /** Higher goes first. */
  readonly priority: number;
  readonly enqueuedAt: string;
  readonly maxWaitMs: number | null;
}

/** A new order as read from a request: everything but what the queue itself decides. */
export interface Submission {
  readonly order: Omit<WorkOrder, "status" | "createdAt">;
  readonly priority: number;
  readonly maxWaitMs: number | null;
}
