import { type Clock, type RouteState, stages } from "../core/index.ts";
import { hasEnded, type RunRecord, type Store } from "../store/index.ts";
import { type Family, openMetrics, type Sample } from "./open-metrics.ts";
import { RouteTotals } from "./route-totals.ts";

/** Runs of the past that are still named one by one; all are counted. */
const namedRuns = 50;

/** The page at `/metrics`: how runs, routes and queues stand, and what doors reported since this process began. */
export class MetricsPage {
  readonly #store: Store;
  readonly #version: string;
  readonly #totals: RouteTotals;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: Store, version: string, clock: Clock) {
    this.#store = store;
    this.#version = version;
    this.#totals = new RouteTotals(store, clock.now());
  }

  /** One reading after the other, or what arrives between two would be counted by both. */
  read(doors: number): Promise<string> {
    const page = this.#last.then(() => this.#build(doors));
    this.#last = page.catch(() => {});
    return page;
  }

  async #build(doors: number): Promise<string> {
    const { runs, routes, events } = this.#store;
    const states = await routes.list();
    await this.#totals.update(states.map(({ route }) => route));
    return openMetrics([
      {
        name: "cutover_build",
        type: "info",
        help: "The version that answers.",
        samples: [{ labels: { version: this.#version }, value: 1 }],
      },
      ...runFamilies(await runs.list()),
      ...stateFamilies(states),
      ...this.#totals.families(),
      gauge("cutover_doors", "Doors that follow this server.", [{ value: doors }]),
      gauge("cutover_events", "Events in the record.", [{ value: await events.count() }]),
      ...(await this.#queueFamilies()),
    ]);
  }

  async #queueFamilies(): Promise<readonly Family[]> {
    const { orders, clock } = this.#store;
    const counted: Sample[] = [];
    const ages: Sample[] = [];
    const paused: Sample[] = [];
    for (const queue of await orders.queues()) {
      for (const [state, value] of Object.entries<number>({ ...(await orders.counts(queue)) }))
        counted.push({ labels: { queue, state }, value });
      const due = await orders.oldestDue(queue);
      ages.push({ labels: { queue }, value: due === undefined ? 0 : Math.max(0, clock.now() - due) / 1_000 });
      paused.push({ labels: { queue }, value: Number((await orders.config(queue)).paused) });
    }
    return [
      gauge("cutover_orders", "Work orders in the record by state.", counted),
      gauge(
        "cutover_queue_wait_seconds",
        "Time since the order that waits longest for room was submitted or due.",
        ages,
      ),
      gauge("cutover_queue_paused", "1 while nothing of the queue is started.", paused),
    ];
  }
}

function runFamilies(runs: readonly RunRecord[]): readonly Family[] {
  const counts = new Map<string, number>();
  for (const { state } of runs) counts.set(state, (counts.get(state) ?? 0) + 1);
  const open = runs.filter(({ state }) => !hasEnded(state));
  const shown = [...open, ...runs.filter((run) => !open.includes(run))].slice(
    0,
    Math.max(namedRuns, open.length),
  );
  return [
    gauge(
      "cutover_runs",
      "Runs in the record by state.",
      [...counts].map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge(
      "cutover_run_state",
      "The state of each unfinished run, and of the newest others.",
      shown.map(({ id, migration, state }) => ({ labels: { run: id, migration, state }, value: 1 })),
    ),
  ];
}

function stateFamilies(states: readonly RouteState[]): readonly Family[] {
  const each = (value: (state: RouteState) => number): readonly Sample[] =>
    states.map((state) => ({ labels: { route: state.route }, value: value(state) }));
  return [
    gauge(
      "cutover_route_stage",
      "1 for the stage a route is in.",
      states.flatMap(({ route, stage }) =>
        stages.map((name) => ({ labels: { route, stage: name }, value: Number(name === stage) })),
      ),
    ),
    gauge(
      "cutover_route_share_ratio",
      "Part of the keys that the new side answers at stage live.",
      each(({ share }) => share / 100),
    ),
    gauge(
      "cutover_route_epoch",
      "Grows with every change of a route's stage or share.",
      each(({ epoch }) => epoch),
    ),
  ];
}

const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
  name,
  type: "gauge",
  help,
  samples,
});
