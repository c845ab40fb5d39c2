import { appendFile, readFile, writeFile } from "node:fs/promises";
import {
  type BatchOperation,
  type CapturedStore,
  captureWriter,
  type CaptureWriter,
  fileSwitch,
  followSwitch,
  openLevelDb,
  openLmdb,
  type Standing,
  type Switch,
  type SwitchFollower,
} from "cutover/data";
import { fromNew, fromOld, inNew, inOld, newKeys, oldKey } from "./layout.ts";
import { type Layer, type Memory } from "./memory.ts";
import { type Places, places, type Plan, readRecord, turnList } from "./places.ts";
import { loadProcessors, type Processors } from "./processors.ts";
import { Quantiles } from "./quantiles.ts";
import { holdingsOf, type Seen, type Witness } from "./witness.ts";

/** What `settings.json` says. */
export interface Settings {
  /** Memories kept at hand; 0: none. */
  readonly cache: { readonly entries: number };
}

/** What `integration.json` says; without the file nothing of it is there. */
export interface Integration {
  /** Tell whoever listens at `/feed` what was remembered. */
  readonly feed: boolean;
  /** How many of the last errors are shown. */
  readonly keepErrors: number;
}

export interface Wish {
  readonly layer: Layer;
  readonly id: string;
  readonly write: number;
  readonly text: string;
  readonly weight: number;
}

/**
 * Layers of memories on two stores, of which one is in charge. What is remembered grows into higher layers by the processors, all
 * in one transaction.
 */
export class MemoryEngine implements AsyncDisposable {
  readonly stores: Readonly<Record<Standing["side"], CapturedStore>>;
  readonly follower: SwitchFollower;
  readonly writeMs: Quantiles = new Quantiles();
  readonly recallMs: Quantiles = new Quantiles();
  readonly errors: string[] = [];
  settings: Settings = { cache: { entries: 0 } };
  integration: Integration | undefined;
  processors: Processors;
  /** How many memories were there before. */
  readonly records: number;
  /** Called with the keys of each write, once it is there. */
  onRemembered: (keys: readonly string[]) => void = () => {};
  readonly #files: Places;
  readonly #switch: Switch;
  readonly #writers: Readonly<Record<Standing["side"], CaptureWriter>>;
  readonly #cache = new Map<string, Memory>();
  #writes = 0;
  /** What is read at the turns; one after the other. */
  #witnessed: Promise<void> = Promise.resolve();
  #lastAt = 0n;

