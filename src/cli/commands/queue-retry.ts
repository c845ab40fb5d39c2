import { plural } from "../../report/index.ts";
import type { Command } from "../command.ts";
import { reasonOption } from "../decide.ts";
import { span } from "../draw/line.ts";
import { changeMany, manyOptions, oneOrMany, signed } from "../queue/many-orders.ts";
import { stoppedEarly } from "../queue/many-progress.ts";
import { orderCommand, ownOrderOf, queueCommand, queueOption, useQueue } from "../queue/use-orders.ts";

export const command: Command = {
  usage: "queue retry ID | --failed [--kind KIND] [--code CODE]",
  help: [
    "Runs a failed order again from its first attempt, or one that waits for its retry at once. With --failed: all that failed, or those of one kind or with one error code. Ctrl-C stops that cleanly, and the command that goes on is printed.",
    "A running or finished order is refused; submit a completed one again instead.",
  ],
  options: {
    ...queueOption,
    failed: { type: "boolean", help: "all failed orders" },
    ...manyOptions,
    code: { type: "string", value: "CODE", help: "of many: only with this error code" },
    ...reasonOption,
  },
  words: 1,
  async run(context) {
    const id = oneOrMany(context, "retry", "failed", ["kind", "limit", "code"]);
    const reason = signed(context.args.text("reason") ?? "retried by hand", context);
    const { terminal } = context;
    if (id !== undefined) {
      const order = await useQueue(context, async (queue, store) =>
        queue.retry((await ownOrderOf(context, store, id, "retry")).id, reason),
      );
      if (context.json) terminal.json(order);
      else {
        terminal.line([
          span("✔ ", "good"),
          span(order.id, "bold"),
          span(` waits for a worker again · ${reason}`),
        ]);
        terminal.line([span("  next: ", "dim"), span(orderCommand(context, "show", order.id), "bold")]);
      }
      return 0;
    }
    const tally = await useQueue(context, (queue, store) =>
      changeMany(context, store, ["FAILED"], "retry", (order) => queue.retry(order.id, reason)),
    );
    const counts = { retried: tally.done, movedOn: tally.moved };
    const moved = tally.moved === 0 ? "" : ` · ${tally.moved} had moved on`;
    const said = `${plural(tally.done, "order")} ${tally.done === 1 ? "waits" : "wait"} for a worker again${moved}`;
    if (tally.stopped) throw stoppedEarly(context, "retry --failed", said, counts, tally.left);
    if (context.json) terminal.json(counts);
    else {
      terminal.line([span("✔ ", "good"), span(said)]);
      terminal.line([span("  next: ", "dim"), span(queueCommand(context, "stats --watch"), "bold")]);
    }
    return 0;
  },
};
