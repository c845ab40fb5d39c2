import { faultPoint } from "../core/index.ts";
import type { Handler } from "./call.ts";
import { NdjsonStream } from "./ndjson.ts";
import { text } from "./shape.ts";
import { declarationsBody, intervalsBody, samplesBody } from "./wire-shapes.ts";

/** How often a quiet stream says that it lives. */
const aliveMs = 2_000;

export const declareRoutes: Handler = async ({ doors }, call) => {
  const { declarations } = declarationsBody(await call.body(), "");
  doors.declare(declarations);
  return { declared: declarations.length };
};

export const recordIntervals: Handler = async ({ store, doors }, call) => {
  const { intervals } = intervalsBody(await call.body(), "");
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

/**
 * Every route's state now, then each change. Changes wait by route, newest only, while the reader is slow: a door
 * needs the last state, not the history.
 */
export const streamRoutes: Handler = async ({ store, clock, doors, streams }, call) => {
  const door = text(200)(call.query.get("door") ?? undefined, "door");
  const disconnected = doors.connected(door);
  const due: unknown[] = [];
  const changed = new Map<string, unknown>();
  const unsubscribe = store.events.subscribe((events) => {
    for (const event of events) {
      const after = event.type === "route.changed" ? event.data["after"] : undefined;
      if (typeof after !== "object" || after === null || !("route" in after)) continue;
      if (typeof after.route === "string") changed.set(after.route, { type: "route", state: after });
    }
    stream.wake();
  });
  const stream = new NdjsonStream(call.response, clock, () => {
    if (due.length > 0) return due.shift();
    const [next] = changed;
    if (next === undefined) return undefined;
    changed.delete(next[0]);
    return next[1];
  });
  streams.add(stream);
  const beat = (): void => {
    if (stream.closed) return;
    if (due.length === 0) due.push({ type: "alive" });
    stream.wake();
    timer = clock.after(aliveMs, beat);
    timer.unref();
  };
  let timer = clock.after(aliveMs, beat);
  timer.unref();
  call.response.on("close", () => {
    timer.cancel();
    unsubscribe();
    disconnected();
    streams.delete(stream);
  });
  due.push({ type: "routes", routes: await store.routes.list() });
  stream.wake();
  return undefined;
};
