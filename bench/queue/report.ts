/** The tables and `reach` lines of the queue's bench. */
import { type Spread, spread } from "../measure/rounds.ts";
import { printReach, printTable } from "../measure/table.ts";
import type { SideName } from "./sides.ts";
import { best, type Figures, ratio } from "./turns.ts";

/** Peers that keep their jobs in the same PostgreSQL, as durably as ours. */
export const postgresPeers: readonly SideName[] = [
  "graphile-worker",
  "graphile-worker local queue",
  "pg-boss",
  "pg-boss polling",
];
/** And the one that is as durable on Redis. */
export const durablePeers: readonly SideName[] = [...postgresPeers, "BullMQ fsync always"];
export const peers: readonly SideName[] = [...durablePeers, "BullMQ fsync everysec"];

const whole = (value: number): string => Math.round(value).toLocaleString("en");
const times = ({ median, low, high }: Spread): string =>
  `${median.toFixed(2)}× (${low.toFixed(2)}–${high.toFixed(2)})`;

/** Rates of all sides, each with how many times its rate ours on PostgreSQL has. */
export function printRates(title: string, figures: Figures): void {
  console.log(`\n${title}\n`);
  printTable(
    ["", "per second", "quartiles", "cutover PostgreSQL is"],
    [...figures].map(([name, values]) => {
      const { median, low, high } = spread(values);
      const over = ratio(figures, "cutover PostgreSQL", name);
      return [
        name,
        whole(median),
        `${whole(low)} … ${whole(high)}`,
        name.startsWith("cutover PostgreSQL") || Number.isNaN(over.median) ? "" : times(over),
      ];
    }),
  );
  console.log();
}

/** Whether ours on PostgreSQL has `least` times the rate of the best of `others`. */
export function reachRatio(name: string, figures: Figures, others: readonly SideName[], least: number): void {
  const peer = best(figures, others);
  if (peer === undefined || !figures.has("cutover PostgreSQL")) {
    console.log(`reach ${name}: not measured`);
    return;
  }
  const over = ratio(figures, "cutover PostgreSQL", peer);
  printReach(name, over.median >= least, `${times(over)} of ${peer}`, `≥ ${least}×`);
}

/** Whether a figure that may be missing is at least, or less than, its target. */
export function reachFigure(
  name: string,
  found: number | undefined,
  target: { readonly least: number } | { readonly below: number },
  unit: string,
): void {
  if (found === undefined || Number.isNaN(found)) {
    console.log(`reach ${name}: not measured`);
    return;
  }
  const digits = found >= 100 ? 0 : 2;
  const shown = `${Number(found.toFixed(digits)).toLocaleString("en")} ${unit}`;
  if ("least" in target)
    printReach(name, found >= target.least, shown, `≥ ${target.least.toLocaleString("en")} ${unit}`);
  else printReach(name, found < target.below, shown, `< ${target.below} ${unit}`);
}
