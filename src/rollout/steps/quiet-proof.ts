import type { Interval } from "../../core/index.ts";

/** An idle door reports once a second; longer silence than this is a gap in the proof, milliseconds. */
const gap = 5_000;
/** A door silent for this long is taken for ended (a restart, a deployment), and named in the evidence. */
const ended = 30_000;

/** How long nothing of the old side was used, as far as the reports of the doors can tell. Times are wall-clock. */
export class QuietProof {
  #quietSince: number;
  #lastReport: number;
  #lastUse: { readonly at: number; readonly door: string; readonly calls: number } | undefined;
  readonly #doors = new Map<string, number>();
  #intervals = 0;
  #newCalls = 0;
  #oldCalls = 0;

  constructor(since: number) {
    this.#quietSince = since;
    this.#lastReport = since;
  }

  /** @param now by the clock of who looks: what ends later was measured by a clock that is ahead, and had ended by now */
  add(intervals: readonly Interval[], now: number): void {
    const ended = intervals.map((each) =>
      each.to <= now ? each : { ...each, from: Math.min(each.from, now), to: now },
    );
    for (const interval of ended.toSorted((a, b) => a.to - b.to)) {
      this.#intervals++;
      this.#newCalls += interval.new.calls;
      if (interval.from - this.#lastReport > gap)
        this.#quietSince = Math.max(this.#quietSince, interval.from);
      this.#lastReport = Math.max(this.#lastReport, interval.to);
      this.#doors.set(interval.door, Math.max(this.#doors.get(interval.door) ?? 0, interval.to));
      const calls = usesOfOld(interval);
      if (calls === 0) continue;
      this.#oldCalls += calls;
      this.#lastUse = { at: interval.to, door: interval.door, calls };
      this.#quietSince = Math.max(this.#quietSince, interval.to);
    }
  }

  /** Proven quiet time up to now, and what stands in the way. */
  at(now: number): { readonly quietMs: number; readonly trouble: readonly string[] } {
    const trouble: string[] = [];
    if (this.#intervals === 0) trouble.push("a report of a door (no application reports on this route)");
    else if (now - this.#lastReport > gap) trouble.push("a report of a door (all are silent)");
    for (const [door, last] of this.#doors) {
      if (now - last > gap && now - last <= ended && this.#lastReport - last > gap)
        trouble.push(`a report of ${door} (silent, perhaps ended)`);
    }
    const use = this.#lastUse;
    if (use !== undefined && now - use.at <= gap)
      trouble.push(`no more use of the old side (${use.calls} calls in ${use.door} just now)`);
    return { quietMs: Math.max(0, this.#lastReport - this.#quietSince), trouble };
  }

  facts(): {
    readonly intervals: number;
    readonly newCalls: number;
    readonly oldCalls: number;
    readonly doors: readonly string[];
  } {
    return {
      intervals: this.#intervals,
      newCalls: this.#newCalls,
      oldCalls: this.#oldCalls,
      doors: [...this.#doors.keys()].toSorted(),
    };
  }
}

/** Calls the old side had in any role: answering, standing in, or as the second write of `rampdown`. */
function usesOfOld({ old, failedOver, stage, shadow }: Interval): number {
  return old.calls + failedOver + (stage === "rampdown" ? shadow.calls : 0);
}
