import { asError, CutoverError, formatDuration, type JsonObject, untilAborted } from "../core/index.ts";
import type { Check, CheckResult, Verdict } from "../plan/index.ts";
import type { Desk } from "./desk.ts";
import { recordable } from "./json-value.ts";

/** A check that gives no answer for so long counts as a "no". */
const longestCheck = 600_000;

/** Asks one check. A throw, a hang and an answer of the wrong shape are answers too: "no". Never rejects. */
export async function answerCheck(
  desk: Desk,
  check: Check,
  outer: AbortSignal,
): Promise<{ readonly verdict: Verdict; readonly evidence: JsonObject }> {
  const { clock } = desk.settings;
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(outer.reason);
  if (outer.aborted) onAbort();
  else outer.addEventListener("abort", onAbort, { once: true });
  const limit = clock.after(longestCheck, () => {
    controller.abort(
      new CutoverError("CUTOVER_CHECK_FAILED", {
        message: `expected an answer within ${formatDuration(longestCheck)}, found none`,
      }),
    );
  });
  try {
    const { signal } = controller;
    const context = { signal, runId: desk.memory.id, workDir: desk.workDir };
    const asked = (async () => readResult(await check.run(context)))();
    const { ok, note, facts } = await untilAborted(asked, signal);
    const evidence = recordable({ ok, note, facts: facts ?? {} }, `the facts of check "${check.name}"`);
    return { verdict: { kind: ok ? "pass" : "fail", reason: note }, evidence: evidence as JsonObject };
  } catch (thrown) {
    const note = asError(thrown).message;
    return { verdict: { kind: "fail", reason: note }, evidence: { ok: false, note, thrown: true } };
  } finally {
    limit.cancel();
    outer.removeEventListener("abort", onAbort);
  }
}

function readResult(result: CheckResult): CheckResult {
  const found: unknown = result;
  if (typeof found === "object" && found !== null && typeof (found as CheckResult).ok === "boolean")
    return { ...result, note: String((found as Partial<CheckResult>).note ?? "") };
  throw new CutoverError("CUTOVER_CHECK_FAILED", {
    message: `expected { ok: boolean, note: string } as the answer, found ${JSON.stringify(found) ?? "nothing"}`,
  });
}
