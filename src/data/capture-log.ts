import { type Clock, CutoverError } from "../core/index.ts";
import type { ByteEngine } from "./capture-engine.ts";
import { reserved } from "./capture-engine.ts";
import { decodeRecordOf } from "./capture-journal.ts";
import { journalKey, sequenceIn, slotsIn } from "./capture-records.ts";
import { numberOfBytes } from "./bytes.ts";
import type { LogBatch, Position, Transaction } from "./connector.ts";
import { positionOf, sequenceOf } from "./position.ts";

/** Records read at once: enough to keep a target busy, little enough to hold in memory. */
const atOnce = { rows: 1_000, bytes: 4_194_304 };
/** The contract of `Source.log`: a word at least once a second. */
const quietMs = 1_000;

export interface Following {
  readonly slot: string;
  readonly from: Position;
  readonly without: ReadonlySet<string>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** The journal after `from`, until the signal aborts. */
export async function* followJournal(engine: ByteEngine, following: Following): AsyncGenerator<LogBatch> {
  const { signal, clock } = following;
  let at = sequenceOf(following.from, engine.name);
  let spoken = clock.monotonic();
  while (!signal.aborted) {
    const woken = wake(engine, following);
    try {
      const batch = await readAfter(engine, following, at);
      const idle = numberOf(batch.head) === at;
      if (!idle || clock.monotonic() - spoken >= quietMs) {
        at = numberOf(batch.head);
        yield batch;
        spoken = clock.monotonic();
      }
      if (idle) await woken.wait(Math.max(1, Math.min(engine.pollMs ?? quietMs, quietMs)));
    } finally {
      woken.stop();
    }
  }
}

const numberOf = (position: Position): number => Number(position);

async function readAfter(engine: ByteEngine, following: Following, at: number): Promise<LogBatch> {
  const view = engine.view();
  try {
    if (!slotsIn(view.record).has(following.slot))
      throw lost(engine, following.slot, "there is no slot of this name");
    const head = sequenceIn(view.record);
    if (head === at) return { transactions: [], head: positionOf(at) };
    const range = { collection: reserved, after: journalKey(at), upTo: journalKey(head) };
    const { rows } = await view.rows(range, atOnce);
    const transactions: Transaction[] = [];
    for (const [index, { key, value }] of rows.entries()) {
      const sequence = numberOfBytes(key.subarray(key.length - 8));
      if (sequence !== at + index + 1)
        throw lost(engine, following.slot, `record ${at + index + 1} is not there`);
      const { at: time, origin, changes } = decodeRecordOf(value, `${engine.name} journal ${sequence}`);
      if (changes.length === 0 || following.without.has(origin)) continue;
      transactions.push({ tx: String(sequence), position: positionOf(sequence), at: time, changes });
    }
    if (rows.length === 0) throw lost(engine, following.slot, `record ${at + 1} is not there`);
    return { transactions, head: positionOf(at + rows.length) };
  } finally {
    await view.close();
  }
}

function lost(engine: ByteEngine, slot: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_SLOT_LOST", {
    message: `expected the changes kept for slot "${slot}", found: ${found}`,
    place: engine.name,
    details: { slot },
  });
}

/** Listens before the journal is read, so that a write between reading and waiting is not slept through. */
function wake(engine: ByteEngine, { signal, clock }: Following): Wake {
  let written = false;
  let resolve = (): void => {};
  const ring = (): void => {
    written = true;
    resolve();
  };
  const off = engine.onWrite(ring);
  signal.addEventListener("abort", ring, { once: true });
  return {
    wait: (ms) =>
      new Promise<void>((done) => {
        if (written || signal.aborted) return done();
        const timer = clock.after(ms, done);
        resolve = () => {
          timer.cancel();
          done();
        };
      }),
    stop: () => {
      off();
      signal.removeEventListener("abort", ring);
    },
  };
}

interface Wake {
  wait(ms: number): Promise<void>;
  stop(): void;
}
