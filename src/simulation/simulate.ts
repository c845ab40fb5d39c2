import type { Migration } from "../plan/index.ts";
import { type FaultResult, faultResult, type HealthyResult, healthyResult } from "./case-result.ts";
import { failingPart, type Fault } from "./fault.ts";
import { refuse } from "./input.ts";
import type { Played } from "./run-play.ts";
import { type PlayerOptions, type RunPlayer, runPlayer } from "./run-player.ts";
import { scriptOf } from "./script.ts";
import type { Traffic } from "./traffic.ts";

export interface SimulationOptions extends PlayerOptions {
  readonly faults: readonly Fault[];
  /** Runs of each case: the healthy one, and one for each fault. */
  readonly runs: number;
  /** Who plays the runs, side by side. Default: this thread alone. */
  readonly players?: readonly RunPlayer[];
  /** Ends it early; what was played until then is told. */
  readonly signal: AbortSignal;
  /** Called after each run. `fault`: undefined while all is well. */
  readonly progress?: (done: {
    readonly fault: string | undefined;
    readonly run: number;
    readonly runs: number;
  }) => void;
}

export interface SimulationResult {
  readonly migration: string;
  readonly routes: readonly string[];
  readonly traffic: Traffic;
  readonly seed: number;
  readonly runs: number;
  readonly healthy: HealthyResult;
  readonly faults: readonly FaultResult[];
  /** Triggers and gates that declared traffic says nothing about; they neither fired nor failed. */
  readonly leftOut: readonly string[];
  /** Steps that move no route: passed over, as if they were done at once. */
  readonly passedOver: number;
  /** False when it was ended early: cases then have fewer runs, or are missing. */
  readonly whole: boolean;
}

/**
 * Plays a migration's shadows, ramps, quiet times, gates and triggers on a clock of its own against declared traffic:
 * first while all is well, then with each fault. Steps and judges are the real ones; what both sides answer is drawn. The
 * same definition, options and seed give the same result. Nothing outside is touched.
 *
 * Assumed: a call that fails on the old side fails on the new one alike (bad input), failures beyond that are
 * independent; approvals are given at once; failed calls are not answered by the old side instead.
 * @throws CUTOVER_SIMULATION_INPUT when the migration moves no route, or a fault would change nothing
 */
export async function simulate(migration: Migration, options: SimulationOptions): Promise<SimulationResult> {
  const { traffic, faults, runs, seed, signal, progress } = options;
  const script = scriptOf(migration, { route: options.route, source: options.source ?? migration.name });
  for (const fault of faults)
    if (fault.kind === "error" && failingPart(fault, traffic.baseError) <= traffic.baseError)
      refuse(
        "--fault",
        `more failures than without it (${traffic.baseError * 100} % of the calls)`,
        fault.text,
      );
  const players = options.players ?? [runPlayer(migration, options)];
  const leftOut = new Set(script.leftOut);

  const playAll = async (fault: Fault | undefined): Promise<readonly Played[]> => {
    const played: Played[] = [];
    let [next, done] = [1, 0];
    const lane = async (player: RunPlayer): Promise<void> => {
      while (next <= runs && !signal.aborted) {
        const run = next++;
        try {
          played[run - 1] = await player.play(fault, run, signal);
        } catch (thrown) {
          if (signal.aborted) return;
          throw thrown;
        }
        progress?.({ fault: fault?.text, run: ++done, runs });
        // Somebody may want to stop it.
        await new Promise<void>((resolve) => void setImmediate(resolve));
      }
    };
    await Promise.all(players.map(lane));
    // Ended early, some may be missing in between.
    const found = Object.values(played);
    for (const { leftOut: gates } of found) for (const gate of gates) leftOut.add(gate);
    return found;
  };

  const calm = healthyResult(await playAll(undefined));
  const results: FaultResult[] = [];
  for (const fault of faults)
    if (!signal.aborted) results.push(faultResult(fault.text, await playAll(fault)));
  return {
    migration: migration.name,
    routes: script.routes,
    traffic,
    seed,
    runs,
    healthy: calm,
    faults: results,
    leftOut: [...leftOut],
    passedOver: script.passedOver,
    whole: !signal.aborted,
  };
}
