import { type Clock, CutoverError, faultPoint, systemClock } from "../core/index.ts";
import { type ByteEngine, type ByteView, type Put, reserved } from "./capture-engine.ts";
import { encodeRecordOf } from "./capture-journal.ts";
import { followJournal } from "./capture-log.ts";
import {
  checkFormat,
  checkpointKey,
  epochIn,
  fenceKey,
  formatBytes,
  jobFenceIn,
  journalKey,
  keys,
  prunedIn,
  sequenceIn,
  slotsBytes,
  slotsIn,
} from "./capture-records.ts";
import { bytesOfNumber, numberOfBytes } from "./bytes.ts";
import type {
  Change,
  Chunk,
  ChunkLimit,
  Collection,
  DataStore,
  LogBatch,
  Position,
  Range,
  Reader,
  Row,
  TargetWrite,
} from "./connector.ts";
import {
  atMostBlock,
  blockIn,
  chunkOf,
  fenceAt,
  placedRows,
  type ScanOptions,
  until,
} from "./capture-blocks.ts";
import { blockForm, type RowBlock, rowsOfBlock } from "./row-block.ts";
import {
  blocksOf,
  getFrom,
  isOwn,
  Moment,
  ownPrefix,
  placed,
  placeOf,
  rowsOf,
  scanOf,
} from "./capture-moment.ts";
import { checkEpoch, fenced, isLate, rowRefused, staleFence } from "./capture-refusals.ts";
import type { WriteAs } from "./write-as.ts";
import { positionOf, sequenceOf } from "./position.ts";

/** Journal records removed in one transaction. */
const pruneAtOnce = 1_000;

/** Source and target over any `ByteEngine`: journal, slots, epochs, jobs and checkpoints. */
export class CapturedStore implements DataStore {
  readonly #engine: ByteEngine;
  readonly #clock: Clock;
  #closed = false;

  /** @throws CUTOVER_DATA_FORMAT when a newer version has worked on the store */
  constructor(engine: ByteEngine, clock: Clock = systemClock) {
    this.#engine = engine;
    this.#clock = clock;
    if (engine.viewsMove === true) Object.defineProperty(this, "snapshot", { value: undefined });
  }

  get name(): string {
    return this.#engine.name;
  }

  get givesCopies(): boolean {
    return this.#engine.copies === true;
  }

  get takesCopies(): boolean {
    return this.#engine.copies === true;
  }

  /** Refuses a store on which a newer version has worked. Called once, by whoever opens the engine. */
  async check(): Promise<this> {
    const view = this.#engine.view();
    try {
      checkFormat(view.record, this.name);
      return this;
    } finally {
      await view.close();
    }
  }

  async collections(): Promise<readonly Collection[]> {
    return this.#engine.collections();
  }

  get(collection: string, wanted: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#read(collection, (view) => getFrom(view, collection, wanted));
  }

  async *scan(range: Range, options: ScanOptions = {}): AsyncGenerator<readonly Row[], void, void> {
    const far = await this.#far(range);
    if (far === undefined) yield* this.#viewing((view) => scanOf(view, range, options.signal));
    else for await (const block of until(far, options.signal)) yield rowsOfBlock(block);
  }

  async *blocks(range: Range, options: ScanOptions = {}): AsyncGenerator<RowBlock, void, void> {
    const far = await this.#far(range);
    if (far === undefined) yield* this.#viewing((view) => blocksOf(view, range, options.signal));
    else yield* until(far, options.signal);
  }

  count(range: Range): Promise<number> {
    return this.#read(range.collection, (view) => view.count(placeOf(range.collection).range(range)));
  }

  /** Not there in a store whose views move (`ByteEngine.viewsMove`), as in `Reader`. */
  async snapshot(): Promise<Reader> {
    const view = this.#engine.view();
    const known = (collection: string): void => this.#known(collection);
    return new Moment(this.#engine, await this.#engine.collections(), view, known);
  }

  async capture(slot: string): Promise<Position> {
    let position = 0;
    await this.#engine.write((record) => {
      const slots = slotsIn(record);
      const known = slots.get(slot);
      position = known ?? sequenceIn(record) + 1;
      if (known !== undefined) return [];
      slots.set(slot, position);
      // While nothing was captured, writes left no number behind: without one of its own, a slot that was lost and is captured
      // anew would seem to begin where the lost one ended.
      return [
        put(keys.slots, slotsBytes(slots)),
        put(journalKey(position), encodeRecordOf({ at: this.#clock.now(), origin: "", changes: [] })),
        put(keys.sequence, bytesOfNumber(position)),
        put(keys.format, formatBytes),
      ];
    }, true);
    return positionOf(position);
  }

  async snapshotChunk(range: Range, limit: ChunkLimit): Promise<Chunk> {
    this.#known(range.collection);
    const own = isOwn(range);
    const far = own ? undefined : await this.#engine.chunk?.(range, atMostBlock(limit));
    if (far !== undefined) {
      const { sequence } = far;
      return chunkOf(far, sequence === undefined ? 0 : numberOfBytes(sequence), limit.packed === true);
    }
    return this.#read(range.collection, async (view) => {
      const sequence = sequenceIn(view.record);
      if (!own && limit.packed === true && view.block !== undefined)
        return chunkOf(await view.block(range, atMostBlock(limit)), sequence, true);
      const { rows, end } = await rowsOf(view, range, limit);
      return { rows, end, fence: fenceAt(sequence) };
    });
  }

