/** The value that `part` of the values do not exceed; the middle of two where it lies between them. Undefined for none. */
export function quantileOf(values: readonly number[], part: number): number | undefined {
  const ascending = values.toSorted((a, b) => a - b);
  const at = part * (ascending.length - 1);
  const low = ascending[Math.floor(at)];
  const high = ascending[Math.ceil(at)];
  return low === undefined || high === undefined ? undefined : low + (high - low) * (at - Math.floor(at));
}

/** Wilson's interval for a part that was seen `count` times of `of`, 95 %; holds also where nothing was seen. */
export function partInterval(count: number, of: number): { readonly low: number; readonly high: number } {
  if (of === 0) return { low: 0, high: 1 };
  const z = 1.959964;
  const seen = count / of;
  const scale = 1 + (z * z) / of;
  const middle = (seen + (z * z) / (2 * of)) / scale;
  const spread = (z / scale) * Math.sqrt((seen * (1 - seen)) / of + (z * z) / (4 * of * of));
  return {
    low: count === 0 ? 0 : Math.max(0, middle - spread),
    high: count === of ? 1 : Math.min(1, middle + spread),
  };
}

/** How often each text comes, the most frequent first. */
export function frequencies(
  texts: readonly string[],
): readonly { readonly text: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => ({ text, count })).toSorted((a, b) => b.count - a.count);
}
