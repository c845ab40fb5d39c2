import { type FSWatcher, watch } from "node:fs";
import {
  backoffDelay,
  type BackoffPolicy,
  type Clock,
  CutoverError,
  type Interval,
  type MismatchSample,
  type Timer,
} from "../../core/index.ts";
import { StoreFolder } from "./folder.ts";
import type { Link, LinkedDoor } from "./link.ts";
import { Outbox } from "./outbox.ts";
import type { OwnerCalls } from "./owner-calls.ts";
import type { ErrorReporter } from "./report-error.ts";

/** The owner says "alive" every 2 s; three missed ones mean that it is gone. */
const silence = 6_000;
/** Also the slow poll for folder, owner and `routes.json` while there is no owner. */
const retry: BackoffPolicy = { base: 100, factor: 2, cap: 1_000, floor: 20, jitter: 0.5 };
const lastDelivery = 1_000;

export interface OwnerLinkOptions {
  readonly dir: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly errors: ErrorReporter;
}

/**
 * The link to whoever owns the store of this project. Follows its stream of states while there is an owner; without
 * one reads `routes.json` and looks for a new owner, at every change of the folder and at least once a second.
 */
export class OwnerLink implements Link {
  readonly #options: OwnerLinkOptions;
  readonly #folder: StoreFolder;
  readonly #outbox = new Outbox();
  #door: LinkedDoor | undefined;
  #callsTo: ((socket: string) => OwnerCalls) | undefined;
  #loading = false;
  #calls: OwnerCalls | undefined;
  #endStream: (() => void) | undefined;
  #connected = false;
  #undeclared = false;
  #delivering: Promise<void> | undefined;
  #attempt = 0;
  #heardAt = 0;
  #timer: Timer | undefined;
  #watcher: FSWatcher | undefined;
  #closed = false;

  constructor(options: OwnerLinkOptions) {
    this.#options = options;
    this.#folder = new StoreFolder(options.dir);
  }

  open(door: LinkedDoor): void {
    this.#door = door;
    this.#look();
  }

  declare(): void {
    this.#undeclared = true;
    // Routes are declared one after the other while modules load: one call tells of them all.
    setImmediate(() => this.#deliver());
  }

  send(intervals: readonly Interval[], samples: readonly MismatchSample[]): void {
    this.#outbox.add(intervals, samples);
    this.#deliver();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#connected) {
      // This timer does keep the process alive: whoever awaits close() must get an answer.
      await new Promise<void>((resolve) => {
        const limit = this.#options.clock.after(lastDelivery, resolve);
        void (this.#delivering ?? Promise.resolve())
          .then(() => this.#drain())
          .then(() => {
            limit.cancel();
            resolve();
          });
      });
    }
    this.#closed = true;
    this.#timer?.cancel();
    this.#watcher?.close();
    this.#endStream?.();
    this.#calls?.close();
  }

  /** Reads what lies in the folder and tries to reach its owner. */
  #look(): void {
    if (this.#closed || this.#loading || this.#endStream !== undefined) return;
    this.#timer?.cancel();
    const routes = this.#folder.changedRoutes();
    if (routes !== undefined) this.#door?.apply(routes, false);
    this.#watch();
    const socket = this.#folder.ownerSocket();
    if (socket === undefined) return this.#lookLater();
    if (this.#callsTo === undefined) return this.#load();
    this.#follow(this.#callsTo(socket));
  }

  /** `node:http` takes longer to load than all of this door: an application that has no owner never loads it. */
  #load(): void {
    this.#loading = true;
    void import("./owner-calls.ts").then(({ OwnerCalls }) => {
      this.#callsTo = (socket) => new OwnerCalls(socket);
      this.#loading = false;
      this.#look();
    });
  }

  #lookLater(): void {
    const delay = backoffDelay(retry, ++this.#attempt, this.#options.random);
    this.#timer = this.#options.clock.after(delay, () => this.#look());
    this.#timer.unref();
  }

  #watch(): void {
    const folder = this.#folder.path();
    if (this.#watcher !== undefined || folder === undefined) return;
    try {
      this.#watcher = watch(folder, { persistent: false }, (_, file) => {
        if (file === "owner.json" || file === "routes.json" || file === null) this.#look();
      });
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#unwatch(); // out of watches: the slow poll finds every change as well
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #follow(calls: OwnerCalls): void {
    this.#calls = calls;
    this.#heardAt = this.#options.clock.monotonic();
    this.#listenForSilence();
    this.#endStream = calls.follow(`/v1/routes/stream?door=${encodeURIComponent(this.#door?.name ?? "")}`, {
      opened: () => {
        this.#connected = true;
        this.#undeclared = true;
        this.#attempt = 0;
        this.#deliver();
      },
      line: (value) => {
        this.#heardAt = this.#options.clock.monotonic();
        this.#take(value);
      },
      ended: (error) => {
        calls.close();
        this.#calls = undefined;
        this.#endStream = undefined;
        this.#connected = false;
        this.#timer?.cancel();
        if (error !== undefined) this.#options.errors.report(error);
        // The folder may have been removed and made anew: a watch of the old one would see nothing.
        this.#unwatch();
        if (!this.#closed) this.#lookLater();
      },
    });
  }

  #listenForSilence(): void {
    this.#timer = this.#options.clock.after(silence / 6, () => {
      if (this.#options.clock.monotonic() - this.#heardAt > silence) this.#endStream?.();
      else this.#listenForSilence();
    });
    this.#timer.unref();
  }

  #take(value: unknown): void {
    const line = (value ?? {}) as { type?: unknown; routes?: unknown; state?: unknown };
    if (line.type === "routes" && Array.isArray(line.routes)) this.#door?.apply(line.routes, true);
    else if (line.type === "route") this.#door?.apply([line.state], true);
  }

  #deliver(): void {
    if (this.#delivering !== undefined || this.#closed) return;
    this.#delivering = this.#drain().finally(() => {
      this.#delivering = undefined;
    });
  }

  /** Posts until nothing is left, the owner is gone or it answers that it cannot take more now. */
  async #drain(): Promise<void> {
    for (;;) {
      const calls = this.#calls;
      if (calls === undefined || !this.#connected) return;
      try {
        if (this.#undeclared) {
          this.#undeclared = false;
          await this.#post(calls, "/v1/doors", { declarations: this.#door?.declarations() ?? [] });
        }
        if (this.#outbox.empty) return;
        const intervals = this.#outbox.intervals();
        const samples = this.#outbox.samples();
        if (intervals.length > 0 && !(await this.#post(calls, "/v1/intervals", { intervals }))) return;
        if (samples.length > 0 && !(await this.#post(calls, "/v1/mismatches", { samples }))) return;
        this.#outbox.remove([...intervals, ...samples]);
        this.#reportDropped();
      } catch {
        return; // kept in the outbox; the next flush tries again, with this owner or another
      }
    }
  }

  /** False when it should be tried again later. What an owner refuses (4xx) is dropped, or it would block the rest. */
  async #post(calls: OwnerCalls, path: string, body: unknown): Promise<boolean> {
    const status = await calls.post(path, body);
    if (status < 400) return true;
    this.#options.errors.report(
      new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
        message: `expected the owner of the store to take ${path}, found status ${status}`,
        details: { path, status },
        place: path,
      }),
    );
    return status < 500;
  }

  #reportDropped(): void {
    const { dropped } = this.#outbox;
    if (dropped === 0) return;
    this.#outbox.dropped = 0;
    this.#options.errors.report(
      new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
        message: `${dropped} intervals were dropped while no owner of the store took them`,
        details: { dropped },
        place: "outbox",
      }),
    );
  }
}