  private constructor(
    files: Places,
    kept: Switch,
    stores: Readonly<Record<Standing["side"], CapturedStore>>,
    follower: SwitchFollower,
    processors: Processors,
  ) {
    this.#files = files;
    this.#switch = kept;
    this.records = readRecord<Plan>(files.plan)?.records ?? 1;
    this.stores = stores;
    this.follower = follower;
    this.processors = processors;
    this.#writers = {
      old: captureWriter(stores.old, { epoch: () => follower.epochOf("old") }),
      new: captureWriter(stores.new, { epoch: () => follower.epochOf("new") }),
    };
  }

  static async open(dir: string): Promise<MemoryEngine> {
    const files = places(dir);
    const processors = await loadProcessors(files.processors);
    const old = await openLevelDb(files.old);
    const young = await openLmdb(files.new, { create: true });
    const kept = fileSwitch(files.switch, { create: true, by: `engine ${process.pid}` });
    const follower = await followSwitch(kept, { longestPause: "20s" });
    const engine = new MemoryEngine(files, kept, { old, new: young as CapturedStore }, follower, processors);
    await engine.reload();
    return engine;
  }

  /** Reads settings and processors anew. */
  async reload(): Promise<void> {
    this.settings = JSON.parse(await readFile(this.#files.settings, "utf8")) as Settings;
    this.integration = readRecord<Integration>(this.#files.integration);
    this.processors = await loadProcessors(this.#files.processors);
    this.#cache.clear();
  }

  /** Keys of all that was written, with it what grew out of it. */
  async remember(
    wish: Wish,
  ): Promise<{ readonly at: string; readonly keys: readonly string[]; readonly side: Standing["side"] }> {
    const at = this.#now();
    const memories: Memory[] = [{ ...wish, at, kind: "plain", from: null }];
    for (let last = memories[0]; last !== undefined; last = this.#grown(last, memories));
    const taken = await this.#write((side) =>
      side === "old"
        ? memories.map((memory) => ({ type: "put", ...inOld(memory) }))
        : memories.flatMap((memory) => {
            const row = inNew(memory);
            // A memory that became a dream or a pattern leaves the place it had.
            const left = newKeys(memory.layer, memory.id).filter((key) => !key.equals(row.key));
            return [...left.map((key) => ({ type: "del", key }) as const), { type: "put", ...row } as const];
          }),
    );
    const keys = memories.map(({ layer, id }) => `${layer}:${id}`);
    this.#forgetCached(keys);
    this.onRemembered(keys);
    return { at: String(at), keys, side: taken };
  }

  async forget(layer: Layer, id: string): Promise<Standing["side"]> {
    const taken = await this.#write((side) =>
      (side === "old" ? [oldKey(layer, id)] : newKeys(layer, id)).map((key) => ({ type: "del", key })),
    );
    this.#forgetCached([`${layer}:${id}`]);
    return taken;
  }

  async recall(layer: Layer, id: string): Promise<Memory | undefined> {
    const key = `${layer}:${id}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const since = performance.now();
    const writes = this.#writes;
    const memory = await this.follower.read(({ side }) => this.readFrom(side, layer, id));
    this.recallMs.add(performance.now() - since);
    // What was read before somebody wrote may be old already.
    if (memory !== undefined && writes === this.#writes) this.#keep(key, memory);
    return memory;
  }

  /** As one of the stores has it, whichever is in charge. */
  async readFrom(side: Standing["side"], layer: Layer, id: string): Promise<Memory | undefined> {
    const keys = side === "old" ? [oldKey(layer, id)] : newKeys(layer, id);
    const values = await this.#writers[side].getMany(keys);
    for (const [index, key] of keys.entries()) {
      const value = values[index];
      if (value !== undefined) return side === "old" ? fromOld({ key, value }) : fromNew({ key, value });
    }
    return undefined;
  }

  /**
   * Notes what both sides hold now. Whoever asks knows that neither takes writes; when this resolves they may again, as what is read
   * is read from snapshots. Who asked waits for some seconds: a turn that was made before the snapshots were taken is not noted, as
   * they may be of any moment after it.
   */
  async witness({ side: to, epoch }: Standing): Promise<void> {
    const [old, young] = await Promise.all([this.stores.old.snapshot(), this.stores.new.snapshot()]);
    if ((await this.#switch.read()).epoch >= epoch) {
      for (const moment of [old, young]) await moment[Symbol.asyncDispose]();
      return;
    }
    const before = this.#witnessed;
    this.#witnessed = (async () => {
      await before;
      try {
        const list = turnList(this.#files, epoch);
        await writeFile(list, "");
        const note = (batch: readonly Seen[]): Promise<void> =>
          appendFile(list, batch.map(({ name, number }) => `${number} ${name}\n`).join(""));
        const seen: Witness = { to, epoch, old: await holdingsOf(old, note), new: await holdingsOf(young) };
        await appendFile(this.#files.witness, `${JSON.stringify(seen)}\n`);
      } catch (error) {
        this.noteError(error);
      } finally {
        for (const moment of [old, young]) await moment[Symbol.asyncDispose]();
      }
    })();
  }

  noteError(error: unknown): void {
    const keep = this.integration?.keepErrors ?? 0;
    this.errors.push(error instanceof Error ? error.message : String(error));
    this.errors.splice(0, Math.max(0, this.errors.length - keep));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.follower.close({ signal: AbortSignal.timeout(2_000) });
    await this.#witnessed;
    await this.stores.new[Symbol.asyncDispose]();
    await this.stores.old[Symbol.asyncDispose]();
  }

  /** On the side in charge, which is told; once more from the beginning when that side is in charge no longer. */
  async #write(rowsOn: (side: Standing["side"]) => readonly BatchOperation[]): Promise<Standing["side"]> {
    const since = performance.now();
    const taken = await this.follower.run(async ({ side }) => {
      await this.#writers[side].batch(rowsOn(side));
      return side;
    });
    this.#writes++;
    this.writeMs.add(performance.now() - since);
    return taken;
  }

  #grown(last: Memory, all: Memory[]): Memory | undefined {
    const [family = "", digits = ""] = last.id.split("-");
    const grown = this.processors.grow({ layer: last.layer, number: Number(digits), weight: last.weight });
    if (digits === "" || grown === undefined) return undefined;
    const id = `${family === "seed" ? "echo" : family}-${String(grown.number).padStart(8, "0")}`;
    const { write, at, text, weight } = last;
    const from = `${last.layer}:${last.id}`;
    const memory: Memory = { layer: grown.layer, id, write, at, kind: grown.kind, text, weight, from };
    all.push(memory);
    return memory;
  }

  /** Nanoseconds, each later than the one before. */
  #now(): bigint {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#lastAt = now > this.#lastAt ? now : this.#lastAt + 1n;
    return this.#lastAt;
  }

  #keep(key: string, memory: Memory): void {
    const { entries } = this.settings.cache;
    if (entries === 0) return;
    this.#cache.set(key, memory);
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > entries && oldest !== undefined) this.#cache.delete(oldest);
  }

  #forgetCached(keys: readonly string[]): void {
    for (const key of keys) this.#cache.delete(key);
  }
}
