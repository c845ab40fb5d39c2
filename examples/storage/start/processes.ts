import { spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { CutoverError } from "cutover";
import { health } from "../engine/client.ts";
import { places, readRecord, writeRecord } from "../engine/places.ts";

const scripts = { engine: "storage/engine/main.ts", load: "storage/load.ts" } as const;
type Name = keyof typeof scripts;
const startLimitMs = 20_000;
const lookEveryMs = 250;
const mostBegun = 3;
/**
 * How long each may take to end before it is killed. The engine may still be reading what it saw at the last turn: a million memories of
 * each side, on a machine that does other things too.
 */
const endLimitMs = { engine: 180_000, load: 10_000 } as const;

/** True while the process runs this script: its number alone may belong to somebody else by now. */
function runs(pid: number | undefined, name: Name): boolean {
  if (pid === undefined) return false;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    // One that ended and was not waited for has none.
    return words.includes(scripts[name]);
  } catch {
    return false;
  }
}

const pidOf = (dir: string, name: Name): number | undefined =>
  readRecord<{ pid: number }>(places(dir)[name])?.pid;

/** Starts it so that it outlives this process: a start script that is killed takes nobody with it. */
function begin(dir: string, name: Name): number {
  const files = places(dir);
  const out = openSync(name === "engine" ? files.engineLog : files.loadLog, "a");
  const script = join(import.meta.dirname, "../..", scripts[name]);
  const child = spawn(process.execPath, [...process.execArgv, script, dir], {
    detached: true,
    stdio: ["ignore", out, out],
  });
  child.unref();
  if (child.pid !== undefined) {
    // At once: it must not be missed while it is still starting.
    writeRecord(files[name], { pid: child.pid });
    return child.pid;
  }
  throw new CutoverError("CUTOVER_INTERNAL", { message: `${script} could not be started` });
}

/** Engine and load, kept running. */
export class Keeper {
  readonly #dir: string;
  readonly #say: (line: string) => void;
  readonly #stopping = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(dir: string, say: (line: string) => void) {
    this.#dir = dir;
    this.#say = say;
  }

  /** Resolves once both run; from then on whichever dies is started again. */
  async start(): Promise<void> {
    await this.#engine();
    if (!runs(pidOf(this.#dir, "load"), "load")) begin(this.#dir, "load");
    this.#watching = this.#watch();
    // Told when it is stopped: until then the crossing has its own way of dealing with an engine that is gone.
    this.#watching.catch(() => {});
  }

  /** Ends the load first, so that its last writes are answered. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    await end(this.#dir, "load");
    const told = setTimeout(
      () => this.#say("waits for the engine, which is still reading what it saw at the last turn"),
      5_000,
    );
    await end(this.#dir, "engine");
    clearTimeout(told);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await wait(lookEveryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      for (const name of ["engine", "load"] as const) {
        if (runs(pidOf(this.#dir, name), name)) continue;
        this.#say(`the ${name} is gone and is started again`);
        if (name === "engine") await this.#engine();
        else begin(this.#dir, name);
      }
    }
  }

  async #engine(): Promise<void> {
    let pid = pidOf(this.#dir, "engine");
    let begun = 0;
    for (const limit = Date.now() + startLimitMs; Date.now() < limit; await wait(50)) {
      // One that dies while it starts is begun again, but not for ever: its log says why.
      if (!runs(pid, "engine") && begun++ < mostBegun) pid = begin(this.#dir, "engine");
      const answer = await health(this.#dir, 1_000).catch(() => undefined);
      if (answer !== undefined && answer.pid === pid) return;
    }
    throw new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
      message: `expected the engine to answer within ${startLimitMs / 1_000} s, found that it does not`,
      place: places(this.#dir).engineLog,
      remedy: "see why in that log, then do the same again",
    });
  }
}

async function end(dir: string, name: Name): Promise<void> {
  const pid = pidOf(dir, name);
  if (pid === undefined || !runs(pid, name)) return;
  process.kill(pid, "SIGTERM");
  for (let look = 0; look < endLimitMs[name] / 50 && runs(pid, name); look++) await wait(50);
  if (runs(pid, name)) process.kill(pid, "SIGKILL");
  for (let look = 0; look < 40 && runs(pid, name); look++) await wait(50);
}

/** Ends what an earlier start left behind. */
export async function endLeftovers(dir: string): Promise<void> {
  await end(dir, "load");
  await end(dir, "engine");
}
