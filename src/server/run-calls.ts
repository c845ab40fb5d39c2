import { CutoverError, type Timer } from "../core/index.ts";
import type { Decision } from "../engine/index.ts";
import { buildRunView, type LiveRun, type RunView, RunViewer } from "../report/index.ts";
import type { CarriedRun, Handler, ServerContext } from "./call.ts";
import { toCutoverError } from "./answer.ts";
import { NdjsonStream } from "./ndjson.ts";
import type { Reader } from "./shape.ts";
import { decisionBody, settleBody, triggerBody } from "./wire-shapes.ts";

/** No stream sends views faster. */
const shortestGapMs = 100;
/** Views are also sent when nothing changed, because their times count up. */
const longestGapMs = 1_000;

export const listRuns: Handler = ({ store }) => store.runs.list();

export const showRun: Handler = (context, call) => viewOf(context, call.name);

async function viewOf(context: ServerContext, id: string): Promise<RunView> {
  return await buildRunView(context.store, id, { at: context.clock.now(), ...(await liveOf(context, id)) });
}

/** Live progress, while this process carries the run. */
async function liveOf(
  context: ServerContext,
  id: string,
): Promise<{ readonly live?: LiveRun; readonly nobodyCarries?: boolean }> {
  const run = context.run(id);
  if (run !== undefined) return { live: run.live() };
  return context.nobodyCarries === undefined ? {} : { nobodyCarries: await context.nobodyCarries(id) };
}

/** A handler that hands a person's decision to the run and answers with what is true afterwards. */
function decide<Body extends Omit<Decision, "verb">>(
  verb: Decision["verb"],
  read: Reader<Body>,
  act: (run: CarriedRun, body: Body, context: ServerContext, id: string) => Promise<void>,
): Handler {
  return async (context, call) => {
    const body = read(await call.body(), "");
    const run = context.run(call.name);
    if (run === undefined && context.decide !== undefined) {
      await context.decide(call.name, { ...body, verb });
    } else if (run === undefined) {
      const { run: known } = await viewOf(context, call.name);
      throw new CutoverError("CUTOVER_RUN_STATE", {
        message: `expected a run that this process carries, found ${known.id} in ${known.state}, carried by nobody`,
        details: { run: known.id, state: known.state },
      });
    } else await act(run, body, context, call.name);
    return viewOf(context, call.name);
  };
}

export const pauseRun: Handler = decide("pause", decisionBody, (run, { by, reason }) =>
  run.pause(by, reason),
);
export const continueRun: Handler = decide("continue", decisionBody, (run, { by, reason }) =>
  run.continue(by, reason),
);
export const rollbackRun: Handler = decide("rollback", decisionBody, (run, { by, reason }) =>
  run.rollback(by, reason),
);
export const settleStep: Handler = decide("settle", settleBody, (run, { step, outcome, by, reason }) =>
  run.settle(step, outcome, by, reason),
);
export const fireTrigger: Handler = decide("trigger", triggerBody, (run, { trigger, by, reason }) =>
  run.trigger(trigger, by, reason),
);
export const liftTrigger: Handler = decide("lift", triggerBody, (run, { trigger, by, reason }) =>
  run.lift(trigger, by, reason),
);
export const approveRun: Handler = decide("approve", decisionBody, async (run, decision, context, id) => {
  const { by, reason, evidence } = decision;
  const phase = decision.phase ?? onlyWaiting(await viewOf(context, id));
  await run.approve(phase, by, reason, evidence);
});

/** The phase an approval without a name means: the only one that waits for one. */
function onlyWaiting({ run, wanted }: RunView): string {
  const [only, second] = wanted;
  if (only !== undefined && second === undefined) return only.phase;
  throw new CutoverError("CUTOVER_RUN_STATE", {
    message:
      only === undefined
        ? `expected a phase that waits for approval, found run ${run.id} in ${run.state} with none`
        : `expected the name of a phase, found ${wanted.length} that wait: ${wanted.map(({ phase }) => phase).join(", ")}`,
  });
}

/**
 * Views of one run, as it changes. A view is built only when the reader took the one before, at most ten a second,
 * and never so often that building takes more than a tenth of the time (a view of 10,000 steps is not free).
 */
export const streamRun: Handler = async (context, call) => {
  const { clock, streams } = context;
  const viewer = new RunViewer(context.store, call.name);
  const look = async (): Promise<RunView> =>
    await viewer.view({ at: clock.now(), ...(await liveOf(context, call.name)) });
  let next: RunView | undefined = await look();
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
      next = await look();
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
