import type { JsonObject } from "../../src/core/index.ts";
import type { OrderRecord, Store } from "../../src/store/index.ts";
import { historyWrong } from "./history.ts";
import { type Noted, readAttempts, readEffects } from "./ledger.ts";
import { queueName } from "./plan.ts";
import type { Produced } from "./producer.ts";

export interface Verdict {
  /** What does not hold; nothing when all is well. */
  readonly wrong: readonly string[];
  readonly completed: number;
  readonly cancelled: number;
  readonly attempts: number;
  readonly events: number;
}

/** Holds the record against the ledger: none lost, none twice, none stuck, the log whole and legal. */
export async function judge(store: Store, folder: string, { ids, cancelled }: Produced): Promise<Verdict> {
  const rows = await readRows(store);
  const attempts = readAttempts(folder);
  const effects = readEffects(folder);
  const wrong: string[] = [];
  if (rows.size !== ids.size) wrong.push(`${ids.size} orders were acknowledged, ${rows.size} are stored`);
  const begun = new Set(attempts.map(({ n, fence }) => `${n} ${fence}`));
  if (begun.size !== attempts.length) wrong.push(...sameFence(attempts));
  for (const [n, id] of ids) {
    const row = rows.get(id);
    const keys = effects.get(n) ?? [];
    if (row === undefined) wrong.push(`${id}: acknowledged, but lost`);
    else if (keys.length > 1) wrong.push(`${id}: effects under the keys ${keys.join(", ")}`);
    else if (row.state === "COMPLETED") {
      const { n: sameN, fence } = (row.result ?? {}) as JsonObject;
      if (keys.length === 0) wrong.push(`${id}: COMPLETED without an effect`);
      if (sameN !== n || fence !== row.fence) {
        wrong.push(
          `${id}: its result ${JSON.stringify(row.result)} is not of its newest claim, ${row.fence}`,
        );
      }
      if (!begun.has(`${n} ${row.fence}`)) wrong.push(`${id}: completed by an attempt that never began`);
    } else if (row.state !== "CANCELLED" || !cancelled.has(n)) {
      wrong.push(`${id}: ended or stayed ${row.state}: ${JSON.stringify(row.error)}`);
    }
  }
  wrong.push(...(await historyWrong(store, queueName, rows)));
  const chain = await store.events.verify();
  if (!chain.whole) wrong.push(`the chain is broken at ${chain.brokenAt}: ${chain.reason}`);
  wrong.push(...(await rebuildWrong(store, rows)));
  const states = [...rows.values()].map(({ state }) => state);
  return {
    wrong,
    completed: states.filter((state) => state === "COMPLETED").length,
    cancelled: states.filter((state) => state === "CANCELLED").length,
    attempts: attempts.length,
    events: chain.events,
  };
}

function sameFence(attempts: readonly Noted[]): readonly string[] {
  const seen = new Set<string>();
  return attempts
    .map(({ n, fence }) => `${n} under fence ${fence}`)
    .filter((one) => seen.size === seen.add(one).size)
    .map((one) => `two attempts of ${one}`);
}

async function readRows(store: Store): Promise<ReadonlyMap<string, OrderRecord>> {
  const rows = new Map<string, OrderRecord>();
  for (let after = ""; ;) {
    const page = await store.orders.list({ queue: queueName, limit: 2_000, after });
    for (const row of page) rows.set(row.id, row);
    after = page.at(-1)?.id ?? after;
    if (page.length < 2_000) return rows;
  }
}

async function rebuildWrong(
  store: Store,
  before: ReadonlyMap<string, OrderRecord>,
): Promise<readonly string[]> {
  await store.rebuild();
  const after = await readRows(store);
  return [...before]
    .filter(([id, row]) => JSON.stringify(row) !== JSON.stringify(after.get(id)))
    .map(
      ([id, row]) =>
        `${id}: rebuilt from the log it is ${JSON.stringify(after.get(id))}, not ${JSON.stringify(row)}`,
    );
}
