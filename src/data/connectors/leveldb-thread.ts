/** The thread that reads a LevelDB beside the one that has it open; see `leveldb-thread-link.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import type { FromThread, ReadCall, ThreadData, ToThread } from "./leveldb-calls.ts";
import type { LevelClass, LevelRange, LevelSnapshot } from "./leveldb-driver.ts";
import { LevelReading } from "./leveldb-reading.ts";

const { location, options, recordKey } = workerData as ThreadData;
// As little as can be is loaded here: rows are waited for meanwhile. Who started this thread has the package.
const { ClassicLevel: Level } = (await import("classic-level" as string)) as {
  readonly ClassicLevel: LevelClass;
};

/** The bounds of a range stay bytes where keys are asked for as texts. */
class Db extends Level {
  override _iterator(given: LevelRange & { readonly textKeys?: boolean }): unknown {
    return super._iterator(given.textKeys === true ? { ...given, keyEncoding: "utf8" } : given);
  }
}

const db = new Db(location, options);
await db.open({ createIfMissing: false, multithreading: true });

interface Open {
  readonly reading: LevelReading;
  readonly snapshot: LevelSnapshot;
  readonly record: Uint8Array | undefined;
}

const open = new Map<number, Open>();
/** The call before of each reading: they are answered in their order. */
const before = new Map<number, Promise<void>>();

const send = (message: FromThread, transfer: ArrayBuffer[] = []): void =>
  parentPort?.postMessage(message, transfer);

function begin({ open: wanted }: ReadCall): Open | undefined {
  if (wanted === undefined) return undefined;
  const snapshot = db.snapshot();
  const record = db.getSync(recordKey, { keyEncoding: "buffer", valueEncoding: "buffer", snapshot });
  const reading = new LevelReading(
    (how, textKeys) => db.iterator({ ...how, textKeys }),
    { ...wanted, snapshot },
    (key, how) => db.getSync(key, how),
  );
  return { reading, snapshot, record: record as Uint8Array | undefined };
}

async function answer(call: ReadCall): Promise<void> {
  const { id, reading: name, rows, bytes, last } = call;
  try {
    const from = open.get(name) ?? begin(call);
    // Closed by the end of its rows, or by an error, before this call came.
    if (from === undefined) return send({ id, end: true, noText: { keys: false, values: false } });
    open.set(name, from);
    const { reading, record } = from;
    const { block, end } = await reading.read({ rows, bytes }, last);
    if (last || end) await close(name);
    const areas = block === undefined ? [] : [block.keys.buffer, block.values.buffer, block.ends.buffer];
    send(
      {
        id,
        end,
        noText: reading.noText,
        ...(block === undefined ? {} : { block }),
        ...(record === undefined ? {} : { record }),
      },
      areas as ArrayBuffer[],
    );
  } catch (error) {
    await close(name);
    const { message, code } = error as Error & { readonly code?: unknown };
    send({ id, failed: typeof code === "string" ? `${code} ${message}` : message });
  }
}

async function close(name: number): Promise<void> {
  const found = open.get(name);
  open.delete(name);
  await found?.reading.close();
  await found?.snapshot.close();
}

function inOrder(name: number, work: () => Promise<void>): void {
  const done = (before.get(name) ?? Promise.resolve()).then(work).finally(() => {
    if (before.get(name) === done) before.delete(name);
  });
  before.set(name, done);
}

parentPort?.on("message", (message: ToThread) => {
  if (message === "end") void end();
  else if ("close" in message) inOrder(message.close, () => close(message.close));
  else inOrder(message.reading, () => answer(message));
});

async function end(): Promise<void> {
  await Promise.all(before.values());
  for (const name of open.keys()) await close(name);
  await db.close();
  parentPort?.close();
}

send("ready");
