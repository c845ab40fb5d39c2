import { type Clock, type Duration, type Json, systemClock } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import type { ProcessMark } from "../machine.ts";
import { duration, invalid } from "../settings.ts";
import { parseSize, type Size } from "../size.ts";
import type { WorkOrder } from "./in-process.ts";
import { claimMark, endProcesses, processesOf } from "./process-group.ts";
import { processWatch } from "./process-watch.ts";
import { Program } from "./program.ts";
import type { Sandbox, WorkTools } from "./sandbox.ts";

/** A program to start: an argument list, never a shell line. */
export interface Command {
  readonly file: string;
  readonly args?: readonly string[];
  /** Folder it runs in. Default: that of this process. */
  readonly cwd?: string;
  /**
   * Added to a small base (PATH, HOME, LANG, TZ, TMPDIR …); nothing else of this process's environment is handed
   * on. CUTOVER_ORDER_ID, CUTOVER_ORDER_KIND, CUTOVER_FENCE, CUTOVER_ATTEMPT and CUTOVER_IDEMPOTENCY_KEY are set.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, which is then closed. Default: no input. */
  readonly input?: string;
}

export interface ProgramOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SubprocessOptions<Payload> {
  readonly command: (order: WorkOrder<Payload>, tools: WorkTools) => Command | Promise<Command>;
  /** Most bytes kept of each of stdout and stderr; more is cut in the middle with a note. Default `"64 kB"`. */
  readonly output?: Size;
  /** Makes the order's result out of what the program wrote. Default: exit code, stdout and stderr. */
  readonly result?: (output: ProgramOutput, order: WorkOrder<Payload>) => Json;
  /** Exit codes that another attempt cannot mend. Default none. */
  readonly fatalExitCodes?: readonly number[];
  /**
   * Ends a program whose processes together hold more memory than its order asked for (`needs.memory`, else the memory
   * behind its slots; 0 is no limit): CUTOVER_ORDER_MEMORY, not tried again. Needs `/proc`. Default true where there
   * is one, because room that is given away must be kept to.
   */
  readonly enforceMemory?: boolean;
  /** Between SIGTERM and SIGKILL for a program over its memory; at twice the limit it is killed at once. Default `"1s"`. */
  readonly memoryGrace?: Duration;
}

/**
 * Runs each order as a program in a process group of its own. Exit code 0 is success, everything else a failure
 * (CUTOVER_ORDER_FAILED with exit code or signal and the output's end). When the program ends, what it left
 * running in its group is ended too.
 *
 * Processor time and memory of its processes are read from `/proc` ten times a second: a program that lives shorter
 * shows little, and a process that left group and parent between two looks is not counted.
 *
 * @throws CUTOVER_QUEUE_INVALID for `enforceMemory: true` where there is no `/proc`
 */
export function subprocess<Payload = Json>(
  options: SubprocessOptions<Payload>,
  clock: Clock = systemClock,
): Sandbox {
  const watch = processWatch(clock);
  if (options.enforceMemory === true && watch === undefined) {
    throw invalid("enforceMemory", "false or nothing on a system without /proc", true);
  }
  const settings = {
    output: parseSize(options.output ?? "64 kB", "output"),
    enforceMemory: options.enforceMemory ?? true,
    memoryGraceMs: duration(options.memoryGrace ?? "1s", "memoryGrace"),
    fatalExitCodes: options.fatalExitCodes ?? [],
    result: options.result as SubprocessOptions<Json>["result"],
  };
  return {
    provider: "subprocess",
    async prepare(order, tools) {
      const command = await options.command(order as WorkOrder<Payload>, tools);
      if (typeof command?.file !== "string" || command.file === "") {
        throw invalid("command.file", "the name or path of a program", command?.file);
      }
      return new Program(order, tools, command, settings, clock, watch);
    },
    findOrphan: (order) => findProgram(order, clock),
  };
}

/** Programs of an order whose worker is gone. Also finds one that was started but never recorded. */
export function findProgram(order: OrderRecord, clock: Clock): ReturnType<Sandbox["findOrphan"]> {
  const { pid, startTime } = order.sandbox ?? {};
  const recorded: ProcessMark | undefined =
    typeof pid === "number"
      ? { pid, startTime: typeof startTime === "string" ? startTime : null }
      : undefined;
  const find = (): readonly ProcessMark[] => processesOf(claimMark(order), recorded);
  const found = find();
  if (found.length === 0) return undefined;
  return {
    description: `processes ${found.map((mark) => mark.pid).join(", ")}`,
    end: (graceMs) => endProcesses(find, graceMs, clock),
  };
}
