import { readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { asError } from "../core/index.ts";

/** Memory of what the queue runs in: the tightest of machine and control groups. Bytes. */
export interface MemoryReading {
  readonly limit: number;
  /** In use and not to be had back by dropping caches. */
  readonly used: number;
  /** What set the limit, for people: `machine`, `cgroup v2 /…`, `cgroup v1 /…`. */
  readonly source: string;
}

export type MemoryReader = () => MemoryReading;

/** A text file, or undefined when it cannot be read. */
export type ReadText = (path: string) => string | undefined;

const readText: ReadText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** Reads the real memory of this process's surroundings. A few small files: about 0.1 ms. */
export function machineMemory(
  read: ReadText = readText,
  machine: () => { readonly total: number; readonly free: number } = () => ({
    total: totalmem(),
    free: freemem(),
  }),
): MemoryReading {
  const { total, free } = machine();
  const readings = [{ limit: total, used: total - free, source: "machine" }, ...controlGroups(read, total)];
  return readings.reduce((a, b) => (b.used / b.limit > a.used / a.limit ? b : a));
}

/** A reading that can be relied on, and why it is not that of the queue's own `memory.read`. */
export interface CheckedReading {
  readonly memory: MemoryReading;
  readonly trouble: string | undefined;
}

/** What `read` says, or the machine's own memory where it throws or says no amounts: work must not stop for it. */
export function checkedMemory(read: MemoryReader): CheckedReading {
  let trouble: string;
  try {
    const said = read() as Partial<MemoryReading> | null | undefined;
    const { limit, used, source = "memory.read" } = said ?? {};
    if (typeof limit === "number" && typeof used === "number" && limit >= 0 && used >= 0 && used < Infinity)
      return { memory: { limit, used, source }, trouble: undefined };
    trouble = "expected { limit, used } in bytes from memory.read, found something else";
  } catch (error) {
    trouble = `memory.read failed: ${asError(error).message}`;
  }
  return { memory: machineMemory(), trouble };
}

/** Each control group above this process that limits memory to less than the machine has. */
function controlGroups(read: ReadText, total: number): MemoryReading[] {
  const lines = read("/proc/self/cgroup")?.trim().split("\n") ?? [];
  const v1 = lines.find((line) => line.split(":")[1]?.split(",").includes("memory"))?.split(":")[2];
  const v2 = lines.find((line) => line.startsWith("0::"))?.split(":")[2];
  const found: MemoryReading[] = [];
  // A container sees its own group mounted as the root, so each path is tried up to the root.
  for (const path of v1 === undefined ? [] : upwards(v1)) {
    const folder = `/sys/fs/cgroup/memory${path}`;
    const limit = number(read(`${folder}/memory.limit_in_bytes`));
    const usage = number(read(`${folder}/memory.usage_in_bytes`));
    add(limit, usage, read(`${folder}/memory.stat`), "total_inactive_file", `cgroup v1 ${path || "/"}`);
  }
  for (const path of v2 === undefined ? [] : upwards(v2)) {
    const folder = `/sys/fs/cgroup${path}`;
    const limit = number(read(`${folder}/memory.max`));
    const usage = number(read(`${folder}/memory.current`));
    add(limit, usage, read(`${folder}/memory.stat`), "inactive_file", `cgroup v2 ${path || "/"}`);
  }
  return found;

  function add(
    limit: number | undefined,
    usage: number | undefined,
    stat: string | undefined,
    cache: string,
    source: string,
  ): void {
    // "No limit" is the word `max` in v2 and a number beyond the machine in v1.
    if (limit === undefined || usage === undefined || limit <= 0 || limit >= total) return;
    const reclaimable = number(new RegExp(`^${cache} (\\d+)$`, "m").exec(stat ?? "")?.[1]) ?? 0;
    found.push({ limit, used: Math.max(0, usage - reclaimable), source });
  }
}

/** `/a/b` → `/a/b`, `/a`, `` (the root). */
function upwards(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return [...parts.keys(), parts.length].reverse().map((n) =>
    parts
      .slice(0, n)
      .map((part) => `/${part}`)
      .join(""),
  );
}

const number = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
