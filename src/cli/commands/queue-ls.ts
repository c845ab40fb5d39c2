import { count } from "../../report/index.ts";
import type { OrderRecord, OrderState, Store } from "../../store/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import { orderTable } from "../draw/order-lines.ts";
import { shellWord } from "../store-place.ts";
import { lineWidthOf } from "../terminal.ts";
import {
  numberOf,
  orderCommand,
  queueCommand,
  queueName,
  queueOption,
  stateOption,
  statesOf,
  useOrders,
  warnUnseen,
} from "../queue/use-orders.ts";

/** Orders read at a time when only some of a page are wanted. */
const pageSize = 500;
const usual: readonly OrderState[] = ["PENDING", "PREPARING", "RUNNING", "WAITING_RETRY", "FAILED"];

export const command: Command = {
  usage: "queue ls [--state STATE,…] [--kind KIND] [--limit N] [--after ID]",
  help: [
    "Lists orders by id (those that nobody chose are in the order of submission): those not finished and those that failed, unless --state says otherwise. --after goes on where the page before ended.",
    "States: PENDING, PREPARING, RUNNING, WAITING_RETRY, COMPLETED, FAILED, CANCELLED; open for the unfinished ones, all for all.",
  ],
  options: {
    ...queueOption,
    ...stateOption,
    kind: { type: "string", value: "KIND", help: "only orders of this kind" },
    limit: { type: "string", value: "N", help: "at most so many (default 50)" },
    after: { type: "string", value: "ID", help: "only ids after this one" },
  },
  words: 0,
  async run(context) {
    const states = statesOf(context, usual);
    const limit = numberOf(context, "limit", 50);
    const { found, more, at, total } = await useOrders(context, async (store) => {
      const page = await read(context, store, states, limit + 1);
      const counts = await store.orders.counts(queueName(context));
      if (page.length === 0) await warnUnseen(context, store);
      return {
        found: page.slice(0, limit),
        more: page.length > limit,
        at: store.clock.now(),
        // Orders are counted by state, not by kind.
        total:
          context.args.text("kind") === undefined
            ? states.reduce((sum, state) => sum + counts[state], 0)
            : undefined,
      };
    });
    if (context.json) {
      context.terminal.json({ orders: found, next: more ? (found.at(-1)?.id ?? null) : null });
      return 0;
    }
    show(context, found, { more, at, total });
    return 0;
  },
};

async function read(
  context: CommandContext,
  store: Store,
  states: readonly OrderState[],
  limit: number,
): Promise<readonly OrderRecord[]> {
  const queue = queueName(context);
  const kind = context.args.text("kind");
  const found: OrderRecord[] = [];
  for (let after = context.args.text("after"); ;) {
    const size = kind === undefined ? limit : pageSize;
    const page = await store.orders.list({
      queue,
      states,
      limit: size,
      ...(after === undefined ? {} : { after }),
    });
    found.push(...page.filter((order) => kind === undefined || order.kind === kind));
    after = page.at(-1)?.id;
    if (found.length >= limit || page.length < size) return found.slice(0, limit);
  }
}

function show(
  context: CommandContext,
  found: readonly OrderRecord[],
  { more, at, total }: { readonly more: boolean; readonly at: number; readonly total: number | undefined },
): void {
  const { terminal, args } = context;
  for (const line of orderTable(found, at, lineWidthOf(terminal))) terminal.line(line);
  const [first] = found;
  if (first === undefined) {
    terminal.line(`no such orders in queue ${queueName(context)}`);
    terminal.line([span("  next: ", "dim"), span(queueCommand(context, "ls --state all"), "bold")]);
    return;
  }
  const last = found.at(-1)?.id ?? "";
  const filter = ["state", "kind", "limit"]
    .flatMap((name) =>
      args.text(name) === undefined ? [] : [` --${name} ${shellWord(args.text(name) ?? "")}`],
    )
    .join("");
  // With a sign of equality an id that begins with a dash is a value, too.
  const next = more
    ? queueCommand(context, `ls${filter} --after=${shellWord(last)}`)
    : orderCommand(context, "show", first.id);
  const shown = total === undefined ? "shown, more follow" : `of ${count(total)}`;
  terminal.line([
    span(more ? `  ${count(found.length)} ${shown} · next: ` : "  next: ", "dim"),
    span(next, "bold"),
  ]);
}
