import { Worker } from "node:worker_threads";
import { CutoverError, type ErrorCode, ownThread, untilAborted } from "../../core/index.ts";
import type { Fault, Played, PlayerOptions, RunPlayer } from "../../simulation/index.ts";

export interface PlayThreadData {
  readonly file: string;
  readonly options: PlayerOptions;
}

export interface PlayQuestion {
  readonly fault: Fault | undefined;
  readonly run: number;
}

export type PlayAnswer =
  | { readonly played: Played }
  | {
      readonly error: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly place: string | undefined;
        readonly remedy: string;
      };
    };

const threadFile = ownThread("cli/simulation/play-thread");

/** Fewer runs than this for each thread do not pay for loading the definition once more. */
const leastRuns = 10;
const mostThreads = 16;

/** How many threads a simulation of so many runs is worth on so many processors. */
export const threadsFor = (runs: number, processors: number): number =>
  Math.max(1, Math.min(processors, mostThreads, Math.floor(runs / leastRuns)));

export interface ThreadPlayers extends AsyncDisposable {
  readonly players: readonly RunPlayer[];
}

/** Threads that play runs of the migration in `file`. The definition is loaded once in each. */
export function threadPlayers(file: string, options: PlayerOptions, count: number): ThreadPlayers {
  const data: PlayThreadData = { file, options };
  const workers = Array.from({ length: count }, () => new Worker(threadFile, { workerData: data }));
  return {
    players: workers.map(playerOf),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function playerOf(worker: Worker): RunPlayer {
  return {
    play: async (fault, run, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<PlayAnswer>();
      const gone = (): void => reject(new Error("expected a thread to play a run, found that it ended"));
      worker.once("message", resolve).once("error", reject).once("exit", gone);
      try {
        worker.postMessage({ fault, run } satisfies PlayQuestion);
        const answer = await untilAborted(promise, signal);
        if ("played" in answer) return answer.played;
        const { code, message, place, remedy } = answer.error;
        throw new CutoverError(code, { message, remedy, ...(place === undefined ? {} : { place }) });
      } finally {
        worker.off("message", resolve).off("error", reject).off("exit", gone);
      }
    },
  };
}
