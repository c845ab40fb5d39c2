/**
 * What calls cost in one process: ours and the peers, each once a round. A process of its own, for which functions the
 * compiler puts into one another, and how large the young generation grows, is settled once for a process. Answers with
 * one line of JSON.
 */
import type { MemoryLink, Rollout } from "../../src/rollout/index.ts";
import { above, measureRounds, spread, type Subject } from "../measure/rounds.ts";
import { launchDarkly, openFeature, tzientist } from "./peers.ts";
import { callInTurns, routed, type Stage, stages } from "./routes.ts";
import { answerOld, type Call, madeHere } from "./sides.ts";

const rounds = 9;
const calls = 3_000;
/** By then everything is compiled: a route at a share is, after some 10,000 calls. */
const warmUp = 5;

export interface CallCosts {
  /** Processor time of the call without a door, nanoseconds; tells how fast the machine was meanwhile. */
  readonly direct: number;
  /** By name what a call takes above that, paired round by round: median of the rounds. */
  readonly above: Readonly<Record<string, number>>;
  readonly shadow: { readonly calls: number; readonly compared: number; readonly skipped: number };
}

const ld = await launchDarkly();
const feature = await openFeature();
const rollouts: Rollout[] = [];
const links: MemoryLink[] = [];

const subject = (name: string, call: Call): Subject => ({ name, run: (count) => callInTurns(call, count) });
const ours = (name: string, stage: Stage, idempotent = false): Subject => {
  const { call, rollout, link } = routed(stage, idempotent);
  rollouts.push(rollout);
  if (stage === "shadow") links.push(link);
  return subject(name, call);
};

const { call: made, rollout: madeRollout } = routed("share", false);
rollouts.push(madeRollout);

const results = await measureRounds(
  [
    subject("direct", answerOld),
    ...stages.map((stage) => ours(`route ${stage}`, stage)),
    ours("route share, with fail-over", "share", true),
    {
      name: "route share, ids made here",
      run: (count) => callInTurns(made, count, madeHere),
    },
    ...stages.map((stage) => subject(`launchdarkly ${stage}`, ld.call(stage))),
    subject("tzientist off", tzientist(false)),
    subject("tzientist shadow", tzientist(true)),
    ...(["off", "share", "complete"] as const).map((stage) =>
      subject(`openfeature ${stage}`, feature.call(stage)),
    ),
  ],
  { rounds, calls, warmUp },
);
for (const rollout of rollouts) await rollout.close();
ld.close();
await feature.close();

const cpu = (sample: { cpu: number }): number => sample.cpu;
const direct = results.get("direct") ?? [];
const intervals = links.flatMap((link) => link.intervals);
const sum = (read: (interval: (typeof intervals)[number]) => number): number =>
  intervals.reduce((total, interval) => total + read(interval), 0);
const found: CallCosts = {
  direct: spread(direct.map(cpu)).median,
  above: Object.fromEntries(
    [...results]
      .filter(([name]) => name !== "direct")
      .map(([name, series]) => [name, spread(above(series, direct, cpu)).median]),
  ),
  shadow: {
    calls: sum((interval) => interval.old.calls),
    compared: sum((interval) => interval.compared),
    skipped: sum((interval) => interval.shadow.skipped),
  },
};
console.log(JSON.stringify(found));
