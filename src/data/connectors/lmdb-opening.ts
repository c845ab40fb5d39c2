import { mkdirSync, realpathSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { pid } from "node:process";
import { type Clock, CutoverError, timeId, type Timer } from "../../core/index.ts";
import { addressOf, askOthers, say, withdraw } from "./lmdb-openers.ts";
import { storeError } from "./place.ts";
import { WriteHold } from "./write-hold.ts";

/** How long an opener waits for all to hold their writes before it lets them go on, and asks again. */
const roundMs = 1_000;
/** Between two rounds, so that those who were held get on. */
const restMs = 100;
/** After so long it is told which process does not answer. */
const patienceMs = 10_000;
/** An opener that does not end, nor open, is waited for no longer. */
const longestHoldMs = 10_000;

export interface OpeningOptions {
  /** The environment: its folder, or its file. */
  readonly path: string;
  readonly file: boolean;
  readonly name: string;
  readonly clock: Clock;
}

/** One for each environment that this process has open. */
const open = new Map<string, Opening>();

/**
 * How processes that have one LMDB open let another one open it.
 *
 * The package `lmdb` (3.5.6), when it opens an environment, reads the number of the last transaction and a moment later
 * writes that number into the memory that all processes share, without the lock of the writers
 * (`mdb_env_open2`: `me_txns->mti_txnid = meta.mm_txnid`). What another process has committed in between is overwritten by the
 * next transaction, and its pages are used twice. So nobody writes while somebody opens: each process that has the environment
 * open listens on a socket beside it; who wants to open connects to all of them, waits until each says that its writes are
 * held, opens, and disconnects. A process that died is found by its socket, which nobody listens at any more. Of two that open
 * at once the one whose name comes first in order goes first, the other holds its own opening until then.
 *
 * It holds the writes of stores that `openLmdb` has opened, and knows nothing of others.
 */
export class Opening {
  readonly #key: string;
  readonly #folder: string;
  readonly #options: OpeningOptions;
  readonly #self: string;
  readonly #holds = new Set<WriteHold>();
  readonly #freed: (() => void)[] = [];
  /** Openers after this one in order, who wait for it. */
  readonly #later: (() => void)[] = [];
  #server: Server | undefined;
  #users = 0;
  /** Others who were told that nothing is written here. */
  #holders = 0;
  #turn: "before" | "after" = "before";
  /** Openings of this process one by one, so that the second finds what the first has opened. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(key: string, folder: string, options: OpeningOptions) {
    this.#key = key;
    this.#folder = folder;
    this.#options = options;
    this.#self = `${pid}-${timeId(options.clock.now())}`;
  }

  /** The one of this environment. Whoever has called it calls `leave` in the end. */
  static of(options: OpeningOptions): Opening {
    const { path, file } = options;
    const above = file ? dirname(path) : path;
    if (!file) mkdirSync(path, { recursive: true });
    const real = realpathSync(above);
    const key = file ? join(real, basename(path)) : real;
    const folder = file ? `${key}-cutover-opening` : join(key, "cutover-opening");
    let opening = open.get(key);
    if (opening === undefined) open.set(key, (opening = new Opening(key, folder, options)));
    opening.#users++;
    return opening;
  }

  /**
   * Carries out `action`, which opens the environment and may write at once, while nobody else writes.
   * @throws CUTOVER_DATA_UNAVAILABLE when a process that has it open does not answer; what `action` throws
   */
  carryOut<T>(action: () => T): Promise<T> {
    const done = this.#last.then(() =>
      this.#turn === "after" ? this.#whenFree(action) : this.#first(action),
    );
    this.#last = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** For the writes of one handle. */
  join(): WriteHold {
    const hold = new WriteHold(this.#holders);
    this.#holds.add(hold);
    return hold;
  }

  /** To be called before the environment is closed, when nothing of this handle is written any more. */
  leave(hold?: WriteHold): void {
    if (hold !== undefined) this.#holds.delete(hold);
    if (--this.#users > 0) return;
    if (open.get(this.#key) === this) open.delete(this.#key);
    this.#server?.close();
    this.#server = undefined;
    withdraw(this.#folder, this.#self);
  }

  async #first<T>(action: () => T): Promise<T> {
    const { clock, name } = this.#options;
    try {
      await this.#listen();
      const since = clock.monotonic();
      // Who was missing in each round. One may be late in a round because of the disk.
      let missing: readonly string[] | undefined;
      for (;;) {
        const round = await askOthers(this.#folder, this.#self, { clock, ms: roundMs });
        const late = round.missing();
        try {
          await this.#free(clock, roundMs);
          // From here to the end of the action nothing else runs in this process.
          if (this.#holders === 0 && round.missing().length === 0) {
            const value = action();
            this.#turn = "after";
            return value;
          }
        } finally {
          round.release();
        }
        missing = missing?.filter((one) => late.includes(one)) ?? late;
        const waitedMs = clock.monotonic() - since;
        if (waitedMs >= patienceMs) throw unanswered(name, missing, waitedMs);
        await new Promise<void>((resolve) => clock.after(restMs, resolve));
      }
    } finally {
      for (const go of this.#later.splice(0)) go();
    }
  }

  async #whenFree<T>(action: () => T): Promise<T> {
    while (this.#holders > 0) await new Promise<void>((resolve) => this.#freed.push(resolve));
    return action();
  }

  /** Until nobody holds this process, or for so long. */
  async #free(clock: Clock, ms: number): Promise<void> {
    let over = false;
    let timer: Timer | undefined;
    while (this.#holders > 0 && !over)
      await new Promise<void>((resolve) => {
        this.#freed.push(resolve);
        timer ??= clock.after(ms, () => {
          over = true;
          for (const tell of this.#freed.splice(0)) tell();
        });
      });
    timer?.cancel();
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    try {
      mkdirSync(this.#folder, { recursive: true });
      const server = createServer((socket) => void this.#serve(socket));
      const address = await addressOf(this.#folder, this.#self, server);
      server.unref();
      this.#server = server;
      say(this.#folder, this.#self, address);
    } catch (error) {
      throw storeError(error, this.#options.name);
    }
  }

  /** Somebody wants to open: until the connection ends, nothing is written here. */
  async #serve(socket: Socket): Promise<void> {
    let [held, over] = [false, false];
    const limit = this.#options.clock.after(longestHoldMs, () => socket.destroy());
    // The connection keeps the process alive: a write that waits would otherwise be forgotten with the last thing to do.
    socket.on("error", () => {});
    socket.on("close", () => {
      over = true;
      limit.cancel();
      if (held) this.#release();
    });
    const name = await new Promise<string>((resolve) =>
      socket.once("data", (line) => resolve(line.toString().trim())),
    );
    if (this.#turn === "before" && name > this.#self)
      await new Promise<void>((resolve) => this.#later.push(resolve));
    if (over) return;
    held = true;
    this.#holders++;
    await Promise.all([...this.#holds].map((hold) => hold.hold()));
    if (!over) socket.write("held\n");
  }

  #release(): void {
    this.#holders--;
    for (const hold of this.#holds) hold.release();
    if (this.#holders === 0) for (const tell of this.#freed.splice(0)) tell();
  }
}

function unanswered(place: string, missing: readonly string[], waitedMs: number): CutoverError {
  const who = missing.map((name) => name.split("-")[0]).join(", ");
  const found = missing.length === 0 ? "now one and now another too late" : `no answer from process ${who}`;
  return new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
    message: `expected every process that has it open to hold its writes while it is opened here, found ${found} within ${Math.round(waitedMs)} ms`,
    place,
    remedy: "let that process go on, or end it (it may be stopped, or too busy to answer), then open again",
    details: { processes: missing.map((name) => Number(name.split("-")[0])) },
  });
}
