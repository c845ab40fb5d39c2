import { mkdirSync } from "node:fs";
import {
  type Clock,
  CutoverError,
  type Duration,
  hasCode,
  type Log,
  parseDuration,
  sleep,
  visible,
} from "../../core/index.ts";
import { createEngine } from "../../engine/index.ts";
import { defaultGrace, openQueue, type Queue } from "../../queue/index.ts";
import { livingDeclarations, type Store } from "../../store/index.ts";
import { plural } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { type Line, span } from "../draw/line.ts";
import { QueueViewer } from "../queue/queue-view.ts";
import { watchQueue } from "../queue/queue-watch.ts";
import { numberOf } from "../queue/use-orders.ts";
import { carriedBy, carrierOf, openBeside, shownStore } from "../reach-store.ts";
import { hearEveryMs } from "../session.ts";
import { endAtOnce } from "../end-at-once.ts";
import { leaveBehind, leftBehind } from "../worker/leave-behind.ts";
import { loadWork, type Work } from "../worker/load-work.ts";
import { OrderLog } from "../worker/order-log.ts";
import { RunKeeper } from "../worker/run-keeper.ts";

const manyFiles = 100;
/** So long after all work has to be over it is still waited for: ending takes its time, and so may the store. */
const storeMs = 5_000;
/** How often the file of an embedded store is looked after. */
const goneMs = 1_000;

export const command: Command = {
  usage: "worker FILE… [--slots N] [--tags TAG,…] [--drain DURATION]",
  help: [
    "Takes work orders and does them, in the way each file says with defineWorker({ queue, kinds }). Any number of workers on any number of machines share one queue. A file may export a migration as well: of its unfinished runs, those that nobody carries any more are carried on here (needs a shared store).",
    "The first SIGTERM or Ctrl-C drains: nothing new is claimed, what runs may end by itself for --drain, the rest is asked to end and goes back to the queue without costing an attempt; runs stop at their checkpoint. The second ends at once, as a crash would: others take over when the lease is over.",
    "On a terminal a live picture of the queue; elsewhere a line for each order, or counts when they are many; with --json NDJSON. With --until-empty a paused queue counts as empty: what waits in it is told of. When the store is away in the end, what cannot be recorded is left as after a crash. Exit codes: 0 drained or empty, 2 wrong use, 6 store trouble, 130 ended at once.",
  ],
  options: {
    slots: { type: "string", value: "N", help: "orders at the same time, instead of what the file says" },
    tags: { type: "string", value: "TAG,…", help: "what this machine offers, beside what the file says" },
    drain: {
      type: "string",
      value: "DURATION",
      help: "time that running work gets at the end (default 30s)",
    },
    "until-empty": {
      type: "boolean",
      help: "end when no order is unfinished, or the queue paused, and no run carried",
    },
  },
  words: manyFiles,
  async run(context) {
    // What was left behind in a thread must not hold up the end.
    if ((await work(context)) === "left-behind") endAtOnce(0);
    return 0;
  },
};

async function work(context: CommandContext): Promise<"ended" | "left-behind"> {
  const drainMs = parseDuration(context.args.text("drain") ?? "30s");
  const asked = askedFor(context);
  const loaded = await loadWork(context.args.positionals, context.cwd);
  if (context.shared === undefined) {
    if (loaded.migrations.length > 0) throw needsShared(loaded);
    mkdirSync(context.store, { recursive: true });
  }
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openBeside(context, logOf(context)));
  const queues = await openQueues(context, store, loaded, asked, opened);
  const keeper = opened.use(keepRuns(context, store, loaded));
  const names = new Set(queues.map((queue) => queue.workerId));
  greet(context, loaded, queues);
  const log = watchWork(context, store, loaded, names);
  keeper.start();
  const done = ["drained: nothing of this worker runs any more"];
  try {
    await untilOver(context, store, queues, keeper);
    await log.hush();
    done.push(...(await leftWaiting(context, store, loaded)));
    await drain(context, queues, keeper, {
      drainMs,
      graceMs: longestGrace(loaded),
      leave: () =>
        void leaveBehind(context, store, [...new Set(loaded.workers.map(({ queue }) => queue))], names),
    });
  } finally {
    await log.stop();
  }
  say(context, "drained", [span("✔ ", "good"), span(done.join(" · "))]);
  return (await leftBehind(queues)) ? "left-behind" : "ended";
}

