import { type Clock, CutoverError, type Duration, type Json, systemClock } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { isOfThisMachine, type ProcessMark } from "../machine.ts";
import { callable, duration, invalid, onlyKnown } from "../settings.ts";
import { parseSize, type Size } from "../size.ts";
import { exitCodes, madeInTime, textList, textMembers } from "./command-check.ts";
import type { WorkOrder } from "./in-process.ts";
import { claimMark, claimProcesses, endProcesses, pidList } from "./process-group.ts";
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

const knownOptions: Readonly<Record<keyof SubprocessOptions<Json>, true>> = {
  command: true,
  output: true,
  result: true,
  fatalExitCodes: true,
  enforceMemory: true,
  memoryGrace: true,
};
const knownCommand: Readonly<Record<keyof Command, true>> = {
  file: true,
  args: true,
  cwd: true,
  env: true,
  input: true,
};

/**
 * Runs each order as a program in a process group of its own. Exit code 0 is success, everything else a failure
 * (CUTOVER_ORDER_FAILED with exit code or signal and the output's end). When the program ends, what it left
 * running in its group is ended too.
 *
 * Processor time and memory of its processes are read from `/proc` ten times a second: a program that lives shorter
 * shows little, and a process that left group and parent between two looks is not counted.
 *
 * @throws CUTOVER_QUEUE_INVALID naming the option; for `enforceMemory: true` also where there is no `/proc`
 */
export function subprocess<Payload = Json>(
  options: SubprocessOptions<Payload>,
  clock: Clock = systemClock,
): Sandbox {
  onlyKnown(options, knownOptions, "subprocess");
  callable(options.command, "command");
  if (options.result !== undefined) callable(options.result, "result");
  const watch = processWatch(clock);
  if (options.enforceMemory === true && watch === undefined) {
    throw invalid("enforceMemory", "false or nothing on a system without /proc", true);
  }
  const settings = {
    output: parseSize(options.output ?? "64 kB", "output"),
    enforceMemory: options.enforceMemory ?? true,
    memoryGraceMs: duration(options.memoryGrace ?? "1s", "memoryGrace"),
    fatalExitCodes: exitCodes(options.fatalExitCodes),
    result: options.result as SubprocessOptions<Json>["result"],
  };
  return {
    provider: "subprocess",
    async prepare(order, tools) {
      const making = options.command(order as WorkOrder<Payload>, tools);
      const command = await madeInTime(making, order, clock);
      refuseCommand(command);
      return new Program(order, tools, command, settings, clock, watch);
    },
    findOrphan: (order) => findProgram(order, clock),
  };
}

/** What `command` gave for an order. @throws CUTOVER_QUEUE_INVALID: another attempt would give the same */
function refuseCommand(command: Command): void {
  onlyKnown(command, knownCommand, "command");
  const { file, args, cwd, env, input } = command;
  if (typeof file !== "string" || file === "")
    throw invalid("command.file", "the name or path of a program", file);
  textList(args, "command.args");
  textMembers(env, "command.env");
  if (cwd !== undefined && typeof cwd !== "string") throw invalid("command.cwd", "the path of a folder", cwd);
  if (input !== undefined && typeof input !== "string") throw invalid("command.input", "a text", input);
}

/**
 * Programs of an order whose worker is gone. Also finds one that was started but never recorded.
 * @throws CUTOVER_SANDBOX_UNAVAILABLE when nobody can tell whether something of it still runs
 */
export function findProgram(order: OrderRecord, clock: Clock): ReturnType<Sandbox["findOrphan"]> {
  const { pid, startTime } = order.sandbox ?? {};
  const leader: ProcessMark | undefined =
    typeof pid === "number"
      ? { pid, startTime: typeof startTime === "string" ? startTime : null }
      : undefined;
  const claim = claimMark(order);
  const { own, doubtful } = claimProcesses(claim, leader);
  // Of a program of another machine the number alone says nothing here.
  if (doubtful.length > 0 && isOfThisMachine(order.worker ?? "")) throw unproven(order, doubtful);
  if (own.length === 0) return undefined;
  const find = (): readonly ProcessMark[] => claimProcesses(claim, leader).own;
  return {
    description: pidList(own),
    end: (graceMs) => endProcesses(find, graceMs, clock, own),
  };
}

const unproven = ({ id }: OrderRecord, doubtful: readonly ProcessMark[]): CutoverError =>
  new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", {
    message:
      `expected to find what the program of work order ${id} left running, found ${pidList(doubtful)} in the group ` +
      "that it led: it is gone itself, and nothing proves that they are its own",
    details: { id, pids: doubtful.map(({ pid }) => pid) },
    remedy: "end them if they are; the order goes on when none of them is left",
  });
