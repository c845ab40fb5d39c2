import { CutoverError, faultPoint } from "../../core/index.ts";
import type { DataStore, Range, Reader } from "../connector.ts";
import { closedStore } from "../connectors/place.ts";
import type { Operation } from "./calls.ts";
import type { HeldSnapshots } from "./held-snapshots.ts";
import {
  encodeCollections,
  encodeLogBatch,
  packFence,
  partsOfRows,
  partsOfValues,
  textsIn,
  unpackRange,
  unpackWrite,
} from "./messages.ts";
import { Packer, type Unpacker } from "./packing.ts";
import type { ServedStore, Serving } from "./served-store.ts";

/** What a call has to work with. */
export interface CallSetting {
  readonly input: Unpacker;
  readonly serving: Serving;
  readonly served: ServedStore;
  readonly signal: AbortSignal;
  readonly snapshots: HeldSnapshots;
  /** Sends a part of the answer, and waits until there is room for the next one. */
  readonly part: (payload: Uint8Array) => Promise<void>;
}

/** `writes` comes after what an ended connection had begun; `waits` may take as long as it likes and holds nobody up. */
interface Handling {
  readonly writes?: true;
  readonly waits?: true;
  readonly run: (call: CallSetting) => Promise<Uint8Array>;
}

const nothing = Buffer.alloc(0);
const text = (value: string): Buffer => new Packer().text(value).done();
const number = (value: number): Buffer => new Packer().float(value).done();

/** Keys asked of the store at once: of more, all values would be in memory at a time. */
const keysAtOnce = 1_000;

function readerIn({ input, served, snapshots }: CallSetting): Reader {
  const at = input.word();
  const reader = at === 0 ? served.store : snapshots.at(at);
  if (reader === undefined) throw closedStore(`${served.called}, snapshot ${at}`);
  return reader;
}

function rangeAtEnd(input: Unpacker): Range {
  const range = unpackRange(input);
  input.end();
  return range;
}

async function sendRows(call: CallSetting, rows: Parameters<typeof partsOfRows>[0]): Promise<void> {
  for (const part of partsOfRows(rows)) await call.part(part);
}

/** In slices, as one moment where the store can. */
async function sendValues(call: CallSetting, reader: Reader, collection: string): Promise<void> {
  const keys: Buffer[] = [];
  for (const { input } = call; !input.isEmpty;) keys.push(input.bytes());
  const snapshot = keys.length > keysAtOnce ? await reader.snapshot?.() : undefined;
  try {
    for (let at = 0; at < keys.length; at += keysAtOnce) {
      const values = await (snapshot ?? reader).get(collection, keys.slice(at, at + keysAtOnce));
      for (const part of partsOfValues(values)) await call.part(part);
    }
    // Asked for nothing, it is still asked whether it has the collection.
    if (keys.length === 0) await reader.get(collection, []);
  } finally {
    await snapshot?.[Symbol.asyncDispose]();
  }
}

export const handlings: Readonly<Record<Operation, Handling>> = {
  collections: {
    run: async (call) => {
      const reader = readerIn(call);
      call.input.end();
      return encodeCollections(await reader.collections());
    },
  },
  get: {
    run: async (call) => {
      const reader = readerIn(call);
      await sendValues(call, reader, call.input.text());
      return nothing;
    },
  },
  scan: {
    waits: true,
    run: async (call) => {
      const reader = readerIn(call);
      const { signal } = call;
      for await (const rows of reader.scan(rangeAtEnd(call.input), { signal })) await sendRows(call, rows);
      return nothing;
    },
  },
  count: {
    run: async (call) => {
      const reader = readerIn(call);
      return number(await reader.count(rangeAtEnd(call.input)));
    },
  },
  snapshot: {
    run: async ({ input, served: { store }, snapshots }) => {
      input.end();
      const make = store.snapshot?.bind(store);
      if (make === undefined) throw without(store, "snapshots");
      const { number, reader } = await snapshots.open(make);
      return new Packer().word(number).text(reader.name).done();
    },
  },
  endSnapshot: {
    run: async ({ input, snapshots }) => {
      const at = input.word();
      input.end();
      await snapshots.end(at);
      return nothing;
    },
  },
  capture: {
    writes: true,
    run: async ({ input, served: { store } }) => {
      const slot = input.text();
      input.end();
      return text(await store.capture(slot));
    },
  },
  chunk: {
    run: async (call) => {
      const { input, serving, served } = call;
      const rows = Math.min(Math.max(1, input.word()), serving.chunk.rows);
      const bytes = Math.min(input.float() || 1, serving.chunk.bytes);
      const chunk = await served.readChunk(rangeAtEnd(input), { rows, bytes }, serving.clock);
      await sendRows(call, chunk.rows);
      return packFence(new Packer().byte(chunk.end ? 1 : 0), chunk.fence).done();
    },
  },
  log: {
    waits: true,
    run: async ({ input, served: { store }, signal, part }) => {
      const slot = input.text();
      const from = input.text();
      const leftOut = textsIn(input);
      input.end();
      const log = store.log(slot, from, { signal, ...(leftOut.length === 0 ? {} : { without: leftOut }) });
      for await (const batch of log) await part(encodeLogBatch(batch));
      // Ended by its signal, it ends as if there were nothing more.
      signal.throwIfAborted();
      return nothing;
    },
  },
  acknowledge: {
    writes: true,
    run: async ({ input, served: { store } }) => {
      const slot = input.text();
      const position = input.text();
      input.end();
      await store.acknowledge(slot, position);
      return nothing;
    },
  },
  release: {
    writes: true,
    run: async ({ input, served: { store } }) => {
      const slot = input.text();
      input.end();
      await store.release(slot);
      return nothing;
    },
  },
  head: {
    run: async ({ input, served: { store } }) => {
      input.end();
      return text(await store.head());
    },
  },
  retained: {
    run: async ({ input, served: { store } }) => {
      const slot = input.text();
      input.end();
      if (store.retained === undefined) throw without(store, "a size of its log");
      return number(await store.retained(slot));
    },
  },
  fence: {
    writes: true,
    waits: true,
    run: async ({ input, served: { store }, signal }) => {
      const epoch = input.float();
      input.end();
      return text(await store.fence(epoch, { signal }));
    },
  },
  lift: {
    writes: true,
    run: async ({ input, served: { store } }) => {
      const epoch = input.float();
      input.end();
      await store.lift(epoch);
      return nothing;
    },
  },
  apply: {
    writes: true,
    run: async ({ input, serving, served: { store } }) => {
      await store.applyTxn(unpackWrite(input, serving.place));
      faultPoint("data.door.before-answer");
      return nothing;
    },
  },
  checkpoint: {
    run: async ({ input, served: { store } }) => {
      const job = input.text();
      input.end();
      return new Packer().optional(await store.checkpoint(job)).done();
    },
  },
  forget: {
    writes: true,
    run: async ({ input, served: { store } }) => {
      const job = input.text();
      input.end();
      await store.forget(job);
      return nothing;
    },
  },
};

function without(store: DataStore, what: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected a store that has ${what}, found ${store.name}, which has not`,
    place: store.name,
  });
}