/** What the command says of this machine, over what its files say. */
interface Asked {
  readonly slots: number | undefined;
  readonly tags: readonly string[];
}

/** @throws CUTOVER_CLI_USAGE */
function askedFor(context: CommandContext): Asked {
  const slots = context.args.text("slots") === undefined ? undefined : numberOf(context, "slots", 1);
  const text = context.args.text("tags");
  const tags = (text?.split(",") ?? []).map((tag) => tag.trim());
  const wrong = tags.find((tag) => !/^[\w.:/=-]{1,100}$/.test(tag));
  if (wrong === undefined) return { slots, tags };
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected tags for --tags with commas between, found ${wrong === "" ? "an empty one" : JSON.stringify(wrong.slice(0, 60))}`,
    remedy: "a tag has 1–100 letters, digits and . : / = _ -, as in --tags gpu,eu",
  });
}

async function openQueues(
  context: CommandContext,
  store: Store,
  { workers }: Work,
  { slots, tags }: Asked,
  opened: AsyncDisposableStack,
): Promise<readonly Queue[]> {
  const queues: Queue[] = [];
  for (const { queue: name, kinds, options } of workers) {
    const queue = opened.use(
      await openQueue(
        { store },
        {
          ...options,
          ...(slots === undefined ? {} : { slots }),
          tags: [...new Set([...(options.tags ?? []), ...tags])],
          name,
          log: logOf(context),
        },
      ),
    );
    for (const [kind, how] of Object.entries(kinds)) queue.work(kind, how as Parameters<Queue["work"]>[1]);
    queues.push(queue);
  }
  return queues;
}

function keepRuns(context: CommandContext, store: Store, { migrations }: Work): RunKeeper {
  const { clock, store: dir, by } = context;
  const engine = createEngine({
    store,
    clock,
    log: logOf(context),
    dir,
    ...carrierOf(context),
    hearEveryMs,
    declarations: (route) => livingDeclarations(store, route),
    readMemory: async () => {
      const { machineMemory } = await import("../../queue/index.ts");
      const { used, limit } = machineMemory();
      return used / limit;
    },
  });
  return new RunKeeper({
    store,
    engine,
    clock,
    migrations,
    by,
    random: Math.random,
    carriedBy: (run) => carriedBy(context, store, run),
    say: (what, run, text) => {
      if (context.json)
        context.terminal.json({ type: "run", what, run: run.id, migration: run.migration, text }, true);
      else {
        const tone = what === "refused" ? "bad" : "busy";
        const line: Line = [span(`${what === "refused" ? "✖" : "●"} `, tone), span(`run ${run.id} `, "bold")];
        context.terminal.aside([...line, span(`of ${run.migration} · ${text}`)]);
      }
    },
  });
}

function greet(context: CommandContext, { workers, migrations }: Work, queues: readonly Queue[]): void {
  const parts = [
    ...workers.map(({ queue, kinds }) => `queue ${queue}: ${Object.keys(kinds).join(", ")}`),
    ...migrations.map(({ name }) => `runs of ${name}`),
  ];
  const id = queues[0]?.workerId ?? carrierOf(context).owner;
  say(context, "started", [
    span(`worker ${id}`, "bold"),
    span(` · ${shownStore(context)} · ${parts.join(" · ")}`),
  ]);
}

function say({ terminal, json }: CommandContext, what: string, line: Line): void {
  if (json)
    terminal.json(
      {
        type: what,
        text: line
          .map(({ text }) => text)
          .join("")
          .trim(),
      },
      true,
    );
  else terminal.aside(line);
}

/** Shows what goes on: a picture of the only queue on a terminal, otherwise what happens to orders here. */
function watchWork(
  context: CommandContext,
  store: Store,
  { workers, migrations }: Work,
  names: ReadonlySet<string>,
): { hush(): Promise<void>; stop(): Promise<void> } {
  const { terminal, clock, json } = context;
  const [only] = workers;
  if (!terminal.live || json || only === undefined || workers.length > 1 || migrations.length > 0) {
    const log = new OrderLog({
      store,
      clock,
      workers: names,
      json,
      line: (line) => terminal.line(line),
      document: (value) => terminal.json(value, true),
    });
    return { hush: () => Promise.resolve(), stop: () => log.stop() };
  }
  const hushed = new AbortController();
  const watching = watchQueue(context, new QueueViewer(store, only.queue), {
    everyMs: 500,
    keys: "q drain and leave · Ctrl-C twice ends at once",
    signal: hushed.signal,
    failing: "goes on",
  });
  const hush = async (): Promise<void> => {
    hushed.abort();
    await watching;
  };
  return { hush, stop: hush };
}

/** Until somebody wants it to end, or nothing is left where that was asked for. */
async function untilOver(
  { args, interrupted, terminal, clock }: CommandContext,
  store: Store,
  queues: readonly Queue[],
  keeper: RunKeeper,
): Promise<void> {
  const leave = new AbortController();
  const signal = AbortSignal.any([leave.signal, interrupted]);
  const off = terminal.onKey((key) => {
    if (key === "q") leave.abort();
  });
  const told = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const empty = async (): Promise<void> => {
    const patience = { signal };
    // A run nobody carries is only known to this worker once it has looked.
    await keeper.looked;
    while (!signal.aborted) {
      await Promise.all(queues.map((queue) => queue.drain(patience)));
      if (keeper.carried.length === 0) return;
      await Promise.race([sleep(clock, 200), told]);
    }
  };
  try {
    const ended = (): Promise<void> =>
      empty().catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    const gone = untilGone(store, clock, signal);
    await Promise.race(args.flag("until-empty") ? [told, gone, ended()] : [told, gone]);
  } finally {
    off();
    leave.abort();
  }
}

/** Rejects once the file of the store is gone, which never comes back; resolves when nobody wants to know any more. */
async function untilGone({ events, reach }: Store, clock: Clock, signal: AbortSignal): Promise<void> {
  while (reach?.kind === "sqlite" && !signal.aborted) {
    await events.count().catch((error: unknown) => {
      if (hasCode(error, "CUTOVER_STORE_GONE")) throw error;
    });
    await sleep(clock, goneMs, signal).catch(() => {});
  }
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** Queues that count as empty since nobody may start what waits in them. */
async function leftWaiting(
  { args, interrupted }: CommandContext,
  { orders }: Store,
  { workers }: Work,
): Promise<readonly string[]> {
  if (!args.flag("until-empty") || interrupted.aborted) return [];
  const left = await Promise.all(
    workers.map(async ({ queue }) => {
      const { PENDING, WAITING_RETRY } = await orders.counts(queue);
      const waiting = PENDING + WAITING_RETRY;
      if (waiting === 0 || !(await orders.config(queue)).paused) return [];
      return [`queue ${queue} is paused: ${plural(waiting, "order")} left waiting`];
    }),
  );
  return left.flat();
}

const longestGrace = ({ workers }: Work): number =>
  Math.max(0, ...workers.map(({ options }) => parseDuration(options.grace ?? defaultGrace)));

async function drain(
  context: CommandContext,
  queues: readonly Queue[],
  keeper: RunKeeper,
  {
    drainMs,
    graceMs,
    leave,
  }: { readonly drainMs: number; readonly graceMs: number; readonly leave: () => void },
): Promise<void> {
  const wait: Duration = drainMs;
  if (context.interrupted.aborted)
    say(context, "draining", [
      span("◐ ", "wait"),
      span(`draining: nothing new is claimed; what runs has ${drainMs / 1_000} s · once more ends at once`),
    ]);
  const late = context.clock.after(drainMs + graceMs + storeMs, leave);
  const stopped = Promise.all(queues.map((queue) => queue.stop({ wait }))).finally(() => late.cancel());
  await Promise.all([stopped, keeper.stop()]);
}

const needsShared = ({ migrations }: Work): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected a store that processes share, to carry runs of ${migrations.map(({ name }) => name).join(", ")}; found a folder`,
    remedy: "name one with --store postgres://… or --store sqlite:FILE, or carry the run with `cutover run`",
  });

function logOf(context: CommandContext): Log {
  const log = (message: string, data?: unknown): void =>
    context.terminal.aside(visible(`${message}${data === undefined ? "" : ` ${JSON.stringify(data)}`}`));
  return { debug: () => {}, info: () => {}, warn: log, error: log };
}
