export { bucketer, buckets, shareLimit, sideOf } from "./bucket.ts";
export { compare, type CompareOptions, type Comparison, type Difference, type Tolerance } from "./compare.ts";
export {
  type FlagNames,
  parseFlag,
  parseShare,
  readFlags,
  type RolloutFlags,
  stageOfFlags,
} from "./flags.ts";
export { latencyBound, latencyBucket, latencyBuckets } from "./latency.ts";
export type { Link, LinkedDoor } from "./link.ts";
export { type MemoryLink, memoryLink } from "./memory-link.ts";
export { murmur3 } from "./murmur.ts";
export type { RoutableFunction, RoutedFunction, RouteOptions } from "./options.ts";
export { createRollout, type Rollout, type RolloutOptions } from "./rollout.ts";
