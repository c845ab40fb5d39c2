import { CutoverError, formatDuration, sleep } from "../../core/index.ts";
import type { Question, StepContext, Verdict } from "../../plan/index.ts";

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

/** What follows when patience is over: the step fails and the run goes back, or a person is asked. */
export type Otherwise = "fail" | "ask";

export interface Limits {
  /** What is to be shown, for people. */
  readonly subject: string;
  /** Wall-clock milliseconds from which patience counts. */
  readonly since: number;
  readonly patience: number;
  /** Default `fail`. */
  readonly otherwise?: Otherwise;
  /** A person said to wait on: patience counts from this moment, wall-clock milliseconds, also after a crash. */
  readonly onAnswered?: (at: number) => Promise<void>;
}

/**
 * Looks again and again until nothing is missing. When patience is over it fails, or holds the run and asks a person,
 * and looks on meanwhile: what is shown after all withdraws the question, and who continues the run gives it as much
 * patience again.
 * @throws CUTOVER_STEP_FAILED when patience is over, saying what is missing
 */
export async function waitFor(
  context: StepContext,
  limits: Limits,
  look: () => Promise<Look>,
): Promise<void> {
  let { since } = limits;
  let question: Question | undefined;
  for (;;) {
    const seen = await look();
    if (seen.missing.length === 0) return await question?.withdraw();
    const about = seen.waitMs === undefined ? "" : ` · about ${formatDuration(seen.waitMs)} more`;
    const note = `${seen.note} · waits for ${seen.missing.join(", ")}${about}`;
    context.progress({ note, ...(seen.share === undefined ? {} : { share: seen.share }) });
    if (question?.answered() === true) {
      question = undefined;
      since = context.clock.now();
      await limits.onAnswered?.(since);
    }
    if (question === undefined && context.clock.now() - since >= limits.patience) {
      const short = `expected ${limits.subject} to be proven within ${formatDuration(limits.patience)}, found ${seen.note}; still missing: ${seen.missing.join(", ")}`;
      if (limits.otherwise !== "ask")
        throw new CutoverError("CUTOVER_STEP_FAILED", {
          message: short,
          details: { missing: [...seen.missing] },
        });
      question = await context.ask(`${short}. Continue to wait as long again, or roll back`);
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
