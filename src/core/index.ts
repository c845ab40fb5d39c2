export { asError, sleep, untilAborted } from "./abort.ts";
export { type BackoffPolicy, backoffDelay, defaultBackoff } from "./backoff.ts";
export { type Clock, systemClock, type Timer } from "./clock.ts";
export { type Duration, formatDuration, lastTime, parseDuration } from "./duration.ts";
export { errorCatalog } from "./error-catalog.ts";
export type { ErrorCode } from "./error-code.ts";
export { CutoverError, type CutoverErrorInit, hasCode, isCutoverError } from "./errors.ts";
export { faultPoint, setFaultHandler } from "./fault.ts";
export { heapLimits } from "./heap-limits.ts";
export { type RandomBytes, shortId, timeId } from "./ids.ts";
export { byCodePoints } from "./text-order.ts";
export { canonicalForm, canonicalJson, type Json, type JsonObject, sha256 } from "./json.ts";
export type { Link, LinkedDoor } from "./link.ts";
export { type Log, silentLog } from "./log.ts";
export { type BacklogGauge, DoorBacklogs } from "./door-backlogs.ts";
export { nameOneOf, nearest } from "./nearest.ts";
export { personKey, personProblem } from "./person.ts";
export { ownFile, ownThread } from "./own-files.ts";
export { keepPlace, markPlace, placeOf } from "./place.ts";
export {
  answeredByNew,
  type FirstErrors,
  type Interval,
  type KeyLoadGauge,
  type LatencyCounts,
  type MismatchSample,
  type RouteDeclaration,
  type RouteState,
  shareBuckets,
  shareLimit,
  type Side,
  type SideCounts,
  type Stage,
  stages,
} from "./route.ts";
export { processSpace } from "./process-space.ts";
export { sqliteAddressProblem } from "./sqlite-address.ts";
export { visible } from "./visible.ts";
export { type AddressProblem, postgresAddressProblem } from "./postgres-address.ts";
export type { PlanItem, PlanItemState, PlanProof } from "./plan-item.ts";
