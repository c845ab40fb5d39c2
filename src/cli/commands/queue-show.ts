import { CutoverError } from "../../core/index.ts";
import { orderFindings } from "../../queue/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import { orderPage } from "../draw/order-lines.ts";
import { orderCommand, orderOf, queueOption, typedId, useOrders } from "../queue/use-orders.ts";
import { lineWidthOf } from "../terminal.ts";

export const command: Command = {
  usage: "queue show ID",
  help: [
    "Shows what is stored of an order and everything that happened to it, from the audit trail: each claim, start, failure and decision with its time, worker, fence and reason. The beginning of an id is enough when no other begins so.",
  ],
  options: queueOption,
  words: 1,
  async run(context) {
    const [typed] = context.args.positionals;
    if (typed === undefined) {
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: "expected the id of an order, found none",
        remedy: "usage: cutover queue show ID; `cutover queue ls` lists them",
      });
    }
    const id = typedId(typed);
    const { order, history, findings, at } = await useOrders(context, async (store) => {
      const found = await orderOf(context, store, id);
      const [entries, hindrances] = await Promise.all([
        store.orders.history(found.id),
        orderFindings(store, found),
      ]);
      return { order: found, history: entries, findings: hindrances, at: store.clock.now() };
    });
    const { terminal } = context;
    if (context.json) terminal.json({ order, history, findings });
    else {
      for (const line of orderPage({ order, history, findings }, at, lineWidthOf(terminal)))
        terminal.line(line);
      const next = nextFor(context, order);
      if (next !== "") terminal.line([span("  next: ", "dim"), span(next, "bold")]);
    }
    return 0;
  },
};

/** What a person may want to do with it now. */
function nextFor(context: CommandContext, { id, state, queue, error }: OrderRecord): string {
  const withAnother = state === "CANCELLED" && error?.details?.["after"] !== undefined;
  if (state === "COMPLETED" || (state === "CANCELLED" && !withAnother)) return "";
  return orderCommand(context, state === "FAILED" || withAnother ? "retry" : "cancel", id, {
    options: ' --reason "…"',
    queue,
  });
}
