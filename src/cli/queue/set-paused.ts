import { count } from "../../report/index.ts";
import type { CommandContext } from "../command.ts";
import { reasonOf } from "../decide.ts";
import { span } from "../draw/line.ts";
import { queueCommand, queueName, useOrders, warnUnseen } from "./use-orders.ts";

/** Pauses a queue or lets it go on; both stand in the record with who and why. Resolves with the exit code. */
export async function setPaused(context: CommandContext, paused: boolean): Promise<number> {
  const reason = paused
    ? reasonOf(context, "queue pause")
    : (context.args.text("reason") ?? "resumed by hand");
  const queue = queueName(context);
  const { before, config, counts } = await useOrders(context, async (store) => {
    await warnUnseen(context, store);
    return {
      before: await store.orders.config(queue),
      config: await store.orders.configure(queue, { paused }, context.by, reason),
      counts: await store.orders.counts(queue),
    };
  });
  const { terminal } = context;
  if (context.json) {
    terminal.json({ queue, config, counts });
    return 0;
  }
  const word = paused ? "paused" : "goes on";
  const same = before.paused === paused ? " (it was already)" : "";
  terminal.line([
    span("✔ ", "good"),
    span(`queue ${queue} ${word}${same}`, "bold"),
    span(` · ${context.by}: ${reason}`),
  ]);
  const running = counts.RUNNING + counts.PREPARING;
  if (paused) {
    terminal.line(`  ${count(running)} still run, ${count(counts.PENDING)} wait`);
    terminal.line([span("  next: ", "dim"), span(queueCommand(context, "resume"), "bold")]);
  } else terminal.line([span("  next: ", "dim"), span(queueCommand(context, "stats --watch"), "bold")]);
  return 0;
}
