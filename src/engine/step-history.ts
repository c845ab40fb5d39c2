import type { Store } from "../store/index.ts";

const transitions: readonly string[] = ["step.transition"];

/**
 * How often each of `steps` failed since its last success, rollback or settlement, counted from the record.
 * @param steps with the position of the event each began with: what lies before all of them is not read
 */
export async function countFailures(
  store: Store,
  run: string,
  steps: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (let after = Math.min(...steps.values()) - 1; ;) {
    const page = await store.events.read({ stream: `run:${run}`, types: transitions, after, limit: 1_000 });
    for (const { data } of page) {
      const step = data["step"];
      if (typeof step !== "string" || !steps.has(step)) continue;
      if (data["event"] === "fail") counts.set(step, (counts.get(step) ?? 0) + 1);
      else if (data["event"] !== "start") counts.delete(step);
    }
    const last = page.at(-1);
    if (last === undefined) return counts;
    after = last.seq;
  }
}
