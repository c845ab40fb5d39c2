import { CutoverError, visible } from "../../core/index.ts";
import type { Queue } from "../../queue/index.ts";
import type { OrderRecord, OrderState, Store } from "../../store/index.ts";
import type { CommandContext, OptionSpec } from "../command.ts";
import { span } from "../draw/line.ts";
import { orderStateNames } from "../draw/order-face.ts";
import { noStore, readStore } from "../reach-store.ts";
import { inStore, shellWord } from "../store-place.ts";

/** Options of every command of a queue. */
export const queueOption: Readonly<Record<string, OptionSpec>> = {
  queue: { type: "string", value: "NAME", help: "which queue (default default)" },
};

export const stateOption: Readonly<Record<string, OptionSpec>> = {
  state: { type: "string", value: "STATE,…", help: "states, or open, or all" },
};

/** A name that no queue can have would be paused, listed and looked at without a word. @throws CUTOVER_CLI_USAGE */
export function queueName({ args }: CommandContext): string {
  const name = args.text("queue") ?? "default";
  if (/^[\w.:-]{1,100}$/.test(name)) return name;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected the name of a queue for --queue, found ${JSON.stringify(visible(name.slice(0, 60)))}`,
    remedy: "a name has 1–100 letters, digits and . : _ -; list them: `cutover queue`",
  });
}

/** A command that goes on in the same queue of the same store. */
export function queueCommand(context: CommandContext, words: string): string {
  const queue = context.args.text("queue");
  return `npx ${inStore(`cutover queue ${words}${queue === undefined ? "" : ` --queue ${queue}`}`, context)}`;
}

/**
 * A command about one order, to be copied, that goes on in the same store. An id that begins with a dash comes last: where
 * it stands among options it would be one, and `--all` is an id that somebody may give.
 * @param options what else the command says, each word with a blank before it
 * @param queue the queue it names; by default the one that this command was told
 */
export function orderCommand(
  context: CommandContext,
  verb: string,
  id: string,
  { options = "", queue = queueName(context) }: { readonly options?: string; readonly queue?: string } = {},
): string {
  const [among, last] = id.startsWith("-") ? ["", ` -- ${shellWord(id)}`] : [` ${shellWord(id)}`, ""];
  const flag = queue === "default" ? "" : ` --queue ${queue}`;
  return `npx ${inStore(`cutover queue ${verb}${among}${options}${flag}`, context)}${last}`;
}

/**
 * Opens the store for a command that looks at orders or steers them. Nobody needs to own it for that: orders are written
 * by many processes, each write guarded by what it saw.
 * @throws CUTOVER_STORE_UNAVAILABLE when there is no store: a command of a queue makes none
 */
export async function useOrders<T>(context: CommandContext, use: (store: Store) => Promise<T>): Promise<T> {
  let done: { readonly value: T } | undefined;
  await readStore(context, async (store) => {
    done = { value: await use(store) };
  });
  if (done !== undefined) return done.value;
  throw noStore(context, "a store with queues", "; whoever submits or works makes one");
}

/** The queue's own door, for what changes orders: its rules are written there, once. */
export function useQueue<T>(
  context: CommandContext,
  use: (queue: Queue, store: Store) => Promise<T>,
): Promise<T> {
  return useOrders(context, async (store) => {
    const { openQueue } = await import("../../queue/index.ts");
    await using queue = await openQueue({ store }, { name: queueName(context) });
    return await use(queue, store);
  });
}

/**
 * Says that the queue was never used where others were: a misspelt name would look like a queue that has nothing to do. A
 * warning alone, for one may pause a queue before its first order.
 */
export async function warnUnseen(context: CommandContext, { orders }: Store): Promise<void> {
  const queue = queueName(context);
  const used = await orders.queues();
  if (context.json || used.length === 0 || used.includes(queue)) return;
  if ((await orders.workers(queue)).length > 0) return;
  const names = `${used.slice(0, 5).join(", ")}${used.length > 5 ? ", …" : ""}`;
  context.terminal.aside([
    span("⚠ ", "wait"),
    span(`nothing was ever seen of queue ${queue}; the store has ${names}`),
  ]);
}

/** A whole number of at least one. @throws CUTOVER_CLI_USAGE */
export function numberOf({ args }: CommandContext, option: string, otherwise: number): number {
  const text = args.text(option);
  if (text === undefined) return otherwise;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected a whole number from 1 for --${option}, found ${JSON.stringify(text)}`,
  });
}

