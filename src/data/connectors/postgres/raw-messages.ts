import type { PgStream } from "./driver.ts";

const copyData = 0x64;
/** Messages that may come between others and mean nothing here: CopyOut- and CopyBothResponse, status, notices, notifications. */
const passedOver: ReadonlySet<number> = new Set([0x48, 0x57, 0x53, 0x4e, 0x41]);

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
  const take = (chunk: Buffer): void => {
    waiting.push(chunk);
    held += chunk.length;
    if (held < needed) return;
    const data = waiting.length === 1 ? chunk : Buffer.concat(waiting, held);
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
  };
  stream.on("data", take);
  stream.off("data", driver);
}

/** A CopyData message with these bytes. */
export function copyDataMessage(bytes: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(5 + bytes.length);
  message[0] = copyData;
  message.writeUInt32BE(4 + bytes.length, 1);
  message.set(bytes, 5);
  return message;
}

/** Each part as a message of its own. */
export function* copyDataMessages(parts: Iterable<Uint8Array>): Generator<Buffer> {
  for (const part of parts) yield copyDataMessage(part);
}

export const copyDoneMessage: Buffer = Buffer.from([0x63, 0, 0, 0, 4]);

/** Takes back a COPY: the server refuses the whole of it. */
export const copyFailMessage: Buffer = Buffer.from([0x66, 0, 0, 0, 5, 0]);
