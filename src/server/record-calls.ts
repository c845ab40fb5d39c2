import type { Handler } from "./call.ts";
import { refuse, whole } from "./shape.ts";

/** Most events of one answer. */
const mostEvents = 1_000;

export const health: Handler = async ({ store, pid, version, doors, run }) => {
  const runs = await store.runs.list();
  return {
    pid,
    version,
    store: store.description,
    runs: runs
      .filter((each) => run(each.id) !== undefined)
      .map(({ id, migration, state }) => ({ id, migration, state })),
    doors: doors.names(),
  };
};

export const readEvents: Handler = ({ store }, call) => {
  const after = numberOf(call.query, "after", 0);
  const limit = Math.min(mostEvents, numberOf(call.query, "limit", 100));
  const stream = call.query.get("stream");
  return store.events.read({ after, limit, ...(stream === null ? {} : { stream }) });
};

export const verifyChain: Handler = ({ store }) => store.events.verify();

function numberOf(query: URLSearchParams, name: string, otherwise: number): number {
  const found = query.get(name);
  if (found === null) return otherwise;
  if (!/^\d{1,15}$/.test(found)) refuse(name, "a whole number", found);
  return whole()(Number(found), name);
}