const openStates: readonly OrderState[] = ["PENDING", "PREPARING", "RUNNING", "WAITING_RETRY"];

/** States as they are typed: in any case, with a dash or an underscore, `open` and `all` beside them. @throws CUTOVER_CLI_USAGE */
export function statesOf({ args }: CommandContext, otherwise: readonly OrderState[]): readonly OrderState[] {
  const text = args.text("state");
  if (text === undefined) return otherwise;
  const found = text.split(",").flatMap((word): readonly OrderState[] => {
    const name = word.trim().toUpperCase().replaceAll("-", "_");
    if (name === "ALL") return orderStateNames;
    if (name === "OPEN") return openStates;
    const state = orderStateNames.find((each) => each === name);
    if (state !== undefined) return [state];
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: `expected states for --state, found ${JSON.stringify(word.slice(0, 40))}`,
      remedy: `use one or more of: ${orderStateNames.join(", ")}, open, all`,
    });
  });
  return [...new Set(found)];
}

/**
 * An id as it was typed. An empty one, as a variable gives that is not set, would be the beginning of every id.
 * @throws CUTOVER_CLI_USAGE
 */
export function typedId(typed: string): string {
  if (typed.trim() !== "") return typed;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: "expected the id of an order, found an empty one",
    remedy: "give the id or its beginning; `cutover queue ls` lists them",
  });
}

/**
 * The order an id means: a whole one, or its beginning when that is enough.
 * @throws CUTOVER_QUEUE_UNKNOWN_ORDER when there is none, or more than one begins so
 */
export async function orderOf(context: CommandContext, store: Store, typed: string): Promise<OrderRecord> {
  const exact = await store.orders.get(typed);
  if (exact !== undefined) return exact;
  const queue = queueName(context);
  const near = await store.orders.list({ queue, after: typed, limit: 2 });
  const [first, second] = near.filter(({ id }) => id.startsWith(typed));
  if (first !== undefined && second === undefined) return first;
  const shown = visible(typed.slice(0, 60));
  throw new CutoverError("CUTOVER_QUEUE_UNKNOWN_ORDER", {
    message:
      first === undefined
        ? `expected the id of an order, found "${shown}", which queue ${queue} does not have`
        : `expected the id of one order, found "${shown}", with which several begin`,
    details: { id: typed, queue },
    remedy:
      first === undefined
        ? `list them: \`${queueCommand(context, "ls --state all").slice(4)}\``
        : "type more of it",
  });
}

/**
 * The same for a command that changes the order: it is done by the queue that the command names.
 * @param verb with `options` the command to type for an order of another queue
 * @throws CUTOVER_QUEUE_UNKNOWN_ORDER also when the order is another queue's, naming that one
 */
export async function ownOrderOf(
  context: CommandContext,
  store: Store,
  typed: string,
  verb: string,
  options = "",
): Promise<OrderRecord> {
  const found = await orderOf(context, store, typed);
  const queue = queueName(context);
  if (found.queue === queue) return found;
  throw new CutoverError("CUTOVER_QUEUE_UNKNOWN_ORDER", {
    message: `expected an order of queue ${queue}, found ${found.id} in queue ${found.queue}`,
    details: { id: found.id, queue, found: found.queue },
    remedy: `name its queue: \`${orderCommand(context, verb, found.id, { options, queue: found.queue }).slice(4)}\``,
  });
}
