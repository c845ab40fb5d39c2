import type { CapturedStore } from "../capture-store.ts";
import { CaptureWriter } from "../capture-writer.ts";
import { type FollowOptions, followSettings } from "./follow-options.ts";
import { firstOf, type FollowCounts, type InCharge, SwitchFollower } from "./follow.ts";
import { type OpenedSide, OpenedSides, type SidesOptions, type StoreReading } from "./opened-sides.ts";
import type { Standing, Switch } from "./switch.ts";

export interface StoreSidesOptions extends SidesOptions, FollowOptions {
  readonly switch: Switch;
}

/** What a body works with. */
export interface StoreInCharge extends InCharge {
  /** Writes under the epoch of this run; refused once that is over. */
  readonly db: CaptureWriter;
  readonly store: CapturedStore;
}

/** What a body reads with. */
export interface StoreAtHand extends InCharge {
  readonly db: StoreReading;
  readonly store: CapturedStore;
}

/** Both sides of an embedded store; see `storeSides`. */
export class StoreSides implements AsyncDisposable {
  readonly #sides: OpenedSides;
  readonly #follower: SwitchFollower;
  readonly #durable: boolean;
  #writing: { readonly side: OpenedSide; readonly db: CaptureWriter };

  /** By `storeSides`, which opens the first side. */
  constructor(options: {
    readonly sides: OpenedSides;
    readonly opened: OpenedSide;
    readonly follow: FollowOptions;
    readonly first: Standing;
    readonly kept: Switch;
    readonly durable: boolean;
  }) {
    const { sides, opened, follow, first, kept, durable } = options;
    this.#sides = sides;
    this.#durable = durable;
    this.#writing = this.#writer(opened, first.epoch);
    this.#follower = new SwitchFollower(kept, first, followSettings("storeSides", follow), {
      ordered: false,
      prepare: async () => {
        const { side, epoch } = this.#follower.standing;
        this.#writing = this.#writer(await this.#sides.open(side), epoch);
      },
    });
  }

  /** The side in charge, as far as this process has heard. */
  get standing(): Standing {
    return this.#follower.standing;
  }

  /** As `SwitchFollower.epochOf`: for stores whose own calls the application uses, as `openLevelDb(path, { epoch })`. */
  epochOf(side: Standing["side"]): number {
    return this.#follower.epochOf(side);
  }

  get counts(): FollowCounts {
    return this.#follower.counts;
  }

  /**
   * Carries out `body` on the side in charge, and again from its beginning when that side refuses it: on whichever is in charge
   * then. What it writes before a refused write stays written where it is more than one batch.
   * @throws as `SwitchFollower.run`
   */
  run<T>(
    body: (at: StoreInCharge) => Promise<T>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    return this.#follower.run((at) => {
      const { side, db } = this.#writing;
      return body({ ...at, db, store: side.store });
    }, options);
  }

  /** Carries out `body`, which only reads, on the side in charge, at once. */
  read<T>(
    body: (at: StoreAtHand) => Promise<T>,
    options: { readonly signal?: AbortSignal; readonly fresh?: boolean } = {},
  ): Promise<T> {
    return this.#follower.read(async (at) => {
      const side = this.#sides.at(at.side) ?? (await this.#sides.open(at.side));
      return body({ ...at, db: side.reader, store: side.store });
    }, options);
  }

  /** As `Movable.close`. */
  async close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#follower.close(options);
    await this.#sides.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #writer(side: OpenedSide, epoch: number): { readonly side: OpenedSide; readonly db: CaptureWriter } {
    const { store, collection } = side;
    return { side, db: new CaptureWriter(store, { collection, epoch, durable: this.#durable }) };
  }
}

/**
 * Hands an application the store that is in charge of the data: for rows that look otherwise on the new side, or for reading and
 * writing in one go. Calls that a cutover has stopped wait, and run again on the side in charge then.
 * @throws as `movable`
 *
 * @example
 * await using orders = await storeSides({ switch: fileSwitch("data/orders-switch"), old, new: openNew });
 * await orders.run(async ({ side, db }) => {
 *   const key = Buffer.from(side === "old" ? `order:${id}` : `orders/${region}/${id}`);
 *   await db.put(key, Buffer.from(JSON.stringify(order)));
 * });
 */
export async function storeSides(options: StoreSidesOptions): Promise<StoreSides> {
  const { switch: kept, old, new: fresh, collection = "", durable = false, ...follow } = options;
  followSettings("storeSides", follow);
  const sides = new OpenedSides("storeSides", { old, new: fresh }, collection);
  const first = await firstOf(kept);
  const opened = await sides.open(first.side);
  return new StoreSides({ sides, opened, follow, first, kept, durable });
}
