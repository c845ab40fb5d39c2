export { addLatency, bucketBound, latencyBucket, latencyBuckets, quantile, slowerThan } from "./latency.ts";
export {
  type Counts,
  type PooledTest,
  type PooledTestOptions,
  type PooledVerdict,
  pooledTest,
} from "./pooled-test.ts";
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
export { type FirstErrorObservation, type FirstErrorTest, firstErrorTest } from "./first-error-test.ts";
export {
  allOf,
  anyOf,
  type Composition,
  type CompositionOptions,
  type CompositionVerdict,
  type Part,
  type PartMakers,
  type PartVerdict,
} from "./composition.ts";
export { type MeanSequence, type MeanSequenceOptions, meanSequence } from "./mean-sequence.ts";
export { type MeanTest, type MeanTestOptions, type MeanVerdict, meanTest } from "./mean-test.ts";
export { meanLimit, type MeanLimit, type MeanLimitOptions, type MeanLimitVerdict } from "./mean-limit.ts";
export type { MeanObservation } from "./moments.ts";
export { type SplitCheck, splitCheck, type SplitCheckOptions, type SplitVerdict } from "./split-check.ts";
export type { Allowed, Estimate, Evidence, GateVerdict, VerdictKind } from "./verdict.ts";
export { createJudge, type Judge, type JudgeOptions, judgeIntervals } from "./judge.ts";
export {
  type LatencyTest,
  type LatencyTestOptions,
  type LatencyVerdict,
  latencyTest,
} from "./latency-test.ts";
export type {
  AssignedRule,
  BacklogRule,
  BelowRule,
  CoveredRule,
  Declared,
  LimitRule,
  MeanLimitRule,
  MeanReading,
  MeanWorseRule,
  MeasureInput,
  Reading,
  RuleInput,
  WorseThanOldRule,
} from "./rules.ts";
export { type SlowerTest, type SlowerTestOptions, type SlowerVerdict, slowerTest } from "./slower-test.ts";
