import { type RouteState, shareBuckets, shareLimit } from "../../core/index.ts";
import { keyText } from "./key-text.ts";
import { prefixDivider } from "./murmur.ts";

/** Bucket of a key, 0 … 999,999: `floor(murmur3("salt:key") / 2³² · 1,000,000)`. */
export function bucketer(salt: string): (key: string) => number {
  return prefixDivider(`${salt}:`, shareBuckets);
}

/** Salt of the draw for something other than the share, so that the two draws are independent. */
export function sideSalt(salt: string, purpose: "sample"): string {
  return `${salt}/${purpose}`;
}

/** Which side answers this key at this state. The pure form of what a door does; what is no key belongs to the old side. */
export function sideOf(state: RouteState, key: string | number | bigint): "old" | "new" {
  if (state.stage === "complete" || state.stage === "rampdown") return "new";
  if (state.stage !== "live") return "old";
  const limit = shareLimit(state.share);
  if (limit <= 0 || limit >= shareBuckets) return limit <= 0 ? "old" : "new";
  const text = keyText(key);
  return text !== undefined && bucketer(state.salt)(text) < limit ? "new" : "old";
}
