import { join, relative } from "node:path";
import { type JsonObject, type Log, sleep, visible } from "../core/index.ts";
import type { RunHandle } from "../engine/index.ts";
import type { RunViewer, RunView } from "../report/index.ts";
import type { RunRecord } from "../store/index.ts";
import { chooseRun } from "./choose-run.ts";
import type { CommandContext, OptionSpec } from "./command.ts";
import { type Line, span } from "./draw/line.ts";
import { exitOf } from "./exit-code.ts";
import { heldOptions, heldWatch, type HeldWatch } from "./held-watch.ts";
import { listenToKeys } from "./keys.ts";
import { lookOn } from "./look-on.ts";
import type { OwnerClient } from "./owner-client.ts";
import { choosePresenter, namingStore, type Presenter } from "./presenter.ts";
import { ownedRun } from "./run-source.ts";
import { openSession, type Session } from "./session.ts";
import { inStore } from "./store-place.ts";
import { feedViews } from "./view-feed.ts";

/** Options of every command that carries a run. */
export const carryOptions: Readonly<Record<string, OptionSpec>> = {
  ...heldOptions,
  "no-report": { type: "boolean", help: "write no report at the end" },
};

/**
 * Owns the store, begins a run with `begin` and carries it to its end, showing it and answering for it meanwhile.
 * Resolves with the exit code.
 */
export async function carryRun(
  context: CommandContext,
  begin: (session: Session) => Promise<RunHandle>,
): Promise<number> {
  // Before the store is owned: a time that cannot be read changes nothing.
  const isHeld = heldWatch(context.args);
  const keys = "p pause · b roll back · q stop, resumable";
  const presenter = choosePresenter(context, keys);
  await using session = await openSession(context, sayingLog(context, presenter));
  const handle = await begin(session);
  const end = await follow(context, session, handle, presenter, isHeld);
  return await close(context, session, end);
}

/** Asks the process that carries the run to take it back, and looks on until it is. */
export async function followOwner(
  context: CommandContext,
  owner: OwnerClient,
  typed: string | undefined,
  reason: string,
): Promise<number> {
  const run = chooseRun(await owner.get<readonly RunRecord[]>("/v1/runs"), {
    typed,
    otherwise: "unfinished",
  });
  const path = `/v1/runs/${encodeURIComponent(run.id)}`;
  await owner.post(`${path}/rollback`, { by: context.by, reason });
  const last = await lookOn(context, ownedRun(context, owner, run.id), run.id);
  return last === undefined ? 4 : exitOf(last.run.state);
}

/** Before anybody looks or asks, the next step gets going: reading a long record takes longer than starting a step. */
const headStartMs = 50;

interface End {
  readonly view: RunView;
  /** Set when it was stopped before its end. */
  readonly stopped: "interrupted" | "held" | undefined;
}

async function follow(
  context: CommandContext,
  session: Session,
  handle: RunHandle,
  presenter: Presenter,
  isHeld: HeldWatch,
): Promise<End> {
  let stopped: End["stopped"];
  let last: RunView | undefined;
  const stop = (why: NonNullable<End["stopped"]>): void => {
    if (stopped !== undefined) return;
    stopped = why;
    if (why === "interrupted") presenter.hint("stopping at the next checkpoint · Ctrl-C again ends at once");
    void handle.stop();
  };
  const since = session.store.clock.now();
  let viewer: RunViewer | undefined;
  const build = async (): Promise<RunView> => {
    viewer ??= new (await import("../report/index.ts")).RunViewer(session.store, handle.id);
    return await viewer.view({ at: session.store.clock.now(), live: handle.live() });
  };
  const show = async (view: RunView): Promise<void> => {
    last = view;
    await presenter.show(view);
    if (isHeld(view, { since, at: context.clock.monotonic() })) stop("held");
  };
  const feed = feedViews(context.clock, { firstMs: headStartMs, gapMs: presenter.gapMs }, build, show);
  const offChange = handle.onChange(() => feed.touch());
  const offKeys = listenToKeys(context, presenter, {
    state: () => last?.run.state,
    pause: () => handle.pause(context.by, "key p"),
    continue: () => handle.continue(context.by, "key p"),
    rollback: () => handle.rollback(context.by, "key b"),
    quit: () => stop("interrupted"),
  });
  const onInterrupt = (): void => stop("interrupted");
  context.interrupted.addEventListener("abort", onInterrupt, { once: true });
  if (context.interrupted.aborted) onInterrupt();
  const serving = sleep(context.clock, headStartMs)
    .then(() => session.serve(handle))
    // Node writes its cache when a process ends well; one that is killed should find it at its next start too.
    .then(() => process.getBuiltinModule("node:module").flushCompileCache());
  try {
    await Promise.all([handle.done, serving]);
    await feed.end();
  } finally {
    context.interrupted.removeEventListener("abort", onInterrupt);
    offKeys();
    offChange();
    feed.stop();
    presenter.end();
  }
  const view = last ?? (await build());
  return {
    view,
    stopped: exitOf(view.run.state) === 0 && view.run.state === "COMPLETED" ? undefined : stopped,
  };
}

