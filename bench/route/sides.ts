/** What is routed: a small work order in, a small receipt out, nothing but a promise in between. */
export interface Order {
  readonly id: string;
  readonly kind: string;
  readonly size: number;
  readonly tags: readonly string[];
}

export interface Receipt {
  readonly id: string;
  readonly state: string;
  readonly size: number;
}

export type Call = (order: Order) => Promise<Receipt>;

export const answerOld: Call = async (order) => ({ id: order.id, state: "queued", size: order.size });
export const answerNew: Call = async (order) => ({ id: order.id, state: "queued", size: order.size });

/** UUIDs, as many systems use them. */
export const orders: readonly Order[] = Array.from({ length: 4_096 }, (_, i) => ({
  id: crypto.randomUUID(),
  kind: "thumbnail",
  size: i,
  tags: ["a", "b"],
}));
