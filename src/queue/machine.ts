import { readdirSync, readFileSync } from "node:fs";
import { env, kill, pid } from "node:process";
import { processSpace } from "../core/index.ts";

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

interface ProcessStat {
  readonly startTime: string;
  readonly group: number;
  /** It runs no more; its number is kept until somebody has asked what became of it. */
  readonly ended: boolean;
}

function stat(ofPid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${ofPid}/stat`, "utf8");
    // The name, in parentheses, may hold spaces and parentheses itself: fields count from the last one.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { startTime: fields[19] ?? "", group: Number(fields[2]), ended: /^[ZX]/.test(fields[0] ?? "") };
  } catch {
    return undefined;
  }
}

const hasProc = stat(pid) !== undefined;

export function markProcess(ofPid: number): ProcessMark {
  return { pid: ofPid, startTime: stat(ofPid)?.startTime ?? null };
}

/** True when exactly this process still runs: same number and same start time. A zombie does not run. */
export function isAlive(mark: ProcessMark): boolean {
  if (hasProc) {
    const found = stat(mark.pid);
    return found !== undefined && !found.ended && found.startTime === mark.startTime;
  }
  return signal(mark.pid, 0);
}

/** Sends a signal to a process, or with a negative number to a group; false when there is none. */
export function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return kill(target, name);
  } catch {
    return false;
  }
}

/**
 * Processes, whoever started them, whose environment holds `NAME=value`: how work is found that was started
 * but not yet recorded when its worker died, and the children it left behind. Empty where there is no `/proc`.
 */
export function processesWith(name: string, value: string): readonly ProcessMark[] {
  if (!hasProc) return [];
  const wanted = `\0${name}=${value}\0`;
  const found: ProcessMark[] = [];
  for (const entry of readdirSync("/proc")) {
    const candidate = Number(entry);
    if (!Number.isInteger(candidate) || candidate === pid) continue;
    // The start time is read before the environment, so that a number reused in between does not match later.
    const before = stat(candidate);
    if (before === undefined || before.ended) continue;
    try {
      const environment = `\0${readFileSync(`/proc/${candidate}/environ`, "utf8")}\0`;
      if (environment.includes(wanted)) found.push({ pid: candidate, startTime: before.startTime });
    } catch {
      // Ended meanwhile, or another user's: not ours.
    }
  }
  return found;
}

/** Processes of a group that still run, also those that were killed and are not gone yet. Empty where there is no `/proc`. */
export function processesInGroup(group: number): readonly ProcessMark[] {
  if (!hasProc) return [];
  const found: ProcessMark[] = [];
  for (const entry of readdirSync("/proc")) {
    const candidate = Number(entry);
    const seen = Number.isInteger(candidate) ? stat(candidate) : undefined;
    if (seen === undefined || seen.ended || seen.group !== group) continue;
    found.push({ pid: candidate, startTime: seen.startTime });
  }
  return found;
}

/** What processes of this machine have as `NAME` in their environment: one look for many questions. */
export function valuesInEnvironments(name: string): ReadonlySet<string> {
  const values = new Set<string>();
  if (!hasProc) return values;
  const start = `\0${name}=`;
  for (const entry of readdirSync("/proc")) {
    const candidate = Number(entry);
    if (!Number.isInteger(candidate) || candidate === pid) continue;
    try {
      const environment = `\0${readFileSync(`/proc/${candidate}/environ`, "utf8")}`;
      const at = environment.indexOf(start);
      if (at !== -1) values.add(environment.slice(at + start.length).split("\0", 1)[0] ?? "");
    } catch {
      // Ended meanwhile, or another user's: not ours.
    }
  }
  return values;
}

/** `host/namespace:pid:start`, the name of this process as a worker. */
export function workerName(): string {
  const { startTime } = markProcess(pid);
  return `${processSpace()}:${pid}:${startTime ?? Math.round(performance.timeOrigin)}`;
}

/** True for a worker of this machine and container whose process is gone. Names of another shape are never called dead. */
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
