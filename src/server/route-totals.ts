import type { Interval } from "../core/index.ts";
import type { Store } from "../store/index.ts";
import type { Family, Sample } from "./open-metrics.ts";

/** Upper bounds of the histogram: every ninth bucket of a door, so each about twice the one before, 0.01 ms to 172 s. */
const bucketStep = 9;
const lastBucket = 219;
const boundSeconds = (bucket: number): number => Number((1e-5 * 1.08 ** bucket).toPrecision(6));

const sides = ["old", "new"] as const;

interface Totals {
  position: number;
  readonly counts: Map<string, number>;
  readonly latency: Record<(typeof sides)[number], number[]>;
}

/** What doors reported about each route since this process began, added up as it arrives: late intervals count too. */
export class RouteTotals {
  readonly #store: Store;
  readonly #since: number;
  readonly #routes = new Map<string, Totals>();

  /** @param since wall-clock milliseconds: what ended before is not counted */
  constructor(store: Store, since: number) {
    this.#store = store;
    this.#since = since;
  }

  /** Adds what arrived since the last call. Not to be called again before it is done, or arrivals count twice. */
  async update(routes: readonly string[]): Promise<void> {
    for (const route of routes) {
      const totals = this.#of(route);
      const { intervals, position } = await this.#store.routes.arrivals({
        route,
        after: totals.position,
        since: this.#since,
      });
      totals.position = position;
      for (const interval of intervals) add(totals, interval);
    }
  }

  families(): readonly Family[] {
    const counter = (name: string, help: string): Family => ({
      name: `cutover_route_${name}`,
      type: "counter",
      help,
      samples: [...this.#routes].flatMap(([route, { counts }]) =>
        [...counts].flatMap(([key, value]): Sample[] => {
          const [of, label, text] = key.split(" ");
          if (of !== name) return [];
          return [{ labels: { route, ...(label === undefined ? {} : { [label]: text ?? "" }) }, value }];
        }),
      ),
    });
    return [
      counter("calls", "Calls answered or tried by each side."),
      counter("errors", "Calls of each side that failed."),
      counter("failed_over", "Calls that the old side answered because the new side failed."),
      counter("shadow_calls", "Calls off the caller's path, and second writes, by what came of them."),
      counter("compared", "Answers of both sides that were compared."),
      counter("mismatches", "Compared answers that differ."),
      {
        name: "cutover_route_latency_seconds",
        type: "histogram",
        help: "Time to an answer, of the calls that were timed.",
        samples: [...this.#routes].flatMap(([route, { latency }]) =>
          sides.flatMap((side) => histogram({ route, side }, latency[side])),
        ),
      },
    ];
  }

  #of(route: string): Totals {
    let totals = this.#routes.get(route);
    if (totals === undefined) {
      totals = { position: 0, counts: new Map(), latency: { old: [], new: [] } };
      this.#routes.set(route, totals);
    }
    return totals;
  }
}

function add({ counts, latency }: Totals, interval: Interval): void {
  const count = (key: string, value: number): void => void counts.set(key, (counts.get(key) ?? 0) + value);
  for (const side of sides) {
    count(`calls side ${side}`, interval[side].calls);
    count(`errors side ${side}`, interval[side].errors);
    for (const [bucket, calls] of interval[side].latency)
      latency[side][bucket] = (latency[side][bucket] ?? 0) + calls;
  }
  count("failed_over", interval.failedOver);
  count("shadow_calls result made", interval.shadow.calls);
  count("shadow_calls result error", interval.shadow.errors);
  count("shadow_calls result timeout", interval.shadow.timeouts);
  count("shadow_calls result skipped", interval.shadow.skipped);
  count("compared", interval.compared);
  count("mismatches", interval.mismatches);
}

function histogram(labels: Readonly<Record<string, string>>, counts: readonly number[]): readonly Sample[] {
  const samples: Sample[] = [];
  let sum = 0;
  let seconds = 0;
  for (let bucket = 0; bucket <= lastBucket; bucket++) {
    const calls = counts[bucket] ?? 0;
    sum += calls;
    // A call lies somewhere in its bucket: its upper bound is at most 8 % too much.
    seconds += calls * boundSeconds(bucket);
    if (bucket % bucketStep === 0)
      samples.push({
        suffix: "_bucket",
        labels: { ...labels, le: String(boundSeconds(bucket)) },
        value: sum,
      });
  }
  return [
    ...samples,
    { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: sum },
    { suffix: "_sum", labels, value: Number(seconds.toPrecision(9)) },
    { suffix: "_count", labels, value: sum },
  ];
}
