import { CutoverError, formatDuration, sleep } from "../../core/index.ts";
import type { StepContext, Verdict } from "../../plan/index.ts";

/** Time between two looks at the evidence: as often as doors report. */
const pace = 250;

/** What a look found: done, or what is still missing, in words for people. */
export interface Look {
  readonly missing: readonly string[];
  /** What is true now, one line. */
  readonly note: string;
  readonly share?: number;
  /** Expected milliseconds until done; absent when nobody can know. */
  readonly waitMs?: number | undefined;
}

/**
 * Looks again and again until nothing is missing.
 * @throws CUTOVER_STEP_FAILED when `patience` (from `since`, wall-clock) is over, saying what is missing.
 */
export async function waitFor(
  context: StepContext,
  limits: { readonly since: number; readonly patience: number; readonly subject: string },
  look: () => Promise<Look>,
): Promise<void> {
  for (;;) {
    const seen = await look();
    if (seen.missing.length === 0) return;
    const about = seen.waitMs === undefined ? "" : ` · about ${formatDuration(seen.waitMs)} more`;
    const note = `${seen.note} · waits for ${seen.missing.join(", ")}${about}`;
    context.progress({ note, ...(seen.share === undefined ? {} : { share: seen.share }) });
    if (context.clock.now() - limits.since >= limits.patience) {
      throw new CutoverError("CUTOVER_STEP_FAILED", {
        message: `expected ${limits.subject} to be proven within ${formatDuration(limits.patience)}, found ${seen.note}; still missing: ${seen.missing.join(", ")}`,
        details: { missing: [...seen.missing] },
      });
    }
    await sleep(context.clock, pace, context.signal);
  }
}

/** @throws CUTOVER_STEP_FAILED for a verdict that fails: the run then goes the way back. */
export function refuseFailure(gate: string, verdict: Verdict): void {
  if (verdict.kind !== "fail") return;
  throw new CutoverError("CUTOVER_STEP_FAILED", {
    message: `expected ${gate}, found ${verdict.reason}`,
    details: { gate, figures: verdict.figures ?? {} },
  });
}

export const count = (n: number): string => n.toLocaleString("en");
