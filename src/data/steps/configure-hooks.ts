import {
  asError,
  CutoverError,
  formatDuration,
  isCutoverError,
  sleep,
  untilAborted,
} from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import { valueIn } from "./configure-change.ts";
import type { ConfigureSetting } from "./configure-setting.ts";
import { durationMs } from "./step-input.ts";

const checkEveryMs = 250;
const defaultWithinMs = 30_000;

function valueOf({ format, name }: ConfigureSetting, bytes: Buffer | undefined): never {
  const value = bytes === undefined ? undefined : valueIn(bytes, format, name);
  return value as never;
}

/** Makes what is there take effect. @throws CUTOVER_STEP_FAILED */
export async function applied(
  context: StepContext,
  setting: ConfigureSetting,
  bytes: Buffer | undefined,
  back: boolean,
): Promise<void> {
  const { apply } = setting.options;
  if (apply === undefined) return;
  context.progress({ note: back ? "applies the old value" : "applies it" });
  try {
    await untilAborted(
      Promise.resolve(apply(valueOf(setting, bytes), { signal: context.signal, back })),
      context.signal,
    );
  } catch (error) {
    context.signal.throwIfAborted();
    if (isCutoverError(error)) throw error;
    throw new CutoverError("CUTOVER_STEP_FAILED", {
      message: `\`apply\` of ${setting.name} threw: ${asError(error).message}`,
      place: setting.name,
      cause: error,
    });
  }
}

/** How long it took until the check held; undefined without one. @throws CUTOVER_STEP_FAILED */
export async function holds(
  context: StepContext,
  setting: ConfigureSetting,
  bytes: Buffer | undefined,
  back: boolean,
): Promise<number | undefined> {
  const { check, within } = setting.options;
  if (check === undefined || bytes === undefined) return undefined;
  const { clock } = context;
  const limitMs = within === undefined ? defaultWithinMs : (durationMs(within) ?? defaultWithinMs);
  const since = clock.monotonic();
  const over = new AbortController();
  const timer = clock.after(limitMs, () => over.abort());
  const signal = AbortSignal.any([context.signal, over.signal]);
  let why = "it did not answer";
  try {
    for (;;) {
      context.progress({ note: `waits until it holds, at most ${formatDuration(limitMs)}` });
      try {
        const asked = Promise.resolve(check(valueOf(setting, bytes), { signal, back }));
        if ((await untilAborted(asked, signal)) === true) return Math.round(clock.monotonic() - since);
        why = "it said no";
      } catch (error) {
        if (!signal.aborted) why = asError(error).message;
      }
      await sleep(clock, checkEveryMs, signal).catch(() => {});
      context.signal.throwIfAborted();
      if (over.signal.aborted) break;
    }
  } finally {
    timer.cancel();
  }
  throw new CutoverError("CUTOVER_STEP_FAILED", {
    message: `expected the check of ${setting.name} to hold within ${formatDuration(limitMs)}${
      back ? " after the way back" : ""
    }, found that it does not: ${why}`,
    place: setting.name,
  });
}
