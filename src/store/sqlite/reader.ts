import { type Clock, type CutoverError, sleep } from "../../core/index.ts";
import type { Connection } from "./connection.ts";
import { closedStore } from "../closed-store.ts";
import { isBusy, storeError } from "./sqlite-error.ts";
import type { StandingFiles } from "./standing-files.ts";

/** Reads at once on the store's connection, and waits only while another process repairs the write-ahead log. */
export class Reader {
  readonly #db: Connection;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #busyMs: number;
  readonly #place: string;
  readonly #files: StandingFiles;
  readonly #stillWhole: (() => void) | undefined;
  #closed = false;

  constructor(
    db: Connection,
    options: {
      readonly clock: Clock;
      readonly random: () => number;
      readonly busyMs: number;
      readonly place: string;
      readonly files: StandingFiles;
      /** Asked after each query; throws when what was read may not hold together. */
      readonly stillWhole?: (() => void) | undefined;
    },
  ) {
    this.#db = db;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#busyMs = options.busyMs;
    this.#place = options.place;
    this.#files = options.files;
    this.#stillWhole = options.stillWhole;
  }

  /** @throws CUTOVER_STORE_* as a `CutoverError` */
  async read<T>(query: (db: Connection) => T): Promise<T> {
    const since = this.#clock.monotonic();
    for (let tries = 0; ; tries++) {
      if (this.#closed) throw this.closedError();
      try {
        this.#files.glance();
        const answer = query(this.#db);
        this.#stillWhole?.();
        return answer;
      } catch (error) {
        if (!isBusy(error) || this.#clock.monotonic() - since >= this.#busyMs)
          throw storeError(error, this.#place);
        await sleep(this.#clock, 0.2 + this.#random() * Math.min(20, 0.5 * 2 ** tries));
      }
    }
  }

  close(): void {
    this.#closed = true;
  }

  closedError(): CutoverError {
    return closedStore(this.#place);
  }
}
