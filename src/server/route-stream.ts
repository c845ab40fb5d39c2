import type { Handler } from "./call.ts";
import { NdjsonStream } from "./ndjson.ts";
import { text } from "./shape.ts";

/** How often a quiet stream says that it lives. */
const aliveMs = 2_000;

/**
 * Every route's state now, then each change. Changes wait by route, newest only, while the reader is slow: a door
 * needs the last state, not the history.
 */
export const streamRoutes: Handler = async ({ store, clock, doors, feed, streams }, call) => {
  const door = text(200)(call.query.get("door") ?? undefined, "door");
  const disconnected = doors.connected(door);
  const due: unknown[] = [];
  const changed = new Map<string, unknown>();
  const unsubscribe = feed.subscribe((state) => {
    changed.set(state.route, { type: "route", state });
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
