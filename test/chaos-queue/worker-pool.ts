import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ledgerTime, note } from "./ledger.ts";
import type { Plan } from "./plan.ts";
import type { WorkerStart } from "./worker.ts";

const program = join(import.meta.dirname, "worker.ts");
const clockJump = join(import.meta.dirname, "clock-jump.ts");

interface Place {
  readonly index: number;
  readonly life: number;
  /** Of its process, in the ledger. */
  readonly name: string;
  child: ChildProcess;
  ended: Promise<void>;
  /** It was told to end, by whatever signal. */
  doomed: boolean;
  stopped: boolean;
  /** By the ledger's time; undefined for one that ends in another way. */
  killedAt: number | undefined;
  said: string;
}

/** The worker processes, each in its place: one that was killed is followed by another. */
export class WorkerPool {
  /** Workers that ended although nobody asked them to, and what they said. */
  readonly ownEnds: string[] = [];
  readonly #plan: Plan;
  readonly #where: string;
  readonly #folder: string;
  readonly #own: { readonly name: string; readonly slots: number };
  readonly #places: Place[];
  #closing = false;

  /** @param own what its processes' names in the ledger begin with, where there are several pools; the slots of each */
  constructor(plan: Plan, where: string, folder: string, own = { name: "", slots: 8 }) {
    this.#plan = plan;
    this.#where = where;
    this.#folder = folder;
    this.#own = own;
    this.#places = Array.from({ length: plan.workers }, (_, index) => this.#start(index, 0));
  }

  get size(): number {
    return this.#places.length;
  }

  /** `kill -9`, and a new process a while later. */
  async kill(index: number, afterMs: number): Promise<void> {
    await this.#replace(index, "SIGKILL", afterMs);
  }

  /** Lets it end what it began, and a new process a while later. */
  async drain(index: number, afterMs: number): Promise<void> {
    await this.#replace(index, "SIGTERM", afterMs);
  }

  /** Stops the process where it stands, and lets it go on. */
  async standStill(index: number, forMs: number): Promise<void> {
    const place = this.#places[index];
    if (place === undefined || place.doomed || place.stopped) return;
    place.stopped = true;
    const from = ledgerTime();
    place.child.kill("SIGSTOP");
    await pause(forMs);
    place.child.kill("SIGCONT");
    note(this.#folder, "driver", { what: "still", process: place.name, from, to: ledgerTime() });
    place.stopped = false;
  }

  /** Ends all of them; those that do not within the time are killed, and it is told. */
  async close(limitMs: number): Promise<void> {
    this.#closing = true;
    await Promise.all(
      this.#places.map(async (place) => {
        place.doomed = true;
        place.child.kill("SIGCONT");
        place.child.kill("SIGTERM");
        const limit = new AbortController();
        const late = pause(limitMs, true, { signal: limit.signal }).catch(() => false);
        if ((await Promise.race([place.ended, late])) === true) {
          this.ownEnds.push(
            `worker ${place.index} did not end within ${limitMs} ms of SIGTERM: ${place.said}`,
          );
          place.child.kill("SIGKILL");
          await place.ended;
        }
        limit.abort();
      }),
    );
  }

  async #replace(index: number, signal: "SIGKILL" | "SIGTERM", afterMs: number): Promise<void> {
    const place = this.#places[index];
    if (place === undefined || place.doomed || place.stopped) return;
    place.doomed = true;
    if (signal === "SIGKILL") place.killedAt = ledgerTime();
    place.child.kill(signal);
    const hang = setTimeout(() => {
      this.ownEnds.push(`worker ${index} did not end within 30 s of ${signal}`);
      place.child.kill("SIGKILL");
    }, 30_000);
    await place.ended;
    clearTimeout(hang);
    await pause(afterMs);
    if (!this.#closing) this.#places[index] = this.#start(index, place.life + 1);
  }

  #start(index: number, life: number): Place {
    const { seed, built, store } = this.#plan;
    const elsewhere = store === "postgres" && index % 2 === 1;
    const name = `${this.#own.name}${index}.${life}`;
    const start: WorkerStart = {
      where: this.#where,
      folder: this.#folder,
      name,
      slots: this.#own.slots,
      seed,
      ...(built === undefined ? {} : { built }),
      ...(elsewhere ? { workerId: `machine-${index}-${life}` } : {}),
    };
    // SQLite has no clock but that of the machine, which all processes of a machine share: there it does not jump.
    const jumps = store === "postgres" && index % 4 >= 2 ? ["--import", clockJump] : [];
    const child = spawn(process.execPath, [...jumps, program, JSON.stringify(start)], {
      stdio: ["pipe", "ignore", "pipe"],
      env: {
        ...process.env,
        CHAOS_CLOCK_SEED: String(seed * 100 + index * 10 + life),
        CHAOS_CLOCK_LOG: join(this.#folder, "jumps"),
      },
    });
    const ended = Promise.withResolvers<void>();
    const place: Place = {
      index,
      life,
      name,
      child,
      ended: ended.promise,
      doomed: false,
      stopped: false,
      killedAt: undefined,
      said: "",
    };
    child.stderr?.on("data", (chunk: Buffer) => {
      place.said = (place.said + chunk.toString()).slice(-2_000);
    });
    child.once("exit", (code, signal) => {
      const at = place.killedAt ?? ledgerTime();
      note(this.#folder, "driver", { what: "ended", process: name, at });
      const asked = place.doomed && (signal !== null || code === 0);
      if (!asked) this.ownEnds.push(`worker ${index} ended by itself (${signal ?? code}): ${place.said}`);
      ended.resolve();
      if (!place.doomed && !this.#closing) this.#places[index] = this.#start(index, life + 1);
    });
    return place;
  }
}