  /** One form for all stores of bytes that hand rows over as blocks. */
  packing(collection: string): Promise<string | undefined> {
    return Promise.resolve(
      this.#engine.refusalIn === undefined || isOwn({ collection }) ? undefined : blockForm,
    );
  }

  log(
    slot: string,
    from: Position,
    options: { readonly signal: AbortSignal; readonly without?: readonly string[] },
  ): AsyncIterable<LogBatch> {
    const without = new Set(options.without ?? []);
    return followJournal(this.#engine, { slot, from, without, signal: options.signal, clock: this.#clock });
  }

  async acknowledge(slot: string, position: Position): Promise<void> {
    const upTo = sequenceOf(position, this.name);
    await this.#engine.write((record) => {
      const slots = slotsIn(record);
      const known = slots.get(slot);
      if (known === undefined || known >= upTo) return [];
      slots.set(slot, Math.min(upTo, sequenceIn(record)));
      return [put(keys.slots, slotsBytes(slots))];
    }, false);
    await this.#prune();
  }

  async release(slot: string): Promise<void> {
    await this.#engine.write((record) => {
      const slots = slotsIn(record);
      return slots.delete(slot) ? [put(keys.slots, slotsBytes(slots))] : [];
    }, true);
    await this.#prune();
  }

  async head(): Promise<Position> {
    return this.#read(undefined, async (view) => Promise.resolve(positionOf(sequenceIn(view.record))));
  }

  async fence(epoch: number, options: { readonly signal: AbortSignal }): Promise<Position> {
    options.signal.throwIfAborted();
    checkEpoch(epoch);
    let head = 0;
    // Writers stand in one line: whoever was before this write has committed when it runs, whoever comes after sees it.
    await this.#engine.write((record) => {
      head = sequenceIn(record);
      if (epochIn(record) >= epoch) return [];
      return [put(keys.epoch, bytesOfNumber(epoch)), put(keys.format, formatBytes)];
    }, true);
    return positionOf(head);
  }

  async lift(epoch: number): Promise<void> {
    checkEpoch(epoch);
    await this.#engine.write(
      (record) => (isLate(epoch, epochIn(record)) ? [] : [put(keys.epoch, bytesOfNumber(epoch))]),
      true,
    );
  }

  async applyTxn(write: TargetWrite): Promise<void> {
    const { packed } = write;
    if (packed !== undefined) this.#known(packed.collection);
    const block = packed === undefined ? undefined : blockIn(this.#engine, packed);
    const { rows } = write;
    const changes: readonly Change[] = write.changes.length === 0 ? rows : [...write.changes, ...rows];
    const own = this.#refuseAny(changes);
    const durable = write.durable !== false || this.#engine.inOrder !== true;
    await this.#engine.write(
      (record) => {
        const seen = jobFenceIn(record, write.job);
        if (write.fence < seen) throw staleFence(this.name, write, seen);
        return [
          ...this.#journal(
            record,
            () => {
              const told = own ? changes.filter((change) => !isOwn(change)) : changes;
              return block === undefined ? told : [...told, ...placedRows(block)];
            },
            write.origin,
          ),
          put(fenceKey(write.job), bytesOfNumber(write.fence)),
          ...(write.checkpoint === undefined ? [] : [put(checkpointKey(write.job), write.checkpoint)]),
          put(keys.format, formatBytes),
        ];
      },
      durable,
      own ? changes.map(placed) : changes,
      block,
    );
    faultPoint("data.target.after-commit");
  }

  checkpoint(job: string): Promise<Uint8Array | undefined> {
    return this.#read(undefined, async (view) => Promise.resolve(view.record(checkpointKey(job))));
  }

  async forget(job: string): Promise<void> {
    await this.#engine.write(() => [put(fenceKey(job), null), put(checkpointKey(job), null)], true);
  }

  /**
   * Writes as an application does: all of it or nothing, into the journal while a slot is open. Applications use a
   * writer, which has the calls they know; this is what writers are made of.
   * @throws CUTOVER_DATA_FENCED when `epoch` is below the one in charge; CUTOVER_DATA_REFUSED when a row does not fit
   */
  async write(changes: readonly Change[], options: WriteAs = {}): Promise<void> {
    const { epoch = 0, durable = false, chain } = options;
    checkEpoch(epoch);
    for (const change of changes) this.#refuse(change);
    await this.#engine.write((record) => {
      const least = chain?.refusedBy ?? epochIn(record);
      if (epoch < least || chain?.refusedBy !== undefined) {
        if (chain !== undefined) chain.refusedBy = least;
        throw fenced(this.name, epoch, least);
      }
      return this.#journalled(record, changes, "");
    }, durable);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#engine.close();
  }

  #journalled(record: Records, changes: readonly Change[], origin: string): readonly Put[] {
    const puts = changes.some(isOwn) ? changes.map(placed) : changes;
    const told = (): readonly Change[] =>
      puts === changes ? changes : changes.filter((change) => !isOwn(change));
    const journal = this.#journal(record, told, origin);
    return journal.length === 0 ? puts : [...puts, ...journal];
  }

  /** What the journal keeps of changes; nothing while no slot is open. */
  #journal(record: Records, told: () => readonly Change[], origin: string): readonly Put[] {
    if (record(keys.slots) === undefined) return [];
    const changes = told();
    if (changes.length === 0) return [];
    const sequence = sequenceIn(record) + 1;
    return [
      put(journalKey(sequence), encodeRecordOf({ at: this.#clock.now(), origin, changes })),
      put(keys.sequence, bytesOfNumber(sequence)),
    ];
  }

  /** Removes what no slot needs. In parts, so that no writer waits long behind a journal that grew large. */
  async #prune(): Promise<void> {
    for (let left = true; left;) {
      await this.#engine.write((record) => {
        const pruned = prunedIn(record);
        const needed = Math.min(sequenceIn(record), ...slotsIn(record).values());
        const upTo = Math.min(needed, pruned + pruneAtOnce);
        left = upTo < needed;
        if (upTo <= pruned) return [];
        const gone = Array.from({ length: upTo - pruned }, (_, index) => journalKey(pruned + 1 + index));
        return [...gone.map((key) => put(key, null)), put(keys.pruned, bytesOfNumber(upTo))];
      }, false);
    }
  }

  async #far(range: Range): Promise<AsyncIterable<RowBlock> | undefined> {
    this.#known(range.collection);
    return isOwn(range) ? undefined : await this.#engine.blocks?.(range);
  }

  async *#viewing<T>(read: (view: ByteView) => AsyncGenerator<T, void, void>): AsyncGenerator<T, void, void> {
    const view = this.#engine.view();
    try {
      yield* read(view);
    } finally {
      await view.close();
    }
  }

  async #read<T>(collection: string | undefined, body: (view: ByteView) => Promise<T>): Promise<T> {
    if (collection !== undefined) this.#known(collection);
    const view = this.#engine.view();
    try {
      return await body(view);
    } finally {
      await view.close();
    }
  }

  #known(collection: string): void {
    if (collection.startsWith(ownPrefix)) return;
    if (collection !== reserved && this.#engine.has(collection)) return;
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `expected a collection of ${this.name}, found "${collection}", which it does not have`,
      place: this.name,
      details: { collection },
    });
  }

  /** Refuses what the store cannot hold; whether any of it is in a move's own collections. */
  #refuseAny(changes: readonly Change[]): boolean {
    let [any, last, own] = [false, "", false];
    for (const [at, change] of changes.entries()) {
      // Rows of a chunk are of one collection: its name is looked at once.
      if (at === 0 || change.collection !== last) {
        last = change.collection;
        this.#known(last);
        own = isOwn(change);
        any ||= own;
      }
      const reason = this.#engine.refusal(own ? placed(change) : change);
      if (reason !== undefined) throw rowRefused(this.name, change, reason);
    }
    return any;
  }

  refusal(change: Change): string | undefined {
    return this.#engine.refusal(isOwn(change) ? placed(change) : change);
  }

  #refuse(change: Change): void {
    this.#known(change.collection);
    const reason = this.refusal(change);
    if (reason !== undefined) throw rowRefused(this.name, change, reason);
  }
}

type Records = (key: Uint8Array) => Uint8Array | undefined;

const put = (key: Uint8Array, value: Uint8Array | null): Put => ({ collection: reserved, key, value });
