import { randomBytes } from "node:crypto";
import { join } from "node:path";
import {
  crossOver,
  fileSwitch,
  type Movable,
  movable,
  openLevelDb,
  openLmdb,
  startMove,
} from "../../../src/data/index.ts";
import { timed } from "../meter.ts";
import type { Done } from "../process.ts";
import { keyOf } from "../rows.ts";

/** Writes in a second, evenly, each begun when it is due whether or not those before have come through. */
const perSecond = 500;
const job = "bench";

/**
 * Crosses from LevelDB to LMDB while an application writes through its handle, 80 % to rows that are there; `told`: the pause by
 * the crossing's own account, and the longest that a write of the application took.
 */
export async function pause(options: { from: string; to: string; rows: number }): Promise<Done> {
  await using old = await openLevelDb(options.from);
  await using fresh = await openLmdb(options.to, { create: true });
  const kept = fileSwitch(join(options.to, "switch"), { create: true });
  const db = await movable({ switch: kept, old, new: fresh });
  const app = new Application(db, options.rows);
  const without = [`${job}:back`, `${job}:try`];
  const move = startMove({ source: old, target: fresh, job, fence: 1, without });
  move.stopWhenCopied();
  await move.done;
  let pauseMs = Number.NaN;
  const done = await timed(async () => {
    const crossing = await crossOver({
      old,
      new: fresh,
      switch: kept,
      job,
      fence: 1,
      random: (length) => new Uint8Array(randomBytes(length)),
    });
    pauseMs = crossing.pauseMs ?? Number.NaN;
    return options.rows;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { writes, longestMs } = await app.stop();
  const lost = await app.lostOn(fresh);
  await db.close();
  return { ...done, told: { pauseMs, longestMs, writes, lost } };
}

class Application {
  readonly #db: Movable;
  readonly #rows: number;
  readonly #written = new Map<string, string>();
  readonly #going = new Set<Promise<void>>();
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  #writes = 0;
  #longestMs = 0;
  #failed: unknown;

  constructor(db: Movable, rows: number) {
    this.#db = db;
    this.#rows = rows;
    this.#timer = setInterval(() => this.#writeDue(), 2);
  }

  async stop(): Promise<{ readonly writes: number; readonly longestMs: number }> {
    clearInterval(this.#timer);
    await Promise.all(this.#going);
    if (this.#failed !== undefined) throw this.#failed;
    return { writes: this.#writes, longestMs: this.#longestMs };
  }

  /** Keys whose last write is not there. */
  async lostOn(store: {
    get(collection: string, keys: readonly Buffer[]): Promise<readonly unknown[]>;
  }): Promise<number> {
    const keys = [...this.#written.keys()];
    const found = (await store.get(
      "",
      keys.map((key) => Buffer.from(key)),
    )) as (Buffer | undefined)[];
    return keys.filter((key, at) => found[at]?.toString() !== this.#written.get(key)).length;
  }

  #writeDue(): void {
    const due = ((performance.now() - this.#began) * perSecond) / 1_000;
    while (this.#writes < due) {
      const number = this.#writes++;
      const key = keyOf((number * 7_919) % Math.floor(this.#rows * 1.25)).toString();
      const value = `${number}`.padEnd(100, "x");
      const began = performance.now();
      const going = this.#db.put(Buffer.from(key), Buffer.from(value)).then(
        () => {
          this.#written.set(key, value);
          this.#longestMs = Math.max(this.#longestMs, performance.now() - began);
        },
        (error: unknown) => {
          this.#failed ??= error;
        },
      );
      this.#going.add(going);
      void going.then(() => this.#going.delete(going));
    }
  }
}
