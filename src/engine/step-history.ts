import type { Store } from "../store/index.ts";

/** How often each of `steps` failed since its last success, rollback or settlement, counted from the record. */
export async function countFailures(
  store: Store,
  run: string,
  steps: ReadonlySet<string>,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (let after = 0; ;) {
    const page = await store.events.read({ stream: `run:${run}`, after, limit: 1_000 });
    for (const { type, data } of page) {
      const step = data["step"];
      if (type !== "step.transition" || typeof step !== "string" || !steps.has(step)) continue;
      if (data["event"] === "fail") counts.set(step, (counts.get(step) ?? 0) + 1);
      else if (data["event"] !== "start") counts.delete(step);
    }
    const last = page.at(-1);
    if (last === undefined) return counts;
    after = last.seq;
  }
}
