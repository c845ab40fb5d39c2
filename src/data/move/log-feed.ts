import type { Clock } from "../../core/index.ts";
import type { LogBatch, Position, Source, Transaction } from "../connector.ts";
import type { Bell } from "./bell.ts";

export interface LogFeedOptions {
  readonly source: Pick<Source, "log">;
  readonly slot: string;
  readonly from: Position;
  readonly without: readonly string[];
  readonly clock: Clock;
  readonly bell: Bell;
  /** Bytes of changes held before the log is not read further. */
  readonly most: number;
}

/** Follows a log ahead of those who apply it, as far as memory allows. */
export class LogFeed {
  readonly #options: LogFeedOptions;
  readonly #abort = new AbortController();
  readonly #run: Promise<void>;
  readonly #batches: { readonly batch: LogBatch; readonly bytes: number; readonly arrived: number }[] = [];
  #bytes = 0;
  #room: (() => void) | undefined;
  #failed: { readonly error: unknown } | undefined;
  #heard: number;

  constructor(options: LogFeedOptions) {
    this.#options = options;
    this.#heard = options.clock.monotonic();
    this.#run = this.#follow();
  }

  /** How long what came first of what waits has been waiting, milliseconds. */
  get waitsFor(): number {
    const first = this.#batches.find(({ batch }) => batch.transactions.length > 0);
    return first === undefined ? 0 : this.#options.clock.monotonic() - first.arrived;
  }

  /** When the log gave a batch last, on the monotonic clock. */
  get heardAt(): number {
    return this.#heard;
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /**
   * What came, as one batch of about `most` bytes; undefined when nothing did.
   * @throws what the log threw, once all before it was taken
   */
  take(most: number): LogBatch | undefined {
    if (this.#batches.length === 0) {
      if (this.#failed !== undefined) throw this.#failed.error;
      return undefined;
    }
    const transactions: Transaction[] = [];
    let head: Position = "";
    for (let taken = 0; taken < most;) {
      const next = this.#batches.shift();
      if (next === undefined) break;
      for (const transaction of next.batch.transactions) transactions.push(transaction);
      head = next.batch.head;
      taken += next.bytes;
      this.#bytes -= next.bytes;
    }
    if (this.#bytes <= this.#options.most) this.#room?.();
    return { transactions, head };
  }

  /** Ends the following and waits until the source has let go. */
  async close(): Promise<void> {
    this.#abort.abort(new Error("the move does not follow the log any more"));
    this.#room?.();
    await this.#run;
  }

  async #follow(): Promise<void> {
    const { source, slot, from, without, clock, bell, most } = this.#options;
    const { signal } = this.#abort;
    try {
      for await (const batch of source.log(slot, from, { signal, without })) {
        if (signal.aborted) return;
        const bytes = sizeOf(batch);
        this.#heard = clock.monotonic();
        this.#batches.push({ batch, bytes, arrived: this.#heard });
        this.#bytes += bytes;
        bell.ring();
        if (this.#bytes > most) await new Promise<void>((resolve) => (this.#room = resolve));
        this.#room = undefined;
        if (signal.aborted) return;
      }
      if (!signal.aborted) this.#failed = { error: new Error("the source's log ended by itself") };
    } catch (error) {
      if (!signal.aborted) this.#failed = { error };
    }
    bell.ring();
  }
}

/** What a transaction costs beside its bytes: its number, position and objects. */
const overhead = 256;

function sizeOf({ transactions }: LogBatch): number {
  let bytes = 0;
  for (const { changes } of transactions) {
    bytes += overhead;
    for (const { key, value } of changes) bytes += overhead + key.length + (value?.length ?? 0);
  }
  return bytes;
}
