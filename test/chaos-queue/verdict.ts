import type { JsonObject } from "../../src/core/index.ts";
import type { OrderRecord, Store } from "../../src/store/index.ts";
import { historyWrong } from "./history.ts";
import { type Book, nameOf, readBook, readEffects } from "./book.ts";
import { lingering, lostForNothing, overtaken, togetherWrong } from "./overlap.ts";
import { leaseMs, queueName } from "./plan.ts";
import type { Produced } from "./producer.ts";

export interface Verdict {
  /** What does not hold; nothing when all is well. */
  readonly wrong: readonly string[];
  readonly completed: number;
  readonly cancelled: number;
  readonly attempts: number;
  /** Attempts whose process stood still for so long that another one took their order over meanwhile. */
  readonly overtaken: number;
  /** Attempts that the ledger shut out, because a newer one had come. */
  readonly refused: number;
  /** Orders that lasted longer than two leases and were done by the attempt that began them. */
  readonly long: number;
  readonly events: number;
}

/** Holds the record against the ledger: none lost, none twice, none at the same time, none stuck, the log whole and legal. */
export async function judge(store: Store, folder: string, produced: Produced): Promise<Verdict> {
  const { ids, cancelled, away } = produced;
  const rows = await readRows(store);
  const book = readBook(folder);
  const { attempts } = book;
  const wrong: string[] = [];
  if (rows.size !== ids.size) wrong.push(`${ids.size} orders were acknowledged, ${rows.size} are stored`);
  const begun = new Set(attempts.map(nameOf));
  if (begun.size !== attempts.length) wrong.push(...sameFence(book));
  for (const [n, id] of ids) {
    const row = rows.get(id);
    const keys = readEffects(folder, n);
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
      const name = nameOf({ n, fence: row.fence });
      if (book.refused.has(name)) wrong.push(`${id}: completed by an attempt that the ledger had shut out`);
      else if (!begun.has(name)) wrong.push(`${id}: completed by an attempt that never began`);
    } else if (row.state !== "CANCELLED" || !cancelled.has(n)) {
      wrong.push(`${id}: ended or stayed ${row.state}: ${JSON.stringify(row.error)}`);
    }
  }
  wrong.push(...togetherWrong(book), ...lostForNothing(book, away), ...lingering(book));
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
    overtaken: overtaken(book),
    refused: book.refused.size,
    long: attempts.filter(({ begin, end, how }) => how === "done" && end - begin > 2 * leaseMs).length,
    events: chain.events,
  };
}

function sameFence({ attempts }: Book): readonly string[] {
  const seen = new Set<string>();
  return attempts
    .map(nameOf)
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
