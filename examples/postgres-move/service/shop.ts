import type { Client } from "./pool.ts";

/** Words of the shop's API. They are those of the new schema; the old one has words of its own. */
export const statuses = [
  "placed",
  "paid",
  "packing",
  "shipped",
  "delivered",
  "returned",
  "cancelled",
] as const;
export type Status = (typeof statuses)[number];

export interface Line {
  readonly sku: string;
  readonly quantity: number;
  /** As a decimal text: money is never a float. */
  readonly price: string;
}

export interface NewOrder {
  /** The client's own number: asking twice is one order. */
  readonly request: string;
  readonly customer: string;
  readonly note: string | null;
  readonly total: string;
  readonly lines: readonly Line[];
}

export interface Order {
  readonly id: string;
  readonly request: string;
  readonly customer: string;
  readonly status: Status;
  readonly total: string;
}

export interface Task {
  readonly id: string;
  readonly orderId: string;
}

/** What the service does, in the words of one schema. Each call is part of a transaction that its caller ends. */
export interface Shop {
  /** Gives the order that is there when the request was placed before. */
  place(client: Client, order: NewOrder): Promise<Order>;
  find(client: Client, request: string): Promise<Order | undefined>;
  /** A payment with its receipt, and a task to pack what was bought. Nothing when it is paid already. */
  pay(client: Client, order: Order, receipt: Uint8Array): Promise<void>;
  /** Takes a task that waits: from then on it is running. */
  takeTask(client: Client): Promise<Task | undefined>;
  /** Tasks that run, as somebody who died left them. */
  runningTasks(client: Client): Promise<readonly Task[]>;
  /** The work is done: an event with its document, the order on its way, the task ended. False when it had ended before. */
  endTask(client: Client, task: Task, document: Uint8Array | "failed"): Promise<boolean>;
}
