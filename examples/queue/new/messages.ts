import type { QueueEntry, Submission, WorkOrder } from "../old/work-order.ts";

/** What the server asks of the process that holds the new queue, and what it answers. */
export interface NewQueueCalls {
  submit: { in: Submission; out: WorkOrder };
  /** What `submit` would answer; stores and runs nothing. */
  intend: { in: Submission; out: WorkOrder };
  /** Is the order stored here? If not, it never will be: a submit still under way is refused. */
  settle: { in: { id: string }; out: WorkOrder | null };
  get: { in: { id: string }; out: WorkOrder | null };
  list: { in: null; out: WorkOrder[] };
  /** Null when the order is unknown or has ended. */
  cancel: { in: { id: string }; out: WorkOrder | null };
  counts: { in: null; out: { waiting: number; running: number; unfinished: number } };
  /** Begins the integration of a parent whose children have all ended. Once per parent, however often it is called. */
  integrate: { in: { id: string }; out: null };
  /** Takes over an order that waited in the old queue. Once per id, however often it is called. */
  adopt: { in: { order: WorkOrder; entry: QueueEntry }; out: null };
  /** Gives an adopted order back when it has not started: true when it is certain that it never will here. */
  giveBack: { in: { id: string }; out: boolean };
  /** Keeps the old queue's orders for reading. */
  importHistory: { in: { orders: readonly WorkOrder[] }; out: { stored: number } };
  stop: { in: null; out: null };
}

export type CallName = keyof NewQueueCalls;

export interface CallMessage {
  readonly call: CallName;
  readonly number: number;
  readonly input: unknown;
}

export type ReplyMessage =
  | { readonly number: number; readonly ok: true; readonly value: unknown }
  | { readonly number: number; readonly ok: false; readonly full: boolean; readonly message: string }
  | { readonly ready: true }
  /** An order's own work has ended (for a parent: its children may not have). */
  | { readonly ended: WorkOrder };
