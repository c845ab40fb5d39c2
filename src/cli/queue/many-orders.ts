import { CutoverError, isCutoverError } from "../../core/index.ts";
import { count, plural } from "../../report/index.ts";
import type { OrderRecord, OrderState, Store } from "../../store/index.ts";
import type { CommandContext, OptionSpec } from "../command.ts";
import { ManyProgress } from "./many-progress.ts";
import { numberOf, queueName, typedId, warnUnseen } from "./use-orders.ts";

/** Which of many orders a command means. */
export const manyOptions: Readonly<Record<string, OptionSpec>> = {
  kind: { type: "string", value: "KIND", help: "of many: only this kind" },
  limit: { type: "string", value: "N", help: "of many: at most so many (default all)" },
};

/** Orders changed side by side: what one commit takes at once. */
const pageSize = 200;
const all = 1_000_000_000;

export interface Tally {
  readonly done: number;
  /** Somebody else was quicker, or the order had moved on. */
  readonly moved: number;
  /** A signal came before the last one: those that are left stay as they are. */
  readonly stopped: boolean;
  /** How many of `--limit` are left; undefined without it. */
  readonly left: number | undefined;
}

/**
 * Changes each order of these states that fits, page by page, and tells how far it is. An order that moved on meanwhile is
 * passed over and counted; any other error ends it, and a signal of the process after the page that is under way: what was
 * done before stays.
 * @param doing one word for it, e.g. `cancel`
 */
export async function changeMany(
  context: CommandContext,
  store: Store,
  states: readonly OrderState[],
  doing: string,
  change: (order: OrderRecord) => Promise<unknown>,
): Promise<Tally> {
  const { interrupted } = context;
  const { kind, code } = { kind: context.args.text("kind"), code: context.args.text("code") };
  const chosen = kind !== undefined || code !== undefined;
  const limit = numberOf(context, "limit", all);
  const left = (): number | undefined => (limit === all ? undefined : limit - done);
  const queue = queueName(context);
  const counts = await store.orders.counts(queue);
  const inStates = states.reduce((sum, state) => sum + counts[state], 0);
  using progress = new ManyProgress(context, doing, chosen ? inStates : Math.min(limit, inStates));
  if (inStates === 0) await warnUnseen(context, store);
  let [seen, done, moved] = [0, 0, 0];
  const tell = (): void => progress.set(seen, chosen ? { note: `${count(done)} of them fit` } : {});
  for (let after: string | undefined; done < limit;) {
    if (interrupted.aborted) return { done, moved, stopped: true, left: left() };
    const page = await store.orders.list({
      queue,
      states,
      limit: pageSize,
      ...(after === undefined ? {} : { after }),
    });
    const fitting = page
      .filter((order) => kind === undefined || order.kind === kind)
      .filter((order) => code === undefined || order.error?.code === code)
      .slice(0, limit - done);
    seen += page.length - fitting.length;
    tell();
    const results = await Promise.allSettled(fitting.map((order) => change(order)));
    seen += fitting.length;
    done += results.filter(({ status }) => status === "fulfilled").length;
    const refusals = results.flatMap((result) =>
      result.status === "rejected" ? [result.reason as Error] : [],
    );
    const worst = refusals.find((reason) => !hasMovedOn(reason));
    if (worst !== undefined) {
      if (done > 0) progress.say(`${plural(done, "order")} changed before the error stay so`);
      throw worst;
    }
    moved += refusals.length;
    tell();
    if (page.length < pageSize) break;
    after = page.at(-1)?.id;
  }
  return { done, moved, stopped: false, left: left() };
}

const hasMovedOn = (error: unknown): boolean =>
  isCutoverError(error) &&
  ["CUTOVER_QUEUE_ILLEGAL_TRANSITION", "CUTOVER_LEASE_LOST", "CUTOVER_QUEUE_UNKNOWN_ORDER"].includes(
    error.code,
  );

/**
 * One id, or a word that means many, never both.
 * @param choosing options that choose among many: beside an id they would do nothing
 * @throws CUTOVER_CLI_USAGE
 */
export function oneOrMany(
  context: CommandContext,
  command: string,
  many: string,
  choosing: readonly string[],
): string | undefined {
  const [id] = context.args.positionals;
  const flagged = context.args.flag(many);
  const idle = id === undefined ? undefined : choosing.find((name) => context.args.text(name) !== undefined);
  if (idle !== undefined && !flagged)
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: `expected --${idle} together with --${many}, found it beside the id of one order`,
      remedy: `leave out --${idle}, or the id`,
    });
  if ((id !== undefined) !== flagged) return id === undefined ? id : typedId(id);
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: flagged
      ? `expected the id of an order or --${many}, found both`
      : `expected the id of an order or --${many}, found neither`,
    remedy: `usage: cutover queue ${command} ID --reason "…", or cutover queue ${command} --${many} --reason "…"`,
  });
}

/** Why, with the name of who decided: an order's own events have room for one text. */
export const signed = (reason: string, { by }: CommandContext): string => `${reason} (${by})`;