async function close(context: CommandContext, session: Session, { view, stopped }: End): Promise<number> {
  const { terminal } = context;
  const audit = await session.store.events.verify({ orders: false });
  const ended = stopped === undefined;
  let report = "";
  if (ended && !context.args.flag("no-report")) {
    const { writeReports } = await import("./write-reports.ts");
    const files = await writeReports(join(context.store, "reports"), view, { audit });
    const near = relative(context.cwd, files.html);
    report = near.startsWith("..") ? files.html : near;
  }
  const exit = stopped === "interrupted" ? 130 : stopped === "held" ? 3 : exitOf(view.run.state);
  if (context.json) {
    terminal.json({ type: "end", exit, stopped: stopped ?? null, report, audit, view }, true);
    return exit;
  }
  if (ended) {
    terminal.line("");
    const { closingBlock } = await import("./draw/closing-block.ts");
    for (const line of closingBlock(namingStore(view, context), {
      report,
      audit,
      storeFlag: context.storeFlag,
    }))
      terminal.line(line);
  } else {
    for (const line of stoppedLines(context, namingStore(view, context), stopped)) terminal.line(line);
  }
  return exit;
}

function stoppedLines(
  context: CommandContext,
  view: RunView,
  stopped: NonNullable<End["stopped"]>,
): readonly Line[] {
  const [wanted] = view.wanted;
  const phase = view.phases.find((each) => each.state !== "SEALED" && each.state !== "PENDING");
  const where = phase === undefined ? "" : ` in ${phase.name}`;
  const why = stopped === "interrupted" ? "stopped cleanly" : "held";
  const waits = view.run.waitsFor || view.run.reason || phase?.headline || "";
  return [
    [span(`◐ ${why}`, "wait"), span(`${where} · run ${view.run.id}${waits === "" ? "" : ` · ${waits}`}`)],
    ...(wanted === undefined ? [] : [[span("  approve: ", "dim"), span(`npx ${wanted.command}`, "bold")]]),
    ...(view.next.command.startsWith("cutover settle ")
      ? [[span("  settle:  ", "dim"), span(`npx ${view.next.command}`, "bold")]]
      : []),
    [span("  go on:   ", "dim"), span(`npx ${inStore(`cutover resume ${view.run.id}`, context)}`, "bold")],
    [
      span("  go back: ", "dim"),
      span(`npx ${inStore(`cutover rollback ${view.run.id} --reason "…"`, context)}`, "bold"),
    ],
  ];
}

/** What rooms have to say while a run is carried: warnings and errors, where the person looks. */
function sayingLog(context: CommandContext, presenter: Presenter): Log {
  const say = (message: string, data?: JsonObject): void => {
    const facts = data === undefined ? "" : ` ${JSON.stringify(data)}`;
    if (context.terminal.live && !context.json) presenter.hint(message);
    else context.terminal.aside(visible(`${message}${facts}`));
  };
  return { debug: () => {}, info: () => {}, warn: say, error: say };
}
