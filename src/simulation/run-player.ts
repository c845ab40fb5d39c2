import type { Migration } from "../plan/index.ts";
import type { Fault } from "./fault.ts";
import { LatencyDraw } from "./latency-draw.ts";
import { type Played, playRun } from "./run-play.ts";
import { scriptOf } from "./script.ts";
import type { Traffic } from "./traffic.ts";

/** Plays single runs; the same run of the same seed is the same wherever and in whatever order it is played. */
export interface RunPlayer {
  /** @param run from 1 on */
  play(fault: Fault | undefined, run: number, signal: AbortSignal): Promise<Played>;
}

export interface PlayerOptions {
  readonly traffic: Traffic;
  readonly seed: number;
  /** Play only the steps of this route. */
  readonly route?: string | undefined;
  /** Where the definition stands, for errors. Default: its name. */
  readonly source?: string;
}

/** @throws CUTOVER_SIMULATION_INPUT when the migration moves no such route */
export function runPlayer(migration: Migration, options: PlayerOptions): RunPlayer {
  const { traffic, seed, route, source = migration.name } = options;
  const script = scriptOf(migration, { route, source });
  const healthy = new LatencyDraw(traffic.latency);
  const slow = new Map<number, LatencyDraw>();
  const drawOf = (fault: Fault | undefined): LatencyDraw => {
    if (fault?.kind !== "latency") return healthy;
    const times = fault.size.amount;
    const known = slow.get(times) ?? new LatencyDraw(traffic.latency, times);
    slow.set(times, known);
    return known;
  };
  return {
    play: (fault, run, signal) => {
      const draws = { healthy, faulty: drawOf(fault) };
      const world = { traffic, fault, draws, timed: script.timed, operations: script.operations };
      return playRun({ script, world, fault, seed, run, signal });
    },
  };
}
