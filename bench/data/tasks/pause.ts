import { randomBytes } from "node:crypto";
import { join } from "node:path";
import {
  crossOver,
  type CrossingOptions,
  fileSwitch,
  memorySwitch,
  openLevelDb,
  openLmdb,
  openPostgresData,
  startMove,
} from "../../../src/data/index.ts";
import { timed } from "../meter.ts";
import { maps } from "../pause/maps.ts";
import { mappedWay, plainWay, sqlWay, type Way } from "../pause/ways.ts";
import type { Done } from "../process.ts";
import { keyOf } from "../rows.ts";

/** Writes in a second, evenly, each begun when it is due whether or not those before have come through. */
const perSecond = 500;
const job = "bench";

interface Options {
  readonly from: string;
  readonly to: string;
  readonly rows: number;
  /** Other keys and values on the new side. */
  readonly mapped: boolean;
}

/**
 * Crosses from LevelDB to LMDB while an application writes, 80 % to rows that are there; `told`: the pause by the crossing's own
 * account, and the longest that a write of the application took.
 */
export async function pause({ from, to, rows, mapped }: Options): Promise<Done> {
  await using old = await openLevelDb(from);
  await using fresh = await openLmdb(to, { create: true });
  const kept = fileSwitch(join(to, "switch"), { create: true });
  const between = mapped ? maps.keys : {};
  return await cross(
    { old, new: fresh, switch: kept, ...between },
    mapped ? await mappedWay(kept, old, fresh) : await plainWay(kept, old, fresh),
    rows,
  );
}

/** The same between two PostgreSQL, each a server of its own, through SQL. */
export async function pausePostgres({ from, to, rows, mapped }: Options): Promise<Done> {
  await using old = await openPostgresData(from);
  await using fresh = await openPostgresData(to);
  const kept = memorySwitch();
  const between = mapped ? maps.columns : {};
  return await cross(
    { old, new: fresh, switch: kept, ...between },
    await sqlWay(kept, from, to, mapped),
    rows,
  );
}

type Sides = Pick<CrossingOptions, "old" | "new" | "switch"> & Partial<Pick<CrossingOptions, "map" | "back">>;

async function cross(sides: Sides, way: Way, rows: number): Promise<Done> {
  const app = new Application(way, rows);
  const without = [`${job}:back`, `${job}:try`];
  const { map } = sides;
  const move = startMove({
    source: sides.old,
    target: sides.new,
    job,
    fence: 1,
    without,
    ...(map === undefined ? {} : { map }),
  });
  move.stopWhenCopied();
  await move.done;
  let pauseMs = Number.NaN;
  const done = await timed(async () => {
    const crossing = await crossOver({
      ...sides,
      job,
      fence: 1,
      random: (length) => new Uint8Array(randomBytes(length)),
    });
    pauseMs = crossing.pauseMs ?? Number.NaN;
    return rows;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { writes, longestMs } = await app.stop();
  const lost = await app.lostOnNew();
  await way.close();
  return { ...done, told: { pauseMs, longestMs, writes, lost } };
}

class Application {
  readonly #way: Way;
  readonly #rows: number;
  readonly #written = new Map<string, string>();
  readonly #going = new Set<Promise<void>>();
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  #writes = 0;
  #longestMs = 0;
  #failed: unknown;

  constructor(way: Way, rows: number) {
    this.#way = way;
    this.#rows = rows;
    this.#timer = setInterval(() => this.#writeDue(), 2);
  }

  async stop(): Promise<{ readonly writes: number; readonly longestMs: number }> {
    clearInterval(this.#timer);
    await Promise.all(this.#going);
    if (this.#failed !== undefined) throw this.#failed;
    return { writes: this.#writes, longestMs: this.#longestMs };
  }

  /** How many keys there are whose last write is not there. */
  async lostOnNew(): Promise<number> {
    const keys = [...this.#written.keys()];
    const found = await this.#way.onNew(keys);
    return keys.filter((key, at) => found[at] !== this.#written.get(key)).length;
  }

  #writeDue(): void {
    const due = ((performance.now() - this.#began) * perSecond) / 1_000;
    while (this.#writes < due) {
      const number = this.#writes++;
      const key = keyOf((number * 7_919) % Math.floor(this.#rows * 1.25)).toString();
      const value = `${number}`.padEnd(100, "x");
      const began = performance.now();
      const going = this.#way.put(key, value).then(
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
