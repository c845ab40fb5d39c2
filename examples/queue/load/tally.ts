import type { LoadReport, SideReport } from "./settings.ts";

/** What the generator counts. Latencies are kept whole: a run has some thousands. */
export class Tally {
  accepted = 0;
  heldBack = 0;
  failed = 0;
  wrong = 0;
  canceled = 0;
  readonly #startedAt = Date.now();
  readonly #latencies = { old: [] as number[], new: [] as number[] };
  readonly #errors = { old: 0, new: 0 };

  answer(side: "old" | "new", ms: number): void {
    this.#latencies[side].push(ms);
  }

  error(side: "old" | "new" | undefined): void {
    this.failed++;
    if (side !== undefined) this.#errors[side]++;
  }

  report(running: boolean): LoadReport {
    const { accepted, heldBack, failed, wrong, canceled } = this;
    const sides = { old: this.#side("old"), new: this.#side("new") };
    return {
      pid: process.pid,
      startedAt: this.#startedAt,
      running,
      accepted,
      heldBack,
      failed,
      wrong,
      canceled,
      sides,
    };
  }

  #side(side: "old" | "new"): SideReport {
    const sorted = this.#latencies[side].toSorted((a, b) => a - b);
    const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
    return { answers: sorted.length, errors: this.#errors[side], p50: at(0.5), p99: at(0.99) };
  }
}
