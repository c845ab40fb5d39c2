import { isFinished } from "../../src/queue/states.ts";
import { type OrderEvent, orderTransitions } from "../../src/queue/index.ts";
import {
  type OrderRecord,
  type OrdersTold,
  ordersTold,
  type OrderState,
  type OrdersTransition,
  type Store,
  type SubmittedOrder,
} from "../../src/store/index.ts";

interface Lived {
  readonly after: readonly string[];
  state: OrderState;
  fence: number;
  completed: number;
}

const page = 500;

/** Follows the log alone, from order to order, and holds it against the table and against the rows. */
export async function historyWrong(
  store: Store,
  queue: string,
  rows: ReadonlyMap<string, OrderRecord>,
): Promise<readonly string[]> {
  const lives = new Map<string, Lived>();
  const wrong: string[] = [];
  const stream = `queue:${queue}`;
  for (let after = 0; ;) {
    const events = await store.events.read({ stream, after, limit: page });
    for (const { type, data } of events) {
      if (type === "orders.submitted") {
        for (const { id, after: of } of ordersTold(data as unknown as OrdersTold<SubmittedOrder>)) {
          if (lives.has(id)) wrong.push(`${id} was submitted twice`);
          lives.set(id, { after: of, state: "PENDING", fence: 0, completed: 0 });
        }
      } else if (type === "orders.transition")
        wrong.push(...follow(lives, data as unknown as OrdersTransition));
    }
    after = events.at(-1)?.seq ?? after;
    if (events.length < page) break;
  }
  for (const [id, row] of rows) {
    const lived = lives.get(id);
    if (lived === undefined) wrong.push(`${id} is stored, but the log knows nothing of it`);
    else if (lived.state !== row.state || lived.fence !== row.fence) {
      const told = `${lived.state} with fence ${lived.fence}`;
      wrong.push(`${id}: the log leads to ${told}, the row is ${row.state} with fence ${row.fence}`);
    } else if (lived.completed !== (row.state === "COMPLETED" ? 1 : 0)) {
      wrong.push(`${id}: completed ${lived.completed} times`);
    }
  }
  return wrong;
}

function follow(lives: Map<string, Lived>, transition: OrdersTransition): string[] {
  const { event } = transition;
  const wrong: string[] = [];
  for (const { id, from, to, fence } of ordersTold(transition)) {
    const lived = lives.get(id);
    if (lived === undefined) {
      wrong.push(`${id}: ${event} before it was submitted`);
      continue;
    }
    if (lived.state !== from || orderTransitions[from][event as OrderEvent] !== to) {
      wrong.push(`${id}: ${event} led from ${from} (was ${lived.state}) to ${to}`);
    }
    if (fence !== lived.fence + (event === "claimed" ? 1 : 0)) {
      wrong.push(`${id}: ${event} with fence ${fence} after fence ${lived.fence}`);
    }
    const early =
      event === "claimed" ? lived.after.filter((of) => !isFinished(lives.get(of)?.state ?? "PENDING")) : [];
    if (early.length > 0) wrong.push(`${id}: claimed before ${early.join(" and ")} had ended`);
    lived.state = to;
    lived.fence = fence;
    if (event === "completed") lived.completed++;
  }
  return wrong;
}
