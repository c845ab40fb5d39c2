import type { WriteAs } from "../write-as.ts";
import { type BatchOperation, CollectedBatch, type KeyRange } from "../capture-writer.ts";
import type { Change } from "../connector.ts";
import { type FollowOptions, followSettings } from "./follow-options.ts";
import { firstOf, type FollowCounts, SwitchFollower } from "./follow.ts";
import { type OpenedSide, OpenedSides, type SidesOptions } from "./opened-sides.ts";
import type { Standing, Switch } from "./switch.ts";

export interface MovableOptions extends SidesOptions, FollowOptions {
  readonly switch: Switch;
}

/** The side writes go to, and how. */
interface Writing extends OpenedSide {
  readonly as: WriteAs;
}

/** The handle an application of an embedded store holds while its data moves; see `movable`. */
export class Movable implements AsyncDisposable {
  readonly #sides: OpenedSides;
  readonly #follower: SwitchFollower;
  readonly #durable: boolean;
  #writing: Writing;

  /** By `movable`, which opens the first side. */
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
    this.#writing = writingTo(opened, first.epoch, durable);
    this.#follower = new SwitchFollower(kept, first, followSettings("movable", follow), {
      ordered: true,
      prepare: async () => {
        const { side, epoch } = this.#follower.standing;
        this.#writing = writingTo(await this.#sides.open(side), epoch, this.#durable);
      },
    });
  }

  /** The side in charge, as far as this process has heard. */
  get standing(): Standing {
    return this.#follower.standing;
  }

  get counts(): FollowCounts {
    return this.#follower.counts;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { store, collection } = this.#sides.at(this.standing.side) ?? (await this.#reading());
    return (await store.get(collection, [key]))[0];
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const { reader } = this.#sides.at(this.standing.side) ?? (await this.#reading());
    return reader.getMany(keys);
  }

  async has(key: Uint8Array): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  /**
   * @throws CUTOVER_DATA_REFUSED, CUTOVER_DATA_FULL; CUTOVER_DATA_PAUSED when it waited too long or too many wait;
   * CUTOVER_DATA_CLOSED. So do all writes. What was refused was not carried out.
   */
  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#follower.run(() => {
      const { store, collection, as } = this.#writing;
      return store.write([{ collection, key, value }], as);
    });
  }

  del(key: Uint8Array): Promise<void> {
    return this.batch([{ type: "del", key }]);
  }

  /** All of the operations or none, in this order, on one side. Without operations: collects them until `write()`. */
  batch(operations: readonly BatchOperation[]): Promise<void>;
  batch(): CollectedBatch;
  batch(operations?: readonly BatchOperation[]): Promise<void> | CollectedBatch {
    if (operations === undefined) return new CollectedBatch((collected) => this.batch(collected));
    return this.#follower.run(() => {
      const { store, collection, as } = this.#writing;
      const changes = operations.map((operation): Change => ({
        collection,
        key: operation.key,
        value: operation.type === "put" ? operation.value : null,
      }));
      return store.write(changes, as);
    });
  }

  /** Rows in the order of their keys, as they stood when the first was read: of one side, also when the switch is turned meanwhile. */
  async *iterator(range: KeyRange = {}): AsyncGenerator<[Uint8Array, Uint8Array], void, void> {
    yield* (await this.#reading()).reader.iterator(range);
  }

  async *keys(range: KeyRange = {}): AsyncGenerator<Uint8Array, void, void> {
    yield* (await this.#reading()).reader.keys(range);
  }

  async *values(range: KeyRange = {}): AsyncGenerator<Uint8Array, void, void> {
    yield* (await this.#reading()).reader.values(range);
  }

  /**
   * Takes no more writes, waits for those on their way, and closes the stores that it opened: iterators end there. When
   * `signal` aborts, writes that wait for a side fail with CUTOVER_DATA_CLOSED.
   */
  async close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#follower.close(options);
    await this.#sides.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #reading(): Promise<OpenedSide> {
    return this.#follower.read(({ side }) => this.#sides.open(side));
  }
}

const writingTo = (side: OpenedSide, epoch: number, durable: boolean): Writing => ({
  ...side,
  as: { epoch, durable, chain: { refusedBy: undefined } },
});

/**
 * The calls of a key-value store, going to the side that is in charge of the data: an application of an embedded store holds
 * this before, through and after the move, when rows look alike on both sides (through a map: `storeSides`).
 *
 * Writes wait while a cutover has them stopped and go on at the side that is in charge then. Those of one handle are carried out in
 * the order of their calls, none twice and none left out; one that failed was not carried out, as with the store itself. Reads never wait, and see
 * what this handle has written. A process that did not hear of a turn yet reads the other side, up to some ten milliseconds.
 * @throws CUTOVER_DATA_OPTIONS, CUTOVER_DURATION_INVALID, what the switch throws when it is read, and the store when it is opened
 *
 * @example
 * await using db = await movable({
 *   switch: fileSwitch("data/orders-switch"),
 *   old: () => openLevelDb("data/old"),
 *   new: () => openLmdb("data/new"),
 * });
 * await db.put(key, value);
 */
export async function movable(options: MovableOptions): Promise<Movable> {
  const { switch: kept, old, new: fresh, collection = "", durable = false, ...follow } = options;
  followSettings("movable", follow);
  const sides = new OpenedSides("movable", { old, new: fresh }, collection);
  const first = await firstOf(kept);
  const opened = await sides.open(first.side);
  return new Movable({ sides, opened, follow, first, kept, durable });
}
