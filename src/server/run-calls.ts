import { CutoverError, type Timer } from "../core/index.ts";
import { buildRunView, type RunView } from "../report/index.ts";
import type { CarriedRun, Handler, ServerContext } from "./call.ts";
import { toCutoverError } from "./answer.ts";
import { NdjsonStream } from "./ndjson.ts";
import { type Decision, decisionBody } from "./wire-shapes.ts";

/** No stream sends views faster. */
const shortestGapMs = 100;
/** Views are also sent when nothing changed, because their times count up. */
const longestGapMs = 1_000;

export const listRuns: Handler = ({ store }) => store.runs.list();

export const showRun: Handler = (context, call) => viewOf(context, call.name);

function viewOf(context: ServerContext, id: string): Promise<RunView> {
  const live = context.run(id)?.live();
  return buildRunView(context.store, id, {
    at: context.clock.now(),
    ...(live === undefined ? {} : { live }),
  });
}

/** A handler that hands a person's decision to the run and answers with what is true afterwards. */
function decide(act: (run: CarriedRun, decision: Decision) => Promise<void>): Handler {
  return async (context, call) => {
    const decision = decisionBody(await call.body(), "");
    const run = context.run(call.name);
    if (run === undefined) {
      const { run: known } = await viewOf(context, call.name);
      throw new CutoverError("CUTOVER_RUN_STATE", {
        message: `expected a run that this process carries, found ${known.id} in ${known.state}, carried by nobody`,
        details: { run: known.id, state: known.state },
      });
    }
    await act(run, decision);
    return viewOf(context, call.name);
  };
}

export const pauseRun: Handler = decide((run, decision) => run.pause(decision));
export const continueRun: Handler = decide((run, decision) => run.continue(decision));
export const approveRun: Handler = decide((run, decision) => run.approve(decision));
export const rollbackRun: Handler = decide((run, decision) => run.rollback(decision));

/**
 * Views of one run, as it changes. A view is built only when the reader took the one before, at most ten a second,
 * and never so often that building takes more than a tenth of the time (a view of 10,000 steps is not free).
 */
export const streamRun: Handler = async (context, call) => {
  const { clock, streams } = context;
  let next: RunView | undefined = await viewOf(context, call.name);
  let stale = false;
  let building = false;
  let gap = shortestGapMs;
  const stream = new NdjsonStream(call.response, clock, () => {
    const view = next;
    next = undefined;
    return view;
  });
  streams.add(stream);

  const build = async (): Promise<void> => {
    if (building || stream.closed || next !== undefined) return;
    building = true;
    stale = false;
    const started = clock.monotonic();
    try {
      next = await viewOf(context, call.name);
      gap = Math.max(shortestGapMs, 10 * (clock.monotonic() - started));
      stream.wake();
    } catch (thrown) {
      context.log.warn("a run's stream ended", { run: call.name, reason: toCutoverError(thrown).message });
      stream.end();
    } finally {
      building = false;
    }
  };
  let sinceLast = 0;
  const tick = (): void => {
    if (stream.closed) return;
    sinceLast += gap;
    if (stale || sinceLast >= longestGapMs) {
      sinceLast = 0;
      void build();
    }
    timer = clock.after(gap, tick);
    timer.unref();
  };
  let timer: Timer = clock.after(gap, tick);
  timer.unref();
  const markStale = (): void => {
    stale = true;
  };
  const stops = [context.store.events.subscribe(markStale), context.run(call.name)?.onChange(markStale)];
  call.response.on("close", () => {
    timer.cancel();
    for (const stop of stops) stop?.();
    streams.delete(stream);
  });
  stream.wake();
  return undefined;
};
