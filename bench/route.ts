/**
 * What a call through `route()` costs, against calling the function directly and against the peers, all in the
 * same rounds. Processor time, so that other work on the machine counts little; medians over rounds with quartiles.
 */
import { createRollout, type MemoryLink, memoryLink, type Rollout } from "../src/rollout/index.ts";
import { above, measureRounds, type Series, type Spread, spread, type Subject } from "./measure/rounds.ts";
import { nanoseconds, printReach, printTable } from "./measure/table.ts";
import { bytesPerCall } from "./route/allocation.ts";
import { besideShadow } from "./route/beside-shadow.ts";
import { comparing } from "./route/comparing.ts";
import { launchDarkly, openFeature, tzientist } from "./route/peers.ts";
import { answerNew, answerOld, type Call, orders } from "./route/sides.ts";

const rounds = 25;
const calls = 10_000;
/** Shadow work is done between two turns of the event loop; so many calls are made in one turn. */
const perTurn = 50;

const stages = ["off", "share", "shadow", "complete"] as const;
type Stage = (typeof stages)[number];
type Results = ReadonlyMap<string, Series>;

export async function run(): Promise<void> {
  const ld = await launchDarkly();
  const feature = await openFeature();
  const rollouts: Rollout[] = [];
  const subject = (name: string, call: Call): Subject => ({ name, run: (count) => callInTurns(call, count) });
  const links: MemoryLink[] = [];
  const ours = (name: string, stage: Stage, idempotent = false): Subject => {
    const { call, rollout, link } = routed(stage, idempotent);
    rollouts.push(rollout);
    if (stage === "shadow") links.push(link);
    return subject(name, call);
  };
  const results = await measureRounds(
    [
      subject("direct", answerOld),
      ...stages.map((stage) => ours(`route ${stage}`, stage)),
      ours("route share, with fail-over", "share", true),
      ...stages.map((stage) => subject(`launchdarkly ${stage}`, ld.call(stage))),
      subject("tzientist off", tzientist(false)),
      subject("tzientist shadow", tzientist(true)),
      ...(["off", "share", "complete"] as const).map((stage) =>
        subject(`openfeature ${stage}`, feature.call(stage)),
      ),
    ],
    { rounds, calls },
  );
  print(results);
  reach(results);
  for (const rollout of rollouts) await rollout.close();
  compared(links);
  ld.close();
  await feature.close();
  await allocation();
  await comparing();
  await besideShadow();
}

/** Most bytes a call may leave beside what the same call without a door leaves. */
const mostBytes: Readonly<Record<Stage, number>> = { off: 250, share: 600, shadow: 4_000, complete: 250 };

async function allocation(): Promise<void> {
  const direct = (await bytesPerCall((count) => callInTurns(answerOld, count))).median;
  const rows: { stage: Stage; bytes: number }[] = [];
  for (const stage of stages) {
    const { call, rollout } = routed(stage, false);
    rows.push({ stage, bytes: (await bytesPerCall((count) => callInTurns(call, count))).median - direct });
    await rollout.close();
  }
  console.log(`\nbytes allocated per call; the same call without a door: ${Math.round(direct)}\n`);
  printTable(
    ["", "above direct"],
    rows.map(({ stage, bytes }) => [`route ${stage}`, String(Math.round(bytes))]),
  );
  console.log();
  for (const { stage, bytes } of rows)
    printReach(
      `allocation at ${stage}`,
      bytes <= mostBytes[stage],
      `${Math.round(bytes)} bytes`,
      `≤ ${mostBytes[stage]}`,
    );
  console.log();
}

/** A shadow call that was skipped costs next to nothing: the figure of the shadow is one only if nearly all were compared. */
function compared(links: readonly MemoryLink[]): void {
  const intervals = links.flatMap((link) => link.intervals);
  const sum = (read: (interval: (typeof intervals)[number]) => number): number =>
    intervals.reduce((total, interval) => total + read(interval), 0);
  const [all, done] = [sum((interval) => interval.old.calls), sum((interval) => interval.compared)];
  const text = `${done} of ${all}, ${sum((interval) => interval.shadow.skipped)} skipped`;
  printReach("calls at shadow compared", done >= 0.99 * all, text, "≥ 99 %");
}

function routed(stage: Stage, idempotent: boolean): { call: Call; rollout: Rollout; link: MemoryLink } {
  const link = memoryLink();
  const rollout = createRollout({
    link,
    // As fast as they can be made, shadow calls take more of the process than any application would allow.
    overhead: 100,
    state: [{ route: "bench", stage: stage === "share" ? "live" : stage, share: 50 }],
  });
  const call = rollout.route("bench", {
    old: answerOld,
    new: answerNew,
    key: (order) => order.id,
    effects: "none",
    idempotent,
    shadowConcurrency: perTurn,
  });
  return { call, rollout, link };
}

async function callInTurns(call: Call, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await call(orders[i % orders.length] as (typeof orders)[number]);
    if (i % perTurn === perTurn - 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

const cpu = (sample: { cpu: number }): number => sample.cpu;
const series = (results: Results, name: string): Series => results.get(name) ?? [];
const cost = (results: Results, name: string): readonly number[] =>
  above(series(results, name), series(results, "direct"), cpu);

function print(results: Results): void {
  console.log(
    `processor time per call, ${rounds} rounds of ${calls} calls; "above direct" is paired round by round\n`,
  );
  printTable(
    ["", "per call", "above direct", "quartiles", "× route()"],
    [...results].map(([name, samples]) => {
      const over = spread(cost(results, name));
      return [
        name,
        nanoseconds(spread(samples.map(cpu)).median),
        name === "direct" ? "" : nanoseconds(over.median),
        name === "direct" ? "" : `${nanoseconds(over.low)} … ${nanoseconds(over.high)}`,
        name === "direct" || name.startsWith("route") ? "" : ratio(results, name).median.toFixed(1),
      ];
    }),
  );
  console.log();
}

/** Round by round, how many times the cost of our own route at the same stage. */
function ratio(results: Results, peer: string): Spread {
  const own = cost(results, `route ${peer.split(" ").at(-1)}`);
  return spread(cost(results, peer).map((over, round) => over / (own[round] ?? Number.NaN)));
}

function reach(results: Results): void {
  const over = (name: string): number => spread(cost(results, name)).median;
  const limit = (stage: string, most: number): void =>
    printReach(
      `cost at ${stage}`,
      over(`route ${stage}`) <= most,
      nanoseconds(over(`route ${stage}`)),
      `≤ ${nanoseconds(most)}`,
    );
  limit("off", 100);
  limit("complete", 100);
  limit("share", 250);
  limit("share, with fail-over", 250);
  limit("shadow", 2_000);
  for (const stage of stages) {
    const peers = [...results.keys()].filter(
      (name) => name.endsWith(` ${stage}`) && !name.startsWith("route"),
    );
    const best = peers.toSorted((a, b) => over(a) - over(b))[0] ?? "";
    const { median, low, high } = ratio(results, best);
    const found = `${median.toFixed(1)}× under ${best} (${low.toFixed(1)}–${high.toFixed(1)})`;
    printReach(`peers at ${stage}`, median >= 10, found, "≥ 10×");
  }
}
