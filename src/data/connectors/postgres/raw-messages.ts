import type { PgStream } from "./driver.ts";

const copyData = 0x64;
/** Messages that may come between others and mean nothing here: CopyOut- and CopyBothResponse, status, notices, notifications. */
const passedOver: ReadonlySet<number> = new Set([0x48, 0x57, 0x53, 0x4e, 0x41]);

/** A message from this size on gets memory of its own at once. */
const largeBytes = 1_048_576;

/**
 * Reads the data of a COPY or of a replication stream straight from the socket: the driver would make an object of every row.
 * Every other message ends it and goes, with all behind it, to the driver.
 *
 * @param onData gets bytes of one message, from `at` to `end`; they are good until it returns
 */
export function takeMessages(
  stream: PgStream,
  onData: (data: Buffer, at: number, end: number) => void,
): void {
  const driver = stream.listeners("data")[0] as (chunk: Buffer) => void;
  let waiting: Buffer[] = [];
  let held = 0;
  /** Bytes without which there is nothing to do: large messages are put together once. */
  let needed = 5;
  /** Of a very large one, filled as it comes: its pieces are not held beside it. */
  let large: Buffer | undefined;
  const take = (chunk: Buffer): void => {
    let rest = chunk;
    if (large !== undefined) {
      const filled = chunk.copy(large, held);
      held += filled;
      if (held < needed) return;
      rest = chunk.subarray(filled);
      onData(large, 5, large.length);
      large = undefined;
      held = 0;
      needed = 5;
    }
    waiting.push(rest);
    held += rest.length;
    if (held < needed) return;
    const data = waiting.length === 1 ? rest : Buffer.concat(waiting, held);
    let at = 0;
    for (;;) {
      if (data.length - at < 5) {
        needed = 5;
        break;
      }
      const code = data[at] as number;
      if (code !== copyData && !passedOver.has(code)) {
        stream.on("data", driver);
        stream.off("data", take);
        driver(data.subarray(at));
        return;
      }
      const end = at + 1 + data.readUInt32BE(at + 1);
      if (end > data.length) {
        needed = end - at;
        break;
      }
      if (code === copyData) onData(data, at + 5, end);
      at = end;
    }
    waiting = at === data.length ? [] : [data.subarray(at)];
    held = data.length - at;
    if (needed < largeBytes || data[at] !== copyData) return;
    large = Buffer.allocUnsafe(needed);
    data.copy(large, 0, at);
    waiting = [];
  };
  stream.on("data", take);
  stream.off("data", driver);
}

/** A CopyData message with these bytes. */
export function copyDataMessage(bytes: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(messageHead + bytes.length);
  message.set(bytes, messageHead);
  return asMessage(message);
}

/** Bytes of a message before what it carries. */
export const messageHead = 5;

/** Makes a CopyData message of bytes whose first five are free. */
export function asMessage(bytes: Buffer): Buffer {
  bytes[0] = copyData;
  bytes.writeUInt32BE(bytes.length - 1, 1);
  return bytes;
}

export const copyDoneMessage: Buffer = Buffer.from([0x63, 0, 0, 0, 4]);

/** Takes back a COPY: the server refuses the whole of it. */
export const copyFailMessage: Buffer = Buffer.from([0x66, 0, 0, 0, 5, 0]);
