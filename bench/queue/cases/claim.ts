/**
 * One claim of one order while 100,000 others, more urgent, wait in front that do not fit; through the store's door,
 * where a claim can be timed apart from everything else. The commit of what was claimed is part of the time.
 */
import { spread } from "../../measure/rounds.ts";
import { printTable } from "../../measure/table.ts";
import { openQueue } from "../../../src/queue/index.ts";
import { type Capacity, openStore, type Store } from "../../../src/store/index.ts";
import { reachFigure } from "../report.ts";
import { type Bench, orLeave } from "../turns.ts";

const front = 100_000;
const claims = 300;
const kind = "noop";
/** What the worker of this case has; orders of the front want more slots, or a tag it does not offer. */
const capacity: Capacity = { slots: 4, memory: 4e6, max: 1, kinds: [kind], starts: [kind], tags: [] };
const fronts = {
  "nothing in front": undefined,
  "larger ones in front": { slots: 64 },
  "another tag's in front": { tags: ["gpu"] },
} as const;
type Front = keyof typeof fronts;

interface Times {
  readonly store: string;
  readonly front: Front;
  /** Milliseconds of claims that found an order, and of those that found none. */
  readonly found: readonly number[];
  readonly empty: readonly number[];
}

export async function claim(bench: Bench): Promise<void> {
  const times: Times[] = [];
  for (const [name, where] of [
    ["PostgreSQL", await bench.machines.postgres()],
    ["SQLite", bench.machines.sqlite()],
  ] as const) {
    times.push(...((await orLeave(`cutover ${name}`, () => measure(name, where))) ?? []));
  }
  console.log(
    `\none claim of one order, ${front.toLocaleString("en")} in front that do not fit, milliseconds\n`,
  );
  const at = (values: readonly number[], part: number): number =>
    values.toSorted((a, b) => a - b)[Math.floor(part * values.length)] ?? Number.NaN;
  printTable(
    ["", "p50", "quartiles", "p99", "p50 when none fits"],
    times.map(({ store, front: name, found, empty }) => {
      const { median, low, high } = spread(found);
      return [
        `${store}, ${name}`,
        median.toFixed(3),
        `${low.toFixed(3)} … ${high.toFixed(3)}`,
        at(found, 0.99).toFixed(3),
        spread(empty).median.toFixed(3),
      ];
    }),
  );
  console.log();
  for (const { store, front: name, found } of times) {
    if (fronts[name] === undefined) continue;
    const suffix = store === "PostgreSQL" ? "" : `, ${store}`;
    reachFigure(`claim-behind-100k${suffix}, ${name}`, spread(found).median, { below: 1 }, "ms");
  }
  if (times.length === 0) reachFigure("claim-behind-100k", undefined, { below: 1 }, "ms");
}

async function measure(name: string, where: string): Promise<readonly Times[]> {
  const store = await openStore(where);
  try {
    const times: Record<Front, { found: number[]; empty: number[] }> = {
      "nothing in front": { found: [], empty: [] },
      "larger ones in front": { found: [], empty: [] },
      "another tag's in front": { found: [], empty: [] },
    };
    const names = Object.keys(fronts) as Front[];
    for (const each of names) await fill(store, each);
    // In turns, so that noise hits all alike; the first tenth is not kept. After the last order the claims find none.
    for (const part of ["found", "empty"] as const) {
      for (let i = -claims / 10; i < claims; i++) {
        for (const each of names) {
          const began = performance.now();
          const got = await store.orders.claim(queueOf(each), "bench", capacity, 600_000);
          const took = performance.now() - began;
          if (got.length !== (part === "found" ? 1 : 0))
            throw new Error(`expected a claim that is ${part}, got ${got.length} orders (${each})`);
          if (i >= 0) times[each][part].push(took);
        }
      }
    }
    return names.map((each) => ({ store: name, front: each, ...times[each] }));
  } finally {
    await store.close();
  }
}

const queueOf = (name: Front): string => name.replaceAll(/\W+/g, "-");

/** The front, then as many small orders as will be claimed. */
async function fill(store: Store, name: Front): Promise<void> {
  const needs = fronts[name];
  const queue = await openQueue(
    { store },
    { name: queueOf(name), slots: 64, memoryPerSlot: "1 MB", depth: 10 * front },
  );
  if (needs !== undefined) {
    const one = { kind, needs: { memory: "1 MB", ...needs }, priority: 10 };
    for (let sent = 0; sent < front; sent += 1_000)
      await queue.submitAll(Array.from({ length: 1_000 }, () => one));
  }
  const small = { kind, needs: { memory: "1 MB", slots: 1 } };
  await queue.submitAll(Array.from({ length: claims + claims / 10 }, () => small));
  await queue.stop();
}
