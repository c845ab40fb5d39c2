import { CutoverError, faultPoint, sleep } from "../core/index.ts";
import type { WaveInput } from "./definition.ts";
import type { StepKind } from "./step-kind.ts";

/** How often a wave's gates are looked at. Their tests allow any number of looks. */
const lookEvery = 1_000;

/**
 * The built-in step behind a wave: judges the wave's exit gates until all pass. Only what was measured after the
 * wave's last step counts, across restarts too. Changes nothing, so there is nothing to undo.
 */
export function waveGateKind(wave: WaveInput): StepKind {
  const gates = wave.exit ?? [];
  const summary = `wave "${wave.name}" must meet ${gates.map((gate) => gate.name).join(", ")}`;
  return {
    kind: "wave-gate",
    reversible: true,
    summary: () => summary,
    plan: () => ({ summary }),
    async start(context) {
      const saved = context.checkpoint();
      const since = typeof saved === "number" ? saved : context.clock.now();
      if (saved === undefined) await context.saveCheckpoint(since);
      faultPoint("plan.wave-gate.since-saved");
      for (;;) {
        const held: string[] = [];
        for (const gate of gates) {
          const verdict = await context.judge(gate, { since });
          if (verdict.kind === "fail")
            throw new CutoverError("CUTOVER_STEP_FAILED", {
              message: `wave "${wave.name}" failed its gate "${gate.name}": ${verdict.reason}`,
              details: { wave: wave.name, gate: gate.name, figures: verdict.figures },
            });
          if (verdict.kind !== "pass") held.push(`${gate.name}: ${verdict.reason}`);
        }
        if (held.length === 0) return { wave: wave.name, gates: gates.map((gate) => gate.name) };
        context.progress({
          done: gates.length - held.length,
          total: gates.length,
          unit: "gates",
          note: held[0] ?? "",
        });
        await sleep(context.clock, lookEvery, context.signal);
      }
    },
  };
}
