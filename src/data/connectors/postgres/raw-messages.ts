import type { PgStream } from "./driver.ts";

const copyData = 0x64;
/** Bytes of a message before what it carries. */
export const messageHead = 5;
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
  /** Less than the head of a message. */
  let start: Buffer = Buffer.alloc(0);
  /**
   * A message of which a part came: it is filled as the rest comes. So of what comes nothing is copied but the message that goes from one
   * chunk into the next, and the pieces of a very large one are not held beside it.
   */
  let open: Buffer | undefined;
  let filled = 0;
  const take = (chunk: Buffer): void => {
    let data = chunk;
    let at = 0;
    if (open !== undefined) {
      at = chunk.copy(open, filled);
      filled += at;
      if (filled < open.length) return;
      const whole = open;
      open = undefined;
      if (whole[0] === copyData) onData(whole, messageHead, whole.length);
    } else if (start.length > 0) {
      data = Buffer.concat([start, chunk]);
      start = Buffer.alloc(0);
    }
    for (;;) {
      if (data.length - at < messageHead) {
        if (at < data.length) start = Buffer.from(data.subarray(at));
        return;
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
        open = Buffer.allocUnsafe(end - at);
        filled = data.copy(open, 0, at);
        return;
      }
      if (code === copyData) onData(data, at + messageHead, end);
      at = end;
    }
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

/** Makes a CopyData message of bytes whose first five are free. */
export function asMessage(bytes: Buffer): Buffer {
  bytes[0] = copyData;
  bytes.writeUInt32BE(bytes.length - 1, 1);
  return bytes;
}

export const copyDoneMessage: Buffer = Buffer.from([0x63, 0, 0, 0, 4]);

/** Takes back a COPY: the server refuses the whole of it. */
export const copyFailMessage: Buffer = Buffer.from([0x66, 0, 0, 0, 5, 0]);
