import type { Random } from "./random.ts";
import type { Rhythm } from "./traffic.ts";

const dayMs = 86_400_000;
const blockMs = 10_000;
/** One block in ten has five times the mean; the others share what is left of it. */
const burst = { often: 0.1, times: 5 };

/**
 * How much of the mean rate there is in a stretch, in parts of it; 1 on the mean over all time. `day`: a wave from 0.2 to
 * 1.8, begun anywhere. `burst`: blocks of 10 s, one in ten five times as busy.
 */
export function rhythmOf(rhythm: Rhythm, random: Random): (from: number, to: number) => number {
  if (rhythm === "flat") return () => 1;
  const begun = random.next();
  if (rhythm === "day")
    return (from, to) => 1 + 0.8 * Math.sin(2 * Math.PI * ((from + to) / 2 / dayMs + begun));
  const quiet = (1 - burst.often * burst.times) / (1 - burst.often);
  let block = Number.NEGATIVE_INFINITY;
  let factor = 1;
  return (from, to) => {
    let sum = 0;
    for (let at = from; at < to;) {
      const now = Math.floor(at / blockMs);
      if (now !== block) {
        block = now;
        factor = random.next() < burst.often ? burst.times : quiet;
      }
      const end = Math.min(to, (now + 1) * blockMs);
      sum += factor * (end - at);
      at = end;
    }
    return to > from ? sum / (to - from) : factor;
  };
}
