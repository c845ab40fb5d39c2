import {
  type Interval,
  type MismatchSample,
  personProblem,
  type RouteDeclaration,
  type Stage,
  stages,
} from "../core/index.ts";
import { listOf, mapOf, oneOf, type Reader, refuse, shape, text, whole, within } from "./shape.ts";

/** Most entries of one delivery; a door that was cut off sends its backlog in pieces. */
const mostIntervals = 2_000;
const mostSamples = 200;
const mostDeclarations = 500;
/** Buckets of a latency histogram, see `LatencyCounts`. */
const latencyBuckets = 220;

const routeName = text(200);
const doorName = text(200);
const stage: Reader<Stage> = oneOf(stages);
const count = whole();
const personName: Reader<string> = (value, place) => {
  const name = text(200)(value, place);
  const problem = personProblem(name);
  return problem === undefined ? name : refuse(place, problem, value);
};

const bucketCount: Reader<readonly [number, number]> = (value, place) => {
  if (!Array.isArray(value) || value.length !== 2) refuse(place, "a pair of bucket and count", value);
  const [bucket, calls] = value as readonly unknown[];
  return [whole(latencyBuckets - 1)(bucket, `${place}[0]`), count(calls, `${place}[1]`)];
};

const sideShape = shape({ calls: count, errors: count, latency: listOf(bucketCount, latencyBuckets) });
const side: typeof sideShape = (value, place) => {
  const counts = sideShape(value, place);
  if (counts.errors > counts.calls)
    refuse(`${place}.errors`, "at most as many errors as calls", counts.errors);
  return counts;
};

/** Keys told apart in one interval of one side; see `FirstErrors`. */
const mostFirstErrors = 500;
const hashes = listOf(whole(Number.MAX_SAFE_INTEGER, 1), mostFirstErrors);
const firstErrorsShape = shape(
  { old: count, new: count },
  { period: count, keys: shape({ old: hashes, new: hashes }) },
);
const firstErrors: typeof firstErrorsShape = (value, place) => {
  const read = firstErrorsShape(value, place);
  for (const which of ["old", "new"] as const)
    if (read.keys !== undefined && read.keys[which].length !== read[which])
      refuse(
        `${place}.keys.${which}`,
        `as many hashes as the count says (${read[which]})`,
        read.keys[which].length,
      );
  return read;
};

const intervalShape = shape(
  {
    id: text(200),
    route: routeName,
    door: doorName,
    epoch: count,
    stage,
    share: within(0, 100),
    from: count,
    to: count,
    old: side,
    new: side,
    shadow: shape({ calls: count, errors: count, timeouts: count, skipped: count }),
    compared: count,
    mismatches: count,
    failedOver: count,
    operations: mapOf(count, 500),
  },
  {
    firstErrors,
    cohorts: mapOf(count, 500),
    differing: shape({ operations: mapOf(count, 500), cohorts: mapOf(count, 500) }),
    refused: mapOf(count, 500),
    backlog: count,
    keyLoad: shape({ norm: count, heaviest: count }),
    partial: count,
    volatile: listOf(text(500), 200),
    overheadMs: within(0, Number.MAX_SAFE_INTEGER),
  },
);

const interval: Reader<Interval> = (value, place) => {
  const read = intervalShape(value, place);
  if (read.to < read.from) refuse(`${place}.to`, "an end that is not before the start", read.to);
  if (read.mismatches > read.compared)
    refuse(`${place}.mismatches`, "at most as many mismatches as comparisons", read.mismatches);
  return read;
};

const sample: Reader<MismatchSample> = shape({
  id: text(200),
  route: routeName,
  door: doorName,
  at: count,
  key: text(500, 0),
  operation: text(200, 0),
  differences: listOf(shape({ path: text(500, 0), old: text(2_000, 0), new: text(2_000, 0) }), 100),
});

const declaration: Reader<RouteDeclaration> = shape(
  {
    route: routeName,
    door: doorName,
    operations: listOf(text(200), 500),
    stages: listOf(stage, stages.length),
  },
  { cohorts: listOf(text(200), 500), never: mapOf(text(200), 500), backlogLimit: count },
);

export const declarationsBody: Reader<{ readonly declarations: readonly RouteDeclaration[] }> = shape({
  declarations: listOf(declaration, mostDeclarations),
});
export const intervalsBody: Reader<{ readonly intervals: readonly Interval[] }> = shape({
  intervals: listOf(interval, mostIntervals),
});
export const samplesBody: Reader<{ readonly samples: readonly MismatchSample[] }> = shape({
  samples: listOf(sample, mostSamples),
});

/** A person's change of a route: `epoch` makes it a compare-and-set against what that person saw. */
export interface RouteOrder {
  readonly stage: Stage;
  readonly share: number;
  readonly epoch?: number;
  readonly by: string;
  readonly reason: string;
}
export const routeBody: Reader<RouteOrder> = shape(
  { stage, share: within(0, 100), by: personName, reason: text(2_000) },
  { epoch: count },
);

/** A person's decision about a run. */
export interface Decision {
  readonly by: string;
  readonly reason: string;
  readonly phase?: string;
  /** Hash of the evidence the person saw; refused when it is no longer the newest. */
  readonly evidence?: string;
}
export const decisionBody: Reader<Decision> = shape(
  { by: personName, reason: text(2_000, 0) },
  { phase: text(200), evidence: text(200) },
);

/** A person's word on a step of which nobody could tell whether it took effect. */
export interface Settlement {
  readonly step: string;
  readonly outcome: "done" | "not-done";
  readonly by: string;
  readonly reason: string;
}
export const settleBody: Reader<Settlement> = shape({
  step: text(500),
  outcome: oneOf(["done", "not-done"]),
  by: personName,
  reason: text(2_000),
});

/** A person fires a trigger that was declared for people, or lifts what a trigger holds or slows. */
export interface TriggerOrder {
  readonly trigger: string;
  readonly by: string;
  readonly reason: string;
}
export const triggerBody: Reader<TriggerOrder> = shape({
  trigger: text(500),
  by: personName,
  reason: text(2_000),
});
