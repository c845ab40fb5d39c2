import { readFileSync } from "node:fs";

/** Most memory that a process held, bytes. */
export interface Peak {
  /** What it allocated itself (`RssAnon`), looked at every 20 ms. */
  readonly own: number;
  /** With the pages of files that are mapped into it (`VmHWM`): those of an LMDB are the system's cache, and its to take back. */
  readonly resident: number;
}

/** Watches this process until `stop`. Linux only: elsewhere both figures are the resident size. */
export function processMeter(): { stop(): Peak } {
  let own = 0;
  const look = (): void => {
    own = Math.max(own, field("RssAnon") ?? process.memoryUsage.rss());
  };
  const timer = setInterval(look, 20);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return { own, resident: field("VmHWM") ?? process.memoryUsage.rss() };
    },
  };
}

function field(name: string): number | undefined {
  if (process.platform !== "linux") return undefined;
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"));
  return found === null ? undefined : Number(found[1]) * 1_024;
}

export interface Timed {
  readonly rows: number;
  readonly ms: number;
  /** Processor time of all threads of the process, milliseconds. */
  readonly cpu: number;
}

/** Measures `body`, which resolves with the rows it has done. */
export async function timed(body: () => Promise<number>): Promise<Timed> {
  const before = process.cpuUsage();
  const began = performance.now();
  const rows = await body();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  return { rows, ms, cpu: (user + system) / 1_000 };
}
