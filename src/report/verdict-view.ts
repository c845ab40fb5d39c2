import type { VerdictRecord } from "../store/index.ts";
import type { LiveVerdict, VerdictView } from "./run-view.ts";

/** The newest verdict of each gate, recorded or live, in the order in which the gates were first judged. */
export function newestVerdicts(
  recorded: readonly VerdictRecord[],
  live: readonly LiveVerdict[],
): readonly VerdictView[] {
  const newest = new Map<string, VerdictView>();
  for (const view of [...recorded.map(verdictView), ...live.map(liveVerdictView)]) {
    const key = `${view.role}\n${view.step ?? ""}\n${view.gate}`;
    const known = newest.get(key);
    if (known !== undefined && known.at > view.at) continue;
    // A live verdict is judged on the same evidence as the recorded one before it.
    newest.set(
      key,
      view.evidence.length === 0 && known !== undefined ? { ...view, evidence: known.evidence } : view,
    );
  }
  return [...newest.values()];
}

export function verdictView(record: VerdictRecord): VerdictView {
  const { gate, role, step, verdict, reason, figures, evidence, at } = record;
  return { gate, role, step, verdict, reason, figures, evidence, waitMs: null, at };
}

export function liveVerdictView({
  gate,
  role,
  step,
  kind,
  reason,
  figures,
  waitMs,
  at,
}: LiveVerdict): VerdictView {
  return {
    gate,
    role,
    step: step ?? null,
    verdict: kind,
    reason,
    figures: figures ?? null,
    evidence: [],
    waitMs: waitMs ?? null,
    at,
  };
}
