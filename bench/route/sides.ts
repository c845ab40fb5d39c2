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

/** UUIDs, as many systems use them, each a string that was joined from its parts and lies in memory as such. */
export const madeHere: readonly Order[] = Array.from({ length: 4_096 }, (_, i) => ({
  id: crypto.randomUUID(),
  kind: "thumbnail",
  size: i,
  tags: ["a", "b"],
}));

/**
 * The same as they are read from a request or a row, where an id is one piece. Reading a joined string letter by letter takes half as
 * long again, and whether it is joined still is for the garbage collector to decide: measured with those, a share's cost
 * depended on when it had run last.
 */
export const orders: readonly Order[] = JSON.parse(JSON.stringify(madeHere)) as Order[];
