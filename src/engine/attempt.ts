import { asError, CutoverError, formatDuration, hasCode, type Json } from "../core/index.ts";
import type { CompiledStep } from "../plan/index.ts";
import type { ErrorRecord } from "../store/index.ts";
import type { Desk } from "./desk.ts";
import { givenOutcome } from "./given-outcome.ts";
import { errorRecord, recordable } from "./json-value.ts";
import { ActiveContext } from "./step-context.ts";

/** How one attempt ended. Nothing is recorded here; whoever started it decides what that means. */
export type AttemptOutcome =
  | { readonly kind: "done"; readonly result: Json }
  | { readonly kind: "not-done" }
  | { readonly kind: "failed"; readonly error: ErrorRecord }
  /** Only a person can say: whether it took effect (`STEP_UNKNOWN`), or what it waits for from people. */
  | { readonly kind: "unknown"; readonly reason: string; readonly code?: AskingCode }
  /** It was told to stop (pause, rollback, lost lease, stop) and nothing can be said about it. */
  | { readonly kind: "interrupted" };

/** A step whose time is up while it waits for a person or a trigger is looked at again after so long, milliseconds. */
const waitLook = 60_000;

/** A step that throws one of these did nothing yet and waits for people. */
const asking = ["CUTOVER_STEP_UNPROVEN", "CUTOVER_STEP_REVIEW"] as const;
type AskingCode = (typeof asking)[number];

/** Starts a step and follows it to its end, its timeout, or `controller` being aborted. Never rejects. */
export async function runAttempt(
  desk: Desk,
  step: CompiledStep,
  controller: AbortController,
): Promise<AttemptOutcome> {
  const call = async (context: ActiveContext): Promise<AttemptOutcome> => {
    const result = recordable(await step.kind.start(context), `the result of step "${step.id}"`);
    return { kind: "done", result };
  };
  const outcome = await limited(desk, step, controller, step.timeoutMs, call);
  const timedOut = outcome.kind === "failed" && outcome.error.code === "CUTOVER_STEP_TIMEOUT";
  if (!timedOut || step.kind.verify === undefined || !controller.signal.aborted) return outcome;
  // The time is up, but the work may have taken effect all the same: only the step can tell.
  const asked = await askVerify(desk, step, new AbortController());
  return asked.kind === "not-done" || asked.kind === "interrupted" ? outcome : asked;
}

/** Asks a step that was in flight whether it took effect. Without `verify` it counts as not done. Never rejects. */
export async function askVerify(
  desk: Desk,
  step: CompiledStep,
  controller: AbortController,
): Promise<AttemptOutcome> {
  const { kind } = step;
  if (kind.verify === undefined) return { kind: "not-done" };
  desk.fault("engine.step.before-verify");
  const outcome = await limited(desk, step, controller, step.timeoutMs, async (context) => {
    const answer = givenOutcome(await kind.verify?.(context));
    if (answer.kind !== "done") return answer;
    return { kind: "done", result: recordable(answer.result, `the result of step "${step.id}"`) };
  });
  if (outcome.kind !== "failed") return outcome;
  return { kind: "unknown", reason: `its check failed: ${outcome.error.message}` };
}

/** Undoes a step. Resolves with `done`, `failed` or `interrupted`. Never rejects. */
export function runRollback(
  desk: Desk,
  step: CompiledStep,
  controller: AbortController,
): Promise<AttemptOutcome> {
  return limited(desk, step, controller, step.timeoutMs, async (context) => {
    await step.kind.rollback?.(context);
    return { kind: "done", result: null };
  });
}

/** Runs a step's `complete`. Never rejects. */
export function runComplete(
  desk: Desk,
  step: CompiledStep,
  controller: AbortController,
): Promise<AttemptOutcome> {
  return limited(desk, step, controller, step.timeoutMs, async (context) => {
    await step.kind.complete?.(context);
    return { kind: "done", result: null };
  });
}

async function limited(
  desk: Desk,
  step: CompiledStep,
  controller: AbortController,
  timeoutMs: number,
  call: (context: ActiveContext) => Promise<AttemptOutcome>,
): Promise<AttemptOutcome> {
  const { clock, graceMs } = desk.settings;
  const { signal } = controller;
  const context = new ActiveContext(desk, step, signal);
  const expire = (): void => {
    if (context.waits) limit = clock.after(waitLook, expire);
    else controller.abort(timeoutError(step, timeoutMs));
  };
  let limit = clock.after(timeoutMs, expire);
  try {
    return await orLeftBehind(call(context), signal, (leave) => clock.after(graceMs, leave));
  } catch (thrown) {
    const reason: unknown = signal.reason;
    if (signal.aborted && hasCode(reason, "CUTOVER_STEP_TIMEOUT"))
      return { kind: "failed", error: errorRecord(reason) };
    if (signal.aborted || desk.journal.closed !== undefined) return { kind: "interrupted" };
    for (const code of asking)
      if (hasCode(thrown, code)) return { kind: "unknown", reason: asError(thrown).message, code };
    return { kind: "failed", error: errorRecord(thrown) };
  } finally {
    limit.cancel();
    context.close();
  }
}

/** Settles like `work`; once aborted, `work` has until `leave` is called before it is left behind. */
function orLeftBehind<T>(
  work: Promise<T>,
  signal: AbortSignal,
  grace: (leave: () => void) => { cancel(): void },
): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: { cancel(): void } | undefined;
    const onAbort = (): void => {
      timer = grace(() => reject(asError(signal.reason)));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", onAbort);
      timer?.cancel();
    });
  });
}

const timeoutError = (step: CompiledStep, timeoutMs: number): CutoverError =>
  new CutoverError("CUTOVER_STEP_TIMEOUT", {
    message: `expected step "${step.id}" to end within ${formatDuration(timeoutMs)}, found it still running`,
    details: { step: step.id, timeoutMs },
  });
