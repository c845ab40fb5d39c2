import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { lacksMeans } from "../machine.ts";

/** One process as `/proc` shows it at one moment. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since boot: tells a process from a later one with the same number. */
  readonly startTime: string;
  /** Processor time of its own and of its children that it has waited for, milliseconds. */
  readonly cpuMs: number;
  /** Resident memory, bytes; shared pages count in full. */
  readonly rss: number;
}

/** What the memory watch reads; a test puts its own in place. Each throws when it cannot look now, e.g. without a descriptor left. */
export interface ProcFiles {
  /** Every process of the machine that can be read. */
  all(): readonly ProcessEntry[];
  one(pid: number): ProcessEntry | undefined;
  /** The largest resident memory this process ever had, bytes. */
  peak(pid: number): number | undefined;
  /** Memory with shared pages divided among those who share them, bytes. Slow for large processes. */
  proportional(pid: number): number | undefined;
}

/** Undefined where there is no `/proc`. */
export function openProcFiles(): ProcFiles | undefined {
  const vector = "/proc/self/auxv";
  if (!existsSync(vector)) return undefined;
  let units: Units | undefined;
  // Read into the same bytes each time: this runs for every process of the machine, ten times a second.
  const bytes = Buffer.allocUnsafe(4_096);
  const one = (pid: number): ProcessEntry | undefined => {
    const text = readInto(bytes, `/proc/${pid}/stat`);
    return text === undefined ? undefined : parseStat(pid, text, (units ??= readUnits(vector)));
  };
  return {
    one,
    all: () =>
      readdirSync("/proc").flatMap((name) => {
        const pid = Number(name);
        const entry = Number.isInteger(pid) ? one(pid) : undefined;
        return entry === undefined ? [] : [entry];
      }),
    peak: (pid) => kilobytes(readInto(bytes, `/proc/${pid}/status`), "VmHWM"),
    proportional: (pid) => kilobytes(readInto(bytes, `/proc/${pid}/smaps_rollup`), "Pss"),
  };
}

interface Units {
  readonly page: number;
  readonly tickMs: number;
}

/** The name of a program, in parentheses, may hold spaces and parentheses itself: fields count from the last one. */
export function parseStat(pid: number, text: string, { page, tickMs }: Units): ProcessEntry | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const number = (index: number): number => Number(fields[index]);
  const ticks = number(11) + number(12) + number(13) + number(14);
  const rss = number(21) * page;
  if (!Number.isFinite(ticks + rss)) return undefined;
  return {
    pid,
    parent: number(1),
    group: number(2),
    session: number(3),
    startTime: fields[19] ?? "",
    cpuMs: ticks * tickMs,
    rss,
  };
}

/** Page size and clock tick as the kernel told this process at its start: pairs of numbers, 6 and 17 by their keys. */
function readUnits(path: string): Units {
  const vector = readFileSync(path);
  const found = new Map<number, number>();
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    found.set(Number(vector.readBigUInt64LE(at)), Number(vector.readBigUInt64LE(at + 8)));
  }
  return { page: found.get(6) ?? 4_096, tickMs: 1_000 / (found.get(17) ?? 100) };
}

/** Such a file is read in one piece; undefined when the process is gone or another user's. */
function readInto(bytes: Buffer, path: string): string | undefined {
  try {
    const file = openSync(path, "r");
    try {
      return bytes.toString("latin1", 0, readSync(file, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (lacksMeans(error)) throw error;
    return undefined;
  }
}

function kilobytes(text: string | undefined, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1];
  return found === undefined ? undefined : Number(found) * 1_024;
}
