/**
 * How fast the gates notice a worse side and how seldom they wrong a healthy one: the reference table of the design,
 * simulated with fixed seeds, beside what other tools do on the same streams. Looks happen every second.
 * `--quick` takes a twentieth of the runs, for a first impression.
 */
import { computeCells } from "./gates/cell-pool.ts";
import type { Cell, CellResult, ErrorCell, Found, LatencyCell, WorldName } from "./gates/cells.ts";
import { latencyCases } from "./gates/latency-cases.ts";
import { alpha, beta, judgeNames, methodNames } from "./gates/methods.ts";
import { benchOptions } from "./measure/options.ts";
import { printReach, printTable } from "./measure/table.ts";

const { quick } = benchOptions({ quick: "a twentieth of the runs" });
const runs = quick ? 50 : 1000;
/** More where a median is held against a whole number of seconds. */
const detectionRuns = quick ? 100 : 2000;
/** False alarms may exceed alpha by two standard errors of the simulation itself. */
const allowed = alpha + 2 * Math.sqrt((alpha * (1 - alpha)) / runs);

interface Row<C extends Cell> {
  readonly name: string;
  readonly cell: C;
  /** Seconds that the median may take. */
  readonly target?: number;
}

let seed = 1;
const errors = (
  name: string,
  world: WorldName,
  parts: Partial<ErrorCell> & { readonly target?: number } = {},
): Row<ErrorCell> => {
  const { target, ...rest } = parts;
  const ratio = rest.ratio ?? 1;
  const cell: ErrorCell = {
    kind: "errors",
    world,
    methods: methodNames,
    callsPerSecond: 200,
    share: 0.05,
    oldRate: 0.01,
    ratio,
    seconds: 600,
    runs: ratio === 1 ? runs : detectionRuns,
    seed: seed++,
    ...rest,
  };
  return { name, cell, ...(target === undefined ? {} : { target }) };
};

const detection: readonly Row<ErrorCell>[] = [
  errors("×2, 200/s", "steady", { ratio: 2, seconds: 1400, target: 142 }),
  errors("×5, 200/s", "steady", { ratio: 5, target: 15 }),
  errors("×2, 2000/s", "steady", { ratio: 2, callsPerSecond: 2000, target: 14 }),
  errors("×5, 2000/s", "steady", { ratio: 5, callsPerSecond: 2000, target: 2 }),
  errors("old 0.01 %, new 1 %, 200/s", "steady", { oldRate: 0.0001, ratio: 100, runs }),
  errors("sticky users, ×5, 200/s", "stickyUsers", { ratio: 5, runs }),
  errors("sticky users, ×2, 2000/s", "stickyUsers", { ratio: 2, callsPerSecond: 2000, runs }),
];

const equal: readonly Row<ErrorCell>[] = [
  errors("Bernoulli, 200/s", "steady"),
  errors("Bernoulli, 2000/s", "steady", { callsPerSecond: 2000 }),
  errors("Bernoulli 0.1 %, 200/s", "steady", { oldRate: 0.001 }),
  errors("no errors at all, 200/s", "steady", { oldRate: 0 }),
  errors("bursts, 200/s", "bursts"),
  errors("day rhythm, share 5–50 %, 200/s", "dayRhythm"),
  errors("sticky users, 200/s", "stickyUsers"),
  errors("sticky users, share 50 %, 200/s", "stickyUsers", { share: 0.5 }),
  errors("sticky users, 2000/s", "stickyUsers", { callsPerSecond: 2000 }),
];

const judged: readonly Row<ErrorCell>[] = [
  errors("equal sides, share 50 %", "stickyUsers", { share: 0.5, methods: judgeNames }),
  errors("new side ×5, share 50 %", "stickyUsers", { share: 0.5, ratio: 5, runs, methods: judgeNames }),
];

const latency: readonly Row<LatencyCell>[] = Object.keys(latencyCases).flatMap((slowness) =>
  [200, 1000].map((callsPerSecond): Row<LatencyCell> => {
    const cell = {
      kind: "latency",
      slowness,
      callsPerSecond,
      share: 0.05,
      seconds: 300,
      runs,
      seed: seed++,
    } as const;
    return { name: `${slowness}, ${callsPerSecond}/s`, cell };
  }),
);

const promotion = ([1, 1.5, 2] as const).map((ratio) => ({
  name: `×${ratio}`,
  cell: { kind: "promotion", ratio, seconds: ratio === 1.5 ? 3000 : 600, runs, seed: seed++ } as const,
}));

const late = ([100, 10, 5] as const).map((ratio) => ({
  name: `×${ratio}`,
  cell: { kind: "late", ratio, seconds: 600, runs: quick ? 10 : 100, seed: seed++ } as const,
}));

