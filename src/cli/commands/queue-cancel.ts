import { CutoverError } from "../../core/index.ts";
import { legalEvents, orderStates } from "../../queue/index.ts";
import { plural } from "../../report/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import type { Command } from "../command.ts";
import { reasonOf, reasonOption } from "../decide.ts";
import { span } from "../draw/line.ts";
import { changeMany, manyOptions, oneOrMany, signed } from "../queue/many-orders.ts";
import { stoppedEarly } from "../queue/many-progress.ts";
import {
  orderCommand,
  ownOrderOf,
  queueCommand,
  queueOption,
  stateOption,
  statesOf,
  useQueue,
} from "../queue/use-orders.ts";

const unfinished = orderStates.filter((state) => legalEvents(state).includes("cancelled"));

export const command: Command = {
  usage: "queue cancel ID | --all [--kind KIND] [--state STATE,…] --reason TEXT",
  help: [
    "An order that waits is cancelled at once. A running one is marked: its worker, wherever it is, asks the work to end, and forces it after the grace time. What the work still returns does not complete the order.",
    "With --all: every unfinished order, or those of one kind or state. A finished order is refused. Ctrl-C stops it cleanly: what was cancelled stays so, and the command that goes on is printed.",
  ],
  options: {
    ...queueOption,
    all: { type: "boolean", help: "every unfinished order that fits" },
    ...stateOption,
    ...manyOptions,
    ...reasonOption,
  },
  words: 1,
  async run(context) {
    const id = oneOrMany(context, "cancel", "all", ["kind", "limit", "state"]);
    const reason = signed(reasonOf(context, "queue cancel"), context);
    const { terminal } = context;
    if (id !== undefined) {
      const { order, already } = await useQueue(context, async (queue, store) => {
        const found = await ownOrderOf(context, store, id, "cancel", ' --reason "…"');
        return { order: await queue.cancel(found.id, reason), already: found.state === "CANCELLED" };
      });
      if (context.json) terminal.json(order);
      else {
        terminal.line([
          span("✔ ", "good"),
          span(order.id, "bold"),
          span(
            already ? " was cancelled already; nothing was recorded" : ` ${cancelText(order)} · ${reason}`,
          ),
        ]);
        terminal.line([span("  next: ", "dim"), span(orderCommand(context, "show", order.id), "bold")]);
      }
      return 0;
    }
    const states = statesOf(context, unfinished);
    const finished = states.find((state) => !unfinished.includes(state));
    if (finished !== undefined)
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: `expected states of unfinished orders for --state, found ${finished}: what is finished cannot be cancelled`,
        remedy: `use one or more of: ${unfinished.join(", ")}`,
      });
    // Where only those are meant that no worker has, one that was claimed meanwhile goes on.
    const waiting = !states.some((state) => state === "PREPARING" || state === "RUNNING");
    let asked = 0;
    const tally = await useQueue(context, (queue, store) =>
      changeMany(context, store, states, "cancel", async (order) => {
        const { state } = await queue.cancel(order.id, reason, { onlyWaiting: waiting });
        if (state !== "CANCELLED") asked++;
      }),
    );
    const counts = { cancelled: tally.done - asked, asked, movedOn: tally.moved };
    const running = asked === 0 ? "" : ` · ${plural(asked, "running one")} asked to end`;
    const moved = tally.moved === 0 ? "" : ` · ${tally.moved} had moved on`;
    const said = `${plural(counts.cancelled, "order")} cancelled${running}${moved}`;
    if (tally.stopped) throw stoppedEarly(context, "cancel --all", said, counts, tally.left);
    if (context.json) terminal.json(counts);
    else {
      terminal.line([span("✔ ", "good"), span(said)]);
      terminal.line([span("  next: ", "dim"), span(queueCommand(context, "stats"), "bold")]);
    }
    return 0;
  },
};

const cancelText = ({ state, worker }: OrderRecord): string =>
  state === "CANCELLED" ? "is cancelled" : `is asked to end${worker === null ? "" : ` at ${worker}`}`;
