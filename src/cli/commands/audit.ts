import { CutoverError, type JsonObject } from "../../core/index.ts";
import { auditLine, count, timestamp } from "../../report/index.ts";
import type { ChainReport, Store, StoredEvent } from "../../store/index.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command, CommandContext } from "../command.ts";
import { type Line, span } from "../draw/line.ts";
import { Progress } from "../progress.ts";
import { needRecord, noRuns, noStore, ownStore, readStore, shownStore } from "../reach-store.ts";

/** Events read at a time. */
const pageSize = 1_000;

export const command: Command = {
  usage: "audit [verify | log | rebuild]",
  help: [
    "verify (the default) walks the whole chain: each event carries the hash of the one before, so a changed, removed or inserted event is found. Then it makes the rows of runs, routes and orders anew beside the record and compares: the first that was edited is named. Exit code 6 when either does not hold. Others may write meanwhile; orders take about as much room in the folder for temporary files (TMPDIR) as they do in the record.",
    "rebuild makes all rows anew from the events, whoever edited them, and says which was the first that differed. It is refused while the chain itself is broken.",
    "log prints the events, oldest first; with --run only those of one run.",
  ],
  options: {
    run: { type: "string", value: "ID", help: "log: events of this run only" },
    after: { type: "string", value: "N", help: "log: events after this one" },
  },
  words: 1,
  async run(context) {
    const word = context.args.positionals[0] ?? "verify";
    if (word !== "verify" && word !== "log" && word !== "rebuild") {
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: `expected "verify", "log" or "rebuild" after audit, found ${JSON.stringify(word)}`,
        remedy: "usage: cutover audit [verify | log | rebuild]",
      });
    }
    if (word === "rebuild") {
      await needRecord(context, noStore);
      await ownStore(context, (store) => rebuild(context, store));
      return 0;
    }
    const done = await readStore(context, async (store) => {
      if (word === "verify") verify(context, await lookedThrough(context, store));
      else await print(context, store);
      return true;
    });
    if (done === undefined) throw context.args.text("run") === undefined ? noStore(context) : noRuns(context);
    return 0;
  },
};

/** How far it is stands on the terminal; the first Ctrl-C ends it. */
async function lookedThrough(context: CommandContext, store: Store): Promise<ChainReport> {
  using progress = new Progress(context);
  let now: string | undefined;
  return await store.events.verify({
    signal: context.interrupted,
    onProgress: ({ part, done, of }) => {
      if (part !== now) progress.part("audit", of, (now = part));
      progress.set(done, 0);
    },
  });
}

function verify(context: CommandContext, chain: ChainReport): void {
  const { terminal, json } = context;
  if (!chain.whole) {
    const { events, brokenAt, reason, row } = chain;
    throw new CutoverError("CUTOVER_AUDIT_BROKEN", {
      message:
        row === undefined
          ? `expected a whole chain of ${count(events)} events, found it broken at event ${brokenAt}: ${reason}`
          : `expected rows as the events of a whole chain tell them, found that ${reason} (event ${brokenAt})`,
      details: { events, brokenAt, reason, ...(row === undefined ? {} : { row: { ...row } }) },
      place: shownStore(context),
      ...(row === undefined ? {} : { remedy: "make the rows anew from the events: `cutover audit rebuild`" }),
    });
  }
  if (json) terminal.json(chain);
  else {
    terminal.line([
      span("✔", "good"),
      span(` audit: ${auditLine(chain)}`),
      span(` · head ${chain.head.slice(0, 16)}…`, "dim"),
    ]);
  }
}

/** @throws CUTOVER_AUDIT_BROKEN when the chain is broken: no rows are made of events that were edited */
async function rebuild(context: CommandContext, store: Store): Promise<void> {
  const { terminal, json } = context;
  const before = await lookedThrough(context, store);
  const { events } = await madeAnew(context, store, before.events);
  const edited = before.whole ? null : { reason: before.reason, row: { ...before.row } };
  if (json) return terminal.json({ events, edited });
  const first =
    edited === null
      ? "runs, routes and orders were as the events tell them"
      : `the first that differed: ${edited.reason}`;
  terminal.line([span("✔", "good"), span(` all rows made anew from ${count(events)} events · ${first}`)]);
}

/** Nothing reads keys meanwhile: Ctrl-C ends the command, and all rows stay as they were. */
async function madeAnew(
  context: CommandContext,
  store: Store,
  events: number,
): Promise<{ readonly events: number }> {
  using progress = new Progress(context, "events");
  progress.part("rebuild", events);
  return await store.rebuild({ onProgress: ({ done }) => progress.set(done, 0) });
}

async function print(context: CommandContext, store: Store): Promise<void> {
  const typed = context.args.text("run");
  const from = context.args.text("after") ?? "0";
  if (!/^\d+$/.test(from)) {
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: `expected a number for --after, found ${JSON.stringify(from)}`,
    });
  }
  const run =
    typed === undefined ? undefined : chooseRun(await store.runs.list(), { typed, otherwise: "newest" }).id;
  for (let after = Number(from); ;) {
    const page = await store.events.read({
      after,
      limit: pageSize,
      ...(run === undefined ? {} : { stream: `run:${run}` }),
    });
    for (const event of page) {
      if (context.json) context.terminal.json(event, true);
      else context.terminal.line(eventLine(event));
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.seq;
  }
}

const eventLine = ({ seq, at, stream, type, data }: StoredEvent): Line => [
  span(`${String(seq).padStart(6)}  `, "dim"),
  span(timestamp(at).slice(0, 19)),
  span(`  ${stream}  `, "dim"),
  span(type, "bold"),
  span(`  ${told(data)}`),
];

/** The short members of an event's data. */
function told(data: JsonObject): string {
  return Object.entries(data)
    .flatMap(([name, value]) =>
      (typeof value === "string" && value.length <= 80) || typeof value === "number"
        ? [`${name} ${value}`]
        : [],
    )
    .join(" · ");
}
