import { Worker } from "node:worker_threads";
import { asError, ownThread } from "../../core/index.ts";
import { isHugeBlock, type RowBlock } from "../row-block.ts";
import type { FromThread, OpenCall, ReadAnswer, ReadCall, ThreadData, ToThread } from "./leveldb-calls.ts";

const threadFile = ownThread("data/connectors/leveldb-thread");
/**
 * Most megabytes that young objects of the thread take: rows die as soon as they are copied into a block, and the collector would
 * let several times as many pile up before it looks.
 */
const youngMegabytes = 12;

interface Limit {
  readonly rows: number;
  readonly bytes: number;
}

interface Asked {
  readonly resolve: (answer: ReadAnswer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A thread that reads the LevelDB which this one has open, through the same database in memory. The driver makes the objects of rows
 * in the thread that reads, 1.3 µs for each, which is most of what copying or comparing them costs; what comes over is
 * a block of rows, handed over without a copy.
 */
export class LevelThread {
  readonly #thread: Worker;
  readonly #asked = new Map<number, Asked>();
  readonly #ended: Promise<void>;
  readonly #started = Promise.withResolvers<boolean>();
  #next = 0;
  #closing = false;
  #failed: Error | undefined;

  constructor(data: ThreadData) {
    const thread = new Worker(threadFile, {
      workerData: data,
      name: "reads a LevelDB",
      resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes },
    });
    this.#thread = thread;
    thread.on("message", (message: FromThread) => this.#hear(message));
    thread.on("messageerror", (error) => this.#die(asError(error)));
    thread.on("error", (error) => this.#die(asError(error)));
    this.#ended = new Promise((resolve) => {
      thread.on("exit", (code) => {
        this.#die(new Error(`the thread that reads it ended with code ${code}`));
        resolve();
      });
    });
  }

  /** Whether it reads, as soon as it has the database open. Not after it came to grief: others have to then. */
  async reads(): Promise<boolean> {
    return (await this.#started.promise) && this.#failed === undefined;
  }

  /** Rows from the start, in a snapshot taken now. */
  read(open: OpenCall, limit: Limit): Promise<ReadAnswer> {
    return this.#ask({ reading: this.#next, open, ...limit, last: true });
  }

  /** All rows in a snapshot taken now. One block is read ahead, but for huge ones. */
  async *scan(
    open: OpenCall,
    limit: Limit,
  ): AsyncGenerator<ReadAnswer & { readonly block: RowBlock }, void, void> {
    const reading = this.#next;
    const ask = (first: boolean): Promise<ReadAnswer> => {
      const answer = this.#ask({ reading, ...(first ? { open } : {}), ...limit, last: false });
      answer.catch(() => undefined);
      return answer;
    };
    let coming: Promise<ReadAnswer> | undefined = ask(true);
    let end = false;
    try {
      for (;;) {
        const answer: ReadAnswer = await coming;
        ({ end } = answer);
        const { block } = answer;
        coming = end || block === undefined || isHugeBlock(block) ? undefined : ask(false);
        if (block !== undefined) yield { ...answer, block };
        if (end) return;
        coming ??= ask(false);
      }
    } finally {
      if (!end) this.#post({ close: reading });
    }
  }

  /** The thread has let go of the database. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#thread.ref();
    if (this.#failed === undefined) this.#post("end");
    else await this.#thread.terminate();
    await this.#ended;
  }

  #ask(call: Omit<ReadCall, "id">): Promise<ReadAnswer> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#asked.size === 0) this.#thread.ref();
      this.#asked.set(id, { resolve, reject });
      this.#post({ id, ...call });
    });
  }

  #post(message: ToThread): void {
    if (this.#failed === undefined) this.#thread.postMessage(message);
  }

  #hear(message: FromThread): void {
    if (message === "ready") {
      this.#started.resolve(true);
      this.#rest();
      return;
    }
    const asked = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    this.#rest();
    if ("failed" in message) asked?.reject(new Error(message.failed));
    else if (message.block === undefined) asked?.resolve(message);
    else {
      const { keys, values, ...rest } = message.block;
      // What comes from another thread is plain bytes, where everybody has had a `Buffer` so far.
      asked?.resolve({ ...message, block: { ...rest, keys: asBuffer(keys), values: asBuffer(values) } });
    }
  }

  /** A process that has nothing else to do ends, but not while it waits for the thread to let go of the database. */
  #rest(): void {
    if (this.#asked.size === 0 && !this.#closing) this.#thread.unref();
  }

  #die(error: Error): void {
    this.#failed ??= error;
    this.#started.resolve(false);
    for (const { reject } of this.#asked.values()) reject(this.#failed);
    this.#asked.clear();
  }
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
