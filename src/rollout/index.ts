export { shareBuckets as buckets, shareLimit } from "../core/index.ts";
export type { Backlog, PendingWrite } from "./door/backlog.ts";
export { bucketer, sideOf } from "./door/bucket.ts";
export { captured, type Captured, type CapturedOptions } from "./door/captured.ts";
export {
  compare,
  type CompareOptions,
  type Comparison,
  type Difference,
  type Tolerance,
} from "./door/compare.ts";
export type { Entity, EntityOptions, ReadOperation, WriteOperation } from "./door/entity-options.ts";
export {
  type FlagNames,
  parseFlag,
  parseShare,
  readFlags,
  type RolloutFlags,
  stageOfFlags,
} from "./door/flags.ts";
export type { Link, LinkedDoor } from "./door/link.ts";
export { type MemoryLink, memoryLink } from "./door/memory-link.ts";
export { murmur3 } from "./door/murmur.ts";
export type { OperationOptions, RefusalReason } from "./door/operations.ts";
export type { RoutableFunction, RoutedFunction, RouteOptions } from "./door/options.ts";
export { createRollout, type Rollout, type RolloutOptions } from "./door/rollout.ts";
export type { StreamFormat, StreamOptions } from "./door/stream-record.ts";
export type { WorkerOptions } from "./door/worker-side.ts";
export type { Write } from "./door/write-ids.ts";
export { rolloutFaultPoints } from "./steps/fault-points.ts";
export { quiet, type QuietOptions } from "./steps/quiet.ts";
export { ramp, type RampOptions, type RampShare } from "./steps/ramp.ts";
export { routeSteps } from "./steps/saved.ts";
export { setStage, type SetStageOptions } from "./steps/set-stage.ts";
export { shadow, type ShadowOptions } from "./steps/shadow.ts";
