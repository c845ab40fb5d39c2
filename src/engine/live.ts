import type { JsonObject } from "../core/index.ts";
import type { StepProgress, Verdict } from "../plan/index.ts";

/** The newest judgement of a gate or trigger, also those too frequent to be recorded. */
export interface LiveVerdict {
  readonly gate: string;
  readonly role: string;
  readonly kind: Verdict["kind"];
  readonly reason: string;
  readonly figures?: JsonObject;
  /** When holding: expected milliseconds until a verdict. */
  readonly waitMs?: number;
  readonly phase?: string;
  readonly step?: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

/** What only the process that carries the run knows: shown to people, never recorded. */
export interface LiveView {
  readonly progress: Readonly<Record<string, StepProgress & { readonly at: number }>>;
  readonly verdicts: readonly LiveVerdict[];
  /** Trigger that holds concurrency at 1 and shares where they are. */
  readonly throttledBy: string | null;
  /** Why the run does not move, for people; empty when it does. */
  readonly waitsFor: string;
}

/** Keeps the live view and tells listeners that something changed. */
export class Live {
  readonly #progress = new Map<string, StepProgress & { readonly at: number }>();
  readonly #verdicts = new Map<string, LiveVerdict>();
  readonly #listeners = new Set<() => void>();
  waitsFor = "";

  setProgress(step: string, progress: StepProgress, at: number): void {
    this.#progress.set(step, { ...progress, at });
    this.changed();
  }

  dropProgress(step: string): void {
    this.#progress.delete(step);
  }

  setVerdict(verdict: LiveVerdict): void {
    const key = `${verdict.role}\n${verdict.phase ?? ""}\n${verdict.step ?? ""}\n${verdict.gate}`;
    this.#verdicts.set(key, verdict);
    this.changed();
  }

  /** Forgets what was judged for a phase that is over. */
  dropPhase(phase: string): void {
    for (const [key, verdict] of this.#verdicts)
      if (verdict.phase === phase && verdict.role !== "trigger") this.#verdicts.delete(key);
  }

  view(throttledBy: string | undefined): LiveView {
    return {
      progress: Object.fromEntries(this.#progress),
      verdicts: [...this.#verdicts.values()],
      throttledBy: throttledBy ?? null,
      waitsFor: this.waitsFor,
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
