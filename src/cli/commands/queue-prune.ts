import { CutoverError, parseDuration } from "../../core/index.ts";
import { plural } from "../../report/index.ts";
import type { Command } from "../command.ts";
import { span } from "../draw/line.ts";
import { ManyProgress, stoppedEarly } from "../queue/many-progress.ts";
import { queueCommand, queueName, queueOption, useOrders, warnUnseen } from "../queue/use-orders.ts";

/** Orders removed in one commit: few enough that workers do not wait for it. */
const batch = 500;

export const command: Command = {
  usage: "queue prune --older-than DURATION",
  help: [
    "Removes finished orders that ended longer ago: completed, failed and cancelled ones. Everything that happened to them stays in the audit trail. Workers go on meanwhile. Ctrl-C stops it cleanly; the same command goes on.",
  ],
  options: {
    ...queueOption,
    "older-than": { type: "string", value: "DURATION", help: "how long ago they must have ended, e.g. 7d" },
  },
  words: 0,
  async run(context) {
    const text = context.args.text("older-than");
    if (text === undefined) {
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: "expected --older-than, found nothing: what is to be removed has to be said",
        remedy: "for example: cutover queue prune --older-than 7d",
      });
    }
    const age = Math.ceil(parseDuration(text));
    const queue = queueName(context);
    const { removed, stopped } = await useOrders(context, async (store) => {
      const { orders } = store;
      const before = store.clock.now() - age;
      const total = await orders.prunable(queue, before);
      using progress = new ManyProgress(context, "prune", total);
      for (let sum = 0; ;) {
        if (context.interrupted.aborted) return { removed: sum, stopped: true };
        const n = await orders.prune(queue, before, batch);
        sum += n;
        progress.set(sum);
        if (sum === 0) await warnUnseen(context, store);
        if (n < batch) return { removed: sum, stopped: false };
      }
    });
    const said = `${plural(removed, "finished order")} of queue ${queue} removed`;
    if (stopped) throw stoppedEarly(context, "prune", said, { removed });
    if (context.json) context.terminal.json({ queue, removed });
    else {
      context.terminal.line([span("✔ ", "good"), span(`${said} · their events stay`)]);
      context.terminal.line([span("  next: ", "dim"), span(queueCommand(context, "stats"), "bold")]);
    }
    return 0;
  },
};
