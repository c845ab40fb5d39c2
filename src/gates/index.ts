export { addLatency, bucketBound, latencyBucket, latencyBuckets, quantile, slowerThan } from "./latency.ts";
export { type PooledTest, type PooledTestOptions, type PooledVerdict, pooledTest } from "./pooled-test.ts";
export { type RateTest, type RateTestOptions, type RateVerdict, rateTest } from "./rate-test.ts";
export {
  type RatioObservation,
  type RatioTest,
  type RatioTestOptions,
  type RatioVerdict,
  ratioTest,
} from "./ratio-test.ts";
export {
  type StaticLimit,
  type StaticLimitOptions,
  type StaticVerdict,
  staticLimit,
} from "./static-limit.ts";
export type { Estimate, GateVerdict, VerdictKind } from "./verdict.ts";
