import { readdir, readFile } from "node:fs/promises";

/** One process of a tree. */
export interface TreeMember {
  readonly pid: number;
  /** Processor time of its own and of children it has waited for, in clock ticks. */
  readonly ticks: number;
  /** Resident pages. */
  readonly pages: number;
}

export interface ProcessTreeState {
  /** Start time of the root: tells it from a later process with its number. */
  readonly started: string;
  readonly members: readonly TreeMember[];
}

/**
 * A process and all that descend from it. What a process started and outlived it belongs to somebody else.
 * @throws when there is no such process, or no `/proc`
 */
export async function readTree(root: number): Promise<ProcessTreeState> {
  const entries = await readdir("/proc").catch(() => []);
  const stats = await Promise.all(
    entries.filter((name) => /^\d+$/.test(name)).map((name) => readStat(Number(name))),
  );
  const children = new Map<number, Stat[]>();
  const byPid = new Map<number, Stat>();
  for (const stat of stats) {
    if (stat === undefined) continue;
    byPid.set(stat.pid, stat);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat]);
  }
  const first = byPid.get(root);
  if (first === undefined || first.state === "Z" || first.state === "X")
    throw new Error(
      `expected process ${root} to run, found ${first === undefined ? "none" : "that it has ended"}`,
    );
  const members: Stat[] = [first];
  for (let at = 0; at < members.length; at++) {
    const next = members[at];
    if (next !== undefined) members.push(...(children.get(next.pid) ?? []));
  }
  return { started: first.started, members };
}

interface Stat extends TreeMember {
  readonly parent: number;
  readonly state: string;
  readonly started: string;
}

async function readStat(pid: number): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => undefined);
  if (text === undefined) return undefined;
  // The name of a program, in parentheses, may hold spaces and parentheses itself: fields count from the last one.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const number = (index: number): number => Number(fields[index]);
  const ticks = number(11) + number(12) + number(13) + number(14);
  return {
    pid,
    parent: number(1),
    state: fields[0] ?? "",
    started: fields[19] ?? "",
    ticks,
    pages: number(21),
  };
}

/** Bytes, pages shared with others divided among those who share them; resident bytes where that may not be read. */
export async function memoryOf({ pid, pages }: TreeMember, pageSize: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "latin1").catch(() => "");
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(rollup)?.[1];
  return kilobytes === undefined ? pages * pageSize : Number(kilobytes) * 1_024;
}

/** Undefined for a process that has just ended. @throws for one of another user, whose files cannot be counted */
export async function openFilesOf({ pid }: TreeMember): Promise<number | undefined> {
  return await ownFact(pid, "open files", async () => (await readdir(`/proc/${pid}/fd`)).length);
}

/** Bytes read from and written to storage, of its own and of children it has waited for. As `openFilesOf`. */
export async function diskBytesOf({ pid }: TreeMember): Promise<number | undefined> {
  return await ownFact(pid, "disk use", async () => {
    const text = await readFile(`/proc/${pid}/io`, "latin1");
    const bytes = (name: string): number =>
      Number(new RegExp(`^${name}: (\\d+)`, "m").exec(text)?.[1] ?? "0");
    return bytes("read_bytes") + bytes("write_bytes");
  });
}

async function ownFact(pid: number, what: string, read: () => Promise<number>): Promise<number | undefined> {
  try {
    return await read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw new Error(`expected to read the ${what} of process ${pid}, found ${code ?? String(error)}`, {
      cause: error,
    });
  }
}

export interface MachineUnits {
  readonly pageSize: number;
  readonly ticksPerSecond: number;
}

/** Page size and clock tick as the kernel told this process at its start: pairs of words, 6 and 17 by their keys. */
export async function machineUnits(): Promise<MachineUnits> {
  const vector = await readFile("/proc/self/auxv").catch(() => Buffer.alloc(0));
  const found = new Map<number, number>();
  for (let at = 0; at + 16 <= vector.length; at += 16)
    found.set(Number(vector.readBigUInt64LE(at)), Number(vector.readBigUInt64LE(at + 8)));
  return { pageSize: found.get(6) ?? 4_096, ticksPerSecond: found.get(17) ?? 100 };
}
