import type { OrderStore } from "../order-records.ts";
import type { OrderJob } from "./order-io.ts";

/** The calls that the rules decide: each is one job of a batch, whatever the database. */
export function orderCalls(
  writer: { order<T>(job: OrderJob): Promise<T> },
  bell: { claimed(queue: string): void; readonly listen: OrderStore["onWork"] },
): Pick<
  OrderStore,
  "submit" | "claim" | "change" | "requestCancel" | "setPriority" | "configure" | "onWork"
> {
  return {
    submit: (orders, { depthLimit } = {}) =>
      writer.order({ do: "submit", orders, ...(depthLimit === undefined ? {} : { depthLimit }) }),
    claim(queue, worker, capacity, leaseMs) {
      bell.claimed(queue);
      return writer.order({ do: "claim", queue, worker, capacity, leaseMs });
    },
    change: (changes) => writer.order({ do: "change", changes }),
    requestCancel: (id, reason) => writer.order({ do: "cancel", id, reason }),
    setPriority: (id, priority) => writer.order({ do: "prioritise", id, priority }),
    configure: (queue, change, by, reason) => writer.order({ do: "configure", queue, change, by, reason }),
    onWork: (listener) => bell.listen(listener),
  };
}
