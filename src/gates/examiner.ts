import type { Interval } from "../core/index.ts";
import type { Declared, MeanReading, Reading } from "./rules.ts";
import type { Finding } from "./verdict.ts";

/** What judges one measure under one rule; the judge adds routes, readings and time to it. */
export interface Examiner {
  add(interval: Interval): void;
  /** Takes in only what tells of the old side: intervals from before the stretch that is judged. */
  remember(interval: Interval): void;
  read(reading: Reading): void;
  /** Only where means are judged. */
  readonly readMean?: (reading: MeanReading) => void;
  /** Only where coverage is judged. */
  readonly expect?: (declared: Declared) => void;
  /** `now`: wall-clock milliseconds, for what tells silence; absent: the end of the newest interval. */
  finding(now?: number): Finding & { readonly waitMs?: number };
}

/** For examiners that have no use for the memory of the old side or for readings. */
export const noUse = (): void => {};
