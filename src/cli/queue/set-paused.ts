import { count } from "../../report/index.ts";
import type { CommandContext } from "../command.ts";
import { reasonOf } from "../decide.ts";
import { span } from "../draw/line.ts";
import { queueCommand, queueName, useOrders } from "./use-orders.ts";

/** Pauses a queue or lets it go on; both stand in the record with who and why. Resolves with the exit code. */
export async function setPaused(context: CommandContext, paused: boolean): Promise<number> {
  const reason = paused
    ? reasonOf(context, "queue pause")
    : (context.args.text("reason") ?? "resumed by hand");
  const queue = queueName(context);
  const { used, workers, before, config, counts } = await useOrders(context, async ({ orders }) => ({
    used: await orders.queues(),
    workers: await orders.workers(queue),
    before: await orders.config(queue),
    config: await orders.configure(queue, { paused }, context.by, reason),
    counts: await orders.counts(queue),
  }));
  const { terminal } = context;
  if (context.json) {
    terminal.json({ queue, config, counts });
    return 0;
  }
  // Pausing a queue before its first order is a wish one may have; a misspelt name leaves the one that was meant as it is.
  if (workers.length === 0 && used.length > 0 && !used.includes(queue))
    terminal.aside([
      span("⚠ ", "wait"),
      span(
        `nothing was ever seen of queue ${queue}; the store has ${used.slice(0, 5).join(", ")}${used.length > 5 ? ", …" : ""}`,
      ),
    ]);
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
