import type { LatencyCounts } from "../core/index.ts";

/** Latencies sorted into classes by borders, each the last bucket of its class. */
export function countClasses(
  counts: LatencyCounts,
  borders: readonly number[],
  shift: number,
): readonly number[] {
  const classes = Array.from({ length: borders.length + 1 }, () => 0);
  for (const [bucket, count] of counts) {
    let at = 0;
    while (at < borders.length && bucket - shift > (borders[at] as number)) at++;
    classes[at] = (classes[at] as number) + count;
  }
  return classes;
}

/** The buckets that hold these quantiles, ascending and each once; `counts` are ascending and not empty. */
export function bucketsOf(counts: LatencyCounts, quantiles: readonly number[]): readonly number[] {
  let all = 0;
  for (const [, count] of counts) all += count;
  const found: number[] = [];
  let seen = 0;
  let at = 0;
  for (const [bucket, count] of counts) {
    seen += count;
    for (; at < quantiles.length && seen >= (quantiles[at] as number) * all; at++)
      if (found.at(-1) !== bucket) found.push(bucket);
  }
  return found;
}

/** The part of the calls in each class; half a call more in each, for none must be impossible. */
export function partsOf(classes: readonly number[]): readonly number[] {
  const all = classes.reduce((sum, count) => sum + count + 0.5, 0);
  return classes.map((count) => (count + 0.5) / all);
}
