import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { kill } from "node:process";
import { type Clock, sleep } from "../core/index.ts";

/** From the polite signal to the one that cannot be refused. */
const grace = 5_000;
const lookEvery = 50;

/** A process group that a run left behind, told from a later one with the same number by its start time. */
export interface GroupMark {
  readonly pid: number;
  readonly started: string;
}

/** Start time of a process in a form that only ever equals itself, or undefined when it is gone. */
export async function startTime(pid: number): Promise<string | undefined> {
  const fields = await statFields(pid);
  return fields === undefined ? await startTimeByPs(pid) : fields[19];
}

/** Fields of `/proc/PID/stat` from the third on (state); the second, the command in parentheses, may hold spaces. */
async function statFields(pid: number): Promise<readonly string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** For systems without `/proc`. */
function startTimeByPs(pid: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile("ps", ["-o", "lstart=", "-p", String(pid)], (error, stdout) =>
      resolve(error === null && stdout.trim() !== "" ? stdout.trim() : undefined),
    );
  });
}

/**
 * Ends a whole group: SIGTERM, after 5 s SIGKILL; resolves once none of it runs. A second after SIGKILL it stops
 * looking: what is still listed then cannot run on.
 */
export async function endGroup(pid: number, clock: Clock): Promise<void> {
  const began = clock.monotonic();
  let killed = false;
  send(pid, "SIGTERM");
  while (clock.monotonic() < began + grace + 1_000 && (await runs(pid))) {
    if (!killed && clock.monotonic() >= began + grace) killed = send(pid, "SIGKILL");
    await sleep(clock, lookEvery);
  }
}

/**
 * Whether a member of the group still runs. Asking the kernel alone is not enough: an ended process counts until
 * its parent collects it, and where init is slow to do so, or is no init, every pause would take the whole grace.
 */
async function runs(pid: number): Promise<boolean> {
  if (!send(pid, 0)) return false;
  const listed = await readdir("/proc").catch(() => []);
  const others = listed.filter((name) => /^\d+$/.test(name));
  if (others.length === 0) return true;
  const states = await Promise.all(others.map((other) => statFields(Number(other))));
  return states.some((fields) => fields?.[2] === String(pid) && fields[0] !== "Z" && fields[0] !== "X");
}

/** Ends the marked group if it still is that group. Resolves with whether it was. */
export async function endLeftBehind(mark: GroupMark, clock: Clock): Promise<boolean> {
  if ((await startTime(mark.pid)) !== mark.started) return false;
  await endGroup(mark.pid, clock);
  return true;
}

/** False when the group is gone. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return kill(-pid, signal);
  } catch (error) {
    // EPERM: members remain that belong to somebody else; they are not ours to wait for.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    if ((error as NodeJS.ErrnoException).code === "EPERM") return false;
    throw error;
  }
}
