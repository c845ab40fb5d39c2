import { faultPoint } from "../core/index.ts";
import type { Handler } from "./call.ts";
import { byOwnClock } from "./door-clock.ts";
import { declarationsBody, intervalsBody, samplesBody } from "./wire-shapes.ts";

export const declareRoutes: Handler = async ({ doors, declared }, call) => {
  const { declarations } = declarationsBody(await call.body(), "");
  doors.declare(declarations);
  await declared?.(declarations);
  return { declared: declarations.length };
};

export const recordIntervals: Handler = async ({ store, doors, clock }, call) => {
  const told = intervalsBody(await call.body(), "").intervals;
  const intervals = byOwnClock(told, call.request.headers.date, clock.now());
  for (const door of new Set(intervals.map((interval) => interval.door))) doors.heard(door);
  faultPoint("server.intervals.before-commit");
  const stored = await store.routes.recordIntervals(intervals);
  faultPoint("server.intervals.after-commit");
  return { stored };
};

export const recordMismatches: Handler = async ({ store, doors }, call) => {
  const { samples } = samplesBody(await call.body(), "");
  for (const door of new Set(samples.map((sample) => sample.door))) doors.heard(door);
  await store.routes.recordMismatches(samples);
  return { stored: samples.length };
};
