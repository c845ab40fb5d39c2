import { existsSync, readdirSync, readFileSync } from "node:fs";
import { env, kill, pid } from "node:process";
import { CutoverError, processSpace } from "../core/index.ts";

/**
 * The only file of the queue that touches the operating system's processes: a queue that starts programs has to
 * name, find and end them. On Linux everything is checked against `/proc`; elsewhere only what signals tell.
 */

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessMark {
  readonly pid: number;
  /** Start time in clock ticks since boot, from `/proc/PID/stat`; null where there is no `/proc`. */
  readonly startTime: string | null;
}

/** A process as one look at `/proc` shows it. */
export interface ProcessSeen {
  readonly pid: number;
  readonly startTime: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** It runs no more; its number is kept until somebody has asked what became of it. */
  readonly ended: boolean;
}

/** Undefined when there is no such process. Throws what the system said when that cannot be told now. */
function stat(ofPid: number): ProcessSeen | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${ofPid}/stat`, "utf8");
  } catch (error) {
    // Without a descriptor left nothing can be read, but a number that nobody has is known without one.
    if (isGone(error) || !signal(ofPid, 0)) return undefined;
    throw error;
  }
  // The name, in parentheses, may hold spaces and parentheses itself: fields count from the last one.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const number = (index: number): number => Number(fields[index]);
  return {
    pid: ofPid,
    startTime: fields[19] ?? "",
    parent: number(1),
    group: number(2),
    session: number(3),
    ended: /^[ZX]/.test(fields[0] ?? ""),
  };
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";
const isGone = (error: unknown): boolean => codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH";

// Asked without opening anything: a process whose descriptors are used up at this moment has a `/proc` all the same.
const hasProc = existsSync(`/proc/${pid}/stat`);

export function markProcess(ofPid: number): ProcessMark {
  return { pid: ofPid, startTime: (hasProc ? seen(ofPid) : undefined)?.startTime ?? null };
}

/** As `stat`, where what cannot be told and what is gone come to the same. */
function seen(ofPid: number): ProcessSeen | undefined {
  try {
    return stat(ofPid);
  } catch {
    return undefined;
  }
}

/**
 * Whether exactly this process still runs: same number and same start time. A zombie does not run. `unknown` when
 * `/proc` cannot be read now, e.g. without a descriptor left: nobody may be called gone, or be ended, for that.
 */
function standing({ pid: ofPid, startTime }: ProcessMark): "alive" | "gone" | "unknown" {
  if (!hasProc) return signal(ofPid, 0) ? "alive" : "gone";
  try {
    const found = stat(ofPid);
    return found !== undefined && !found.ended && found.startTime === startTime ? "alive" : "gone";
  } catch {
    return "unknown";
  }
}

/** False only when this process is known to have ended: see `standing`. */
export function isAlive(mark: ProcessMark): boolean {
  return standing(mark) !== "gone";
}

/** Sends a signal to exactly this process; not when its number may be another's by now. */
export function signalProcess(mark: ProcessMark, name: NodeJS.Signals): void {
  if (standing(mark) === "alive") signal(mark.pid, name);
}

/** Sends a signal to a process, or with a negative number to a group; false when there is none. */
export function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return kill(target, name);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/**
 * All other processes of this machine, zombies too. Empty where there is no `/proc`.
 * @throws CUTOVER_SANDBOX_UNAVAILABLE when the look cannot be done now: it tells nothing then, least of all that nobody is left
 */
export function processTable(): ReadonlyMap<number, ProcessSeen> {
  const table = new Map<number, ProcessSeen>();
  for (const candidate of numbers()) {
    const found = lookedAt(() => stat(candidate));
    if (found !== undefined) table.set(candidate, found);
  }
  return table;
}

/**
 * Processes, whoever started them, whose environment holds `NAME=value`: how work is found that was started
 * but not yet recorded when its worker died, and the children it left behind. Empty where there is no `/proc`.
 * @throws CUTOVER_SANDBOX_UNAVAILABLE as `processTable`
 */
export function processesWith(
  name: string,
  value: string,
  table: ReadonlyMap<number, ProcessSeen> = processTable(),
): readonly ProcessSeen[] {
  const wanted = `\0${name}=${value}\0`;
  // The start time was read before the environment, so that a number reused in between does not match later.
  return [...table.values()].filter((found) => !found.ended && environment(found.pid).includes(wanted));
}

/** Processes of a group that still run, also those that were killed and are not gone yet. @throws as `processTable` */
export function processesInGroup(group: number): readonly ProcessMark[] {
  return [...processTable().values()]
    .filter((found) => !found.ended && found.group === group)
    .map(({ pid: of, startTime }) => ({ pid: of, startTime }));
}

/**
 * What processes of this machine have as `NAME` in their environment: one look for many questions.
 * @throws CUTOVER_SANDBOX_UNAVAILABLE as `processTable`
 */
export function valuesInEnvironments(name: string): ReadonlySet<string> {
  const values = new Set<string>();
  const start = `\0${name}=`;
  for (const candidate of numbers()) {
    const text = environment(candidate);
    const at = text.indexOf(start);
    if (at !== -1) values.add(text.slice(at + start.length).split("\0", 1)[0] ?? "");
  }
  return values;
}

function numbers(): readonly number[] {
  if (!hasProc) return [];
  return (lookedAt(() => readdirSync("/proc")) ?? [])
    .map(Number)
    .filter((number) => Number.isInteger(number) && number !== pid);
}

/** Each variable between two zero bytes; empty when it may not be read or nobody has the number. */
function environment(ofPid: number): string {
  const text = lookedAt(() => readFileSync(`/proc/${ofPid}/environ`, "utf8"));
  return text === undefined ? "" : `\0${text}\0`;
}

const lacking: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** True for an error that tells of this process, which has no descriptor left, and not of the one that is looked at. */
export const lacksMeans = (error: unknown): boolean => lacking.has(codeOf(error));

/** Undefined for a process that ended meanwhile or is another user's: not ours. */
function lookedAt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (!lacksMeans(error)) return undefined;
    // Without a cause: what is lacking now is no reason to give an order up.
    throw new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", {
      message: `expected to look at the processes of this machine, found ${codeOf(error)}`,
      details: { reason: codeOf(error) },
      remedy: "close what is open, or raise the limit of open files (`ulimit -n`); it is tried again",
    });
  }
}

let ownName: string | undefined;

/**
 * `host/namespace:pid:start`, the name of this process as a worker. Where its start time cannot be read at first, a name that
 * no one takes for that of a dead process.
 */
export function workerName(): string {
  if (ownName !== undefined) return ownName;
  const { startTime } = markProcess(pid);
  const begun = Math.round(performance.timeOrigin);
  return (ownName = `${processSpace()}:${pid}:${startTime ?? (hasProc ? `at-${begun}` : begun)}`);
}

/** Whether a worker of this name ran on this machine and in this container. */
export function isOfThisMachine(name: string): boolean {
  return /^(.+):\d+:[^:]+$/.exec(name)?.[1] === processSpace();
}

/** True for a worker of this machine and container whose process is gone. Names of another shape are never called dead, nor is one that cannot be looked at now. */
export function isDeadWorker(name: string): boolean {
  const parts = /^(.+):(\d+):(\d+)$/.exec(name);
  if (parts === null || parts[1] !== processSpace()) return false;
  const mark = { pid: Number(parts[2]), startTime: hasProc ? (parts[3] ?? "") : null };
  return !(mark.pid === pid && name === workerName()) && !isAlive(mark);
}

/**
 * What a program needs to start at all. Everything else in the environment, keys and tokens with it, stays
 * here unless the command names it.
 */
export function baseEnvironment(): Record<string, string> {
  const kept = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SHELL", "SystemRoot", "PATHEXT"];
  return Object.fromEntries(kept.flatMap((key) => (env[key] === undefined ? [] : [[key, env[key]]])));
}
