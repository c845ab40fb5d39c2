import { backoffDelay, type BackoffPolicy } from "../../core/index.ts";

/** Keys that must fail without a success between before the side and not its input is at fault. */
const keysDown = 3;
const probing: BackoffPolicy = { base: 1_000, factor: 2, cap: 30_000, floor: 500, jitter: 0.5 };

/**
 * Whether a side takes writes at all. While it does not, one write at a time is tried now and then, the rest waits: an
 * outage uses up nobody's attempts, and its end does not find thousands of timers.
 */
export class SideHealth {
  down = false;
  /** Lines that wait for the side to come back, by one entry of each. */
  readonly parked: Set<string> = new Set<string>();
  #failed = new Set<string>();
  #probes = 0;
  #probeAt = 0;

  /** True when this success ended an outage. */
  succeeded(): boolean {
    this.#failed.clear();
    this.#probes = 0;
    const back = this.down;
    this.down = false;
    return back;
  }

  failed(key: string, now: number, random: () => number): void {
    if (!this.down) {
      this.#failed.add(key);
      if (this.#failed.size < keysDown) return;
      this.down = true;
    } else if (now < this.#probeAt) return; // was under way when the outage began
    this.#probeAt = now + backoffDelay(probing, ++this.#probes, random);
  }

  /** The parked entry to try now; another one each time, for the first may be at fault itself. */
  probe(now: number): string | undefined {
    if (!this.down || now < this.#probeAt) return undefined;
    for (const id of this.parked) {
      this.parked.delete(id);
      return id;
    }
    return undefined;
  }
}
