import { topologicalOrder } from "./dependencies.ts";

/** Time along the longest chain. */
export interface Estimate {
  /** Milliseconds; a lower bound when `unknown` is above 0. */
  readonly ms: number;
  /** Parts nobody gave a time for. */
  readonly unknown: number;
  /** Ids on the longest chain, in order. */
  readonly path: readonly string[];
}

/** Longest chain through parts that wait for each other; a part without a time counts as 0 and as unknown. */
export function criticalPath(
  parts: readonly {
    readonly id: string;
    readonly after: readonly string[];
    readonly ms: number | undefined;
  }[],
): Estimate {
  const byId = new Map(parts.map((part) => [part.id, part]));
  const ends = new Map<string, { readonly at: number; readonly before: string | undefined }>();
  let last: string | undefined;
  for (const id of topologicalOrder(new Map(parts.map((part) => [part.id, part.after])))) {
    const part = byId.get(id);
    let before: string | undefined;
    for (const other of part?.after ?? [])
      if (before === undefined || (ends.get(other)?.at ?? 0) > (ends.get(before)?.at ?? 0)) before = other;
    ends.set(id, { at: (before === undefined ? 0 : (ends.get(before)?.at ?? 0)) + (part?.ms ?? 0), before });
    if (last === undefined || (ends.get(id)?.at ?? 0) >= (ends.get(last)?.at ?? 0)) last = id;
  }
  const path: string[] = [];
  for (let id = last; id !== undefined; id = ends.get(id)?.before) path.unshift(id);
  const unknown = parts.filter((part) => part.ms === undefined).length;
  return { ms: last === undefined ? 0 : (ends.get(last)?.at ?? 0), unknown, path };
}
