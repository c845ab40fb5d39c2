import type { Digest } from "../connector.ts";
import type { Confirmed } from "./confirm.ts";
import { type Difference, type DifferenceCounts, noDifferences } from "./difference.ts";

/** A stretch whose digests differ by something else than what was found in it, although nothing moved: an alarm. */
export interface Unexplained {
  readonly collection: string;
  readonly after?: Uint8Array;
  readonly upTo?: Uint8Array;
  /** Source less target, by the digests. */
  readonly delta: Digest;
  /** The same, by the differences found row by row. */
  readonly found: Digest;
}

/** Collects what a verification finds; lists only the first `limit` differences, counts all. */
export class Findings {
  readonly limit: number;
  readonly listed: Difference[] = [];
  counts: DifferenceCounts = noDifferences;
  readonly unexplained: Unexplained[] = [];
  arrived = 0;
  unsettled = 0;
  /** Stretches in which the source kept changing while their digests were taken. */
  restless = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get total(): number {
    const { missing, extra, different, clash } = this.counts;
    return missing + extra + different + clash;
  }

  add({ differences, arrived, unsettled }: Confirmed): void {
    const counts = { ...this.counts };
    for (const difference of differences) {
      counts[difference.kind]++;
      if (this.listed.length < this.limit) this.listed.push(difference);
    }
    this.counts = counts;
    this.arrived += arrived;
    this.unsettled += unsettled.length;
  }

  /** Takes over what another look has found. */
  merge(other: Findings): void {
    const { missing, extra, different, clash } = this.counts;
    this.counts = {
      missing: missing + other.counts.missing,
      extra: extra + other.counts.extra,
      different: different + other.counts.different,
      clash: clash + other.counts.clash,
    };
    this.listed.push(...other.listed.slice(0, this.limit - this.listed.length));
    this.unexplained.push(...other.unexplained);
    this.arrived += other.arrived;
    this.unsettled += other.unsettled;
    this.restless += other.restless;
  }
}