const percent = (part: number): string => `${Number((part * 100).toFixed(1))} %`;
const seconds = ({ median, part }: Found): string =>
  median === undefined
    ? `most not (${percent(part)})`
    : `${median} s${part < 1 ? ` (${percent(part)})` : ""}`;

/** Prints the tables and whether each figure is reached. */
export async function run(): Promise<void> {
  const rows: readonly Row<Cell>[] = [...detection, ...equal, ...judged, ...latency, ...promotion, ...late];
  const results = await computeCells(rows.map(({ cell }) => cell));
  const of = (row: Row<Cell>, method: string): Found =>
    (results[rows.indexOf(row)] as CellResult)[method] as Found;

  console.log(
    `errors: share 5 %, base error rate 1 %, alpha 1 %, a look each second; ${runs} runs a row, ${detectionRuns} for the first four`,
  );
  console.log("\nmedian seconds until a worse side is failed (part of the runs, where not all)");
  printTable(
    ["new side", "reference", ...methodNames],
    detection.map((row) => [
      row.name,
      row.target === undefined ? "" : `${row.target} s`,
      ...methodNames.map((method) => seconds(of(row, method))),
    ]),
  );
  console.log("\nequal sides (A/A), ten minutes: part of the runs that were failed");
  printTable(
    ["traffic", ...methodNames],
    equal.map((row) => [row.name, ...methodNames.map((method) => percent(of(row, method).part))]),
  );
  console.log("\nsticky users, 200/s, the engine's judge of at most 2×, a look each five seconds");
  printTable(
    ["", ...judgeNames],
    judged.map((row) => [
      row.name,
      ...judgeNames.map((name) => {
        const found = of(row, name);
        return row.cell.ratio === 1 ? `${percent(found.part)} wronged` : seconds(found);
      }),
    ]),
  );
  console.log("\nlatency: log-normal, share 5 %, five minutes; median seconds until the new side is failed");
  printTable(
    ["new side", "slow counts", "Mann–Whitney each minute"],
    latency.map((row) => {
      const cells = ["ours", "repeated"].map((method) => of(row, method));
      const text =
        row.cell.slowness === "equal"
          ? cells.map(({ part }) => `${percent(part)} wronged`)
          : cells.map(seconds);
      return [row.name, ...text];
    }),
  );
  console.log("\npromotion: clears below 2×, 200/s, share 50 %, beta 5 %");
  printTable(
    ["new side", "median", "passed"],
    promotion.map((row) => [row.name, seconds(of(row, "passes")), percent(of(row, "passes").part)]),
  );
  console.log("\nfault after ten healthy minutes, 200/s, share 50 %, judged every 250 ms");
  printTable(
    ["new side", "median detection"],
    late.map((row) => [row.name, seconds(of(row, "fails"))]),
  );
  console.log();
  reachAll(of);
}

function reachAll(of: (row: Row<Cell>, method: string) => Found): void {
  for (const row of detection) {
    if (row.target === undefined) continue;
    const { median = Number.POSITIVE_INFINITY } = of(row, "per call");
    printReach(`detect ${row.name}`, median <= row.target, `${median} s median`, `≤ ${row.target} s`);
  }
  for (const row of equal) {
    // Sticky users are what first errors are for; counts per call stand beside them to show why.
    const sticky = row.cell.world === "stickyUsers";
    const part = Math.max(
      ...["first errors", ...(sticky ? [] : ["per call"])].map((name) => of(row, name).part),
    );
    printReach(`false alarms, ${row.name}`, part <= allowed, percent(part), `≤ ${percent(allowed)}`);
  }
  const wronged = of(judged[0] as Row<Cell>, "judge with keys").part;
  printReach(
    "false alarms, judge, sticky users",
    wronged <= allowed,
    percent(wronged),
    `≤ ${percent(allowed)}`,
  );
  for (const row of latency) {
    const { part, median } = of(row, "ours");
    if (row.cell.slowness === "equal") {
      printReach(
        `false alarms, latency ${row.cell.callsPerSecond}/s`,
        part <= allowed,
        percent(part),
        `≤ ${percent(allowed)}`,
      );
      continue;
    }
    const found = seconds({ part, ...(median === undefined ? {} : { median }) });
    printReach(`latency ${row.name}`, median !== undefined, found, `≤ ${row.cell.seconds} s median`);
  }
  const [, , atLimit] = promotion;
  const passed = of(atLimit as Row<Cell>, "passes").part;
  const most = beta + 2 * Math.sqrt((beta * (1 - beta)) / runs);
  printReach("false passes at ×2", passed <= most, percent(passed), `≤ ${percent(most)}`);
  const every = of(late[0] as Row<Cell>, "fails").median ?? Number.POSITIVE_INFINITY;
  printReach("late fault, every call fails", every <= 1, `${every} s median`, "≤ 1 s");
}
