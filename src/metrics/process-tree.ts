import { platform } from "node:os";
import { type Clock, systemClock } from "../core/index.ts";
import { rateOf } from "./per-second.ts";
import {
  diskBytesOf,
  machineUnits,
  memoryOf,
  openFilesOf,
  type ProcessTreeState,
  readTree,
  type TreeMember,
} from "./proc-tree.ts";
import { createSource, type Source, type SourceOptions } from "./source.ts";
import { OptionProblems } from "./source-options.ts";

/** Figures of a process and all that descend from it. */
export interface ProcessTree {
  /** Processors in use: 1 is one core busy all the time. From one reading to the next. */
  cpu(): Source;
  /** Memory in bytes. Pages shared with other processes count in part, where the system tells. */
  memory(): Source;
  /** Open files, sockets and pipes. */
  openFiles(): Source;
  /** Bytes read from and written to storage in a second, from one reading to the next. Not what the page cache answers. */
  diskIo(): Source;
}

/**
 * Watches a process on this machine, with all that it started: `processTree(pid)`, or `processTree(() => pid)` where the
 * number is known later or changes, as after a restart. Linux only; elsewhere each reading says so and its gate holds.
 *
 * ```ts
 * when(value("memory", processTree(() => server.pid).memory()).above(2e9)).then("throttle")
 * ```
 */
export const processTree = (
  pid: number | (() => number | undefined),
  options: SourceOptions = {},
): ProcessTree => treeSources(pid, options, { clock: systemClock, platform: platform() });

export interface Surroundings {
  readonly clock: Clock;
  readonly platform: string;
}

export function treeSources(
  pid: number | (() => number | undefined),
  options: SourceOptions,
  { clock, platform: system }: Surroundings,
): ProcessTree {
  const problems = new OptionProblems(options, ["timeout", "cache"]);
  const { timeout, cache } = options ?? {};
  const isPid = (found: unknown): found is number => Number.isSafeInteger(found) && (found as number) > 0;
  problems.expect(
    isPid(pid) || typeof pid === "function",
    "a process's number, or a function that answers with it",
    pid,
  );
  const timeoutMs = problems.duration("timeout", timeout, "5s");
  const cacheMs = problems.duration("cache", cache, "1s", 0);
  const tree = async (): Promise<ProcessTreeState> => {
    if (system !== "linux")
      throw new Error(
        `expected Linux, whose /proc tells of processes, found ${system}: measure it by a command`,
      );
    const number = typeof pid === "function" ? pid() : pid;
    if (!isPid(number)) throw new Error(`expected a process's number, found ${String(number)}`);
    return await readTree(number);
  };

  const source = (what: string, figure: (state: ProcessTreeState) => Promise<number>): Source =>
    createSource({
      name: `${what} of process ${typeof pid === "function" ? "tree" : String(pid)}`,
      text: JSON.stringify(["process tree", what, String(pid)]),
      problems: problems.list,
      timeoutMs,
      cacheMs,
      clock,
      read: async () => await figure(await tree()),
    });

  const sum = async (
    state: ProcessTreeState,
    of: (member: TreeMember) => Promise<number | undefined>,
  ): Promise<number> =>
    (await Promise.all(state.members.map(of))).reduce<number>((all, one) => all + (one ?? 0), 0);

  return {
    cpu: () =>
      rateOf(
        source(
          "processor time",
          continuous(async ({ members }) => {
            const { ticksPerSecond } = await machineUnits();
            return members.reduce((all, { ticks }) => all + ticks, 0) / ticksPerSecond;
          }),
        ),
        clock,
      ),
    memory: () =>
      source("memory", async (state) => {
        const { pageSize } = await machineUnits();
        return await sum(state, (member) => memoryOf(member, pageSize));
      }),
    openFiles: () => source("open files", (state) => sum(state, openFilesOf)),
    diskIo: () =>
      rateOf(
        source(
          "disk use",
          continuous((state) => sum(state, diskBytesOf)),
        ),
        clock,
      ),
  };
}

/**
 * A counter of a root that was replaced goes on where the one before ended: what the new one did before it was first
 * seen happened in no stretch that anybody looks at. One that falls, as where a child was not waited for, stands still.
 */
function continuous(
  counter: (state: ProcessTreeState) => Promise<number>,
): (state: ProcessTreeState) => Promise<number> {
  let root: string | undefined;
  let [before, total] = [0, 0];
  return async (state) => {
    const found = await counter(state);
    if (state.started === root) total += Math.max(0, found - before);
    root = state.started;
    before = found;
    return total;
  };
}
