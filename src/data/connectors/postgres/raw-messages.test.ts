import { EventEmitter } from "node:events";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PgStream } from "./driver.ts";
import { copyDataMessage, takeMessages } from "./raw-messages.ts";

/** A message that the driver reads: ReadyForQuery. */
const ready = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
/** One that may come between others: a notice. */
const notice = Buffer.concat([Buffer.from([0x4e, 0, 0, 0, 12]), Buffer.alloc(8, 0x64)]);

test("messages are the same wherever the socket cuts them, and what is not theirs goes to the driver whole", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  fc.assert(
    fc.property(bodies, fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (rows, cuts) => {
      const sent = Buffer.concat([
        ...rows.flatMap((row, at) =>
          at % 3 === 1 ? [notice, copyDataMessage(row)] : [copyDataMessage(row)],
        ),
        ready,
        ready,
      ]);
      const stream = new EventEmitter();
      const driver: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => driver.push(chunk));
      const found: string[] = [];
      takeMessages(stream as unknown as PgStream, (data, at, end) =>
        found.push(data.toString("hex", at, end)),
      );
      for (let at = 0, turn = 0; at < sent.length; turn++) {
        const size = cuts[turn % cuts.length] as number;
        // As a socket gives them: memory that is not used again.
        stream.emit("data", Buffer.from(sent.subarray(at, at + size)));
        at += size;
      }
      expect(found).toEqual(rows.map((row) => Buffer.from(row).toString("hex")));
      expect(Buffer.concat(driver)).toEqual(Buffer.concat([ready, ready]));
    }),
    { numRuns: 300 },
  );
});

test("a message larger than many chunks comes once, whole", () => {
  const body = Buffer.alloc(3_000_000, 7);
  const sent = Buffer.concat([copyDataMessage(Buffer.from("a")), copyDataMessage(body), ready]);
  const stream = new EventEmitter();
  stream.on("data", () => {});
  const found: Buffer[] = [];
  takeMessages(stream as unknown as PgStream, (data, at, end) => found.push(data.subarray(at, end)));
  for (let at = 0; at < sent.length; at += 65_536) stream.emit("data", sent.subarray(at, at + 65_536));
  expect(found.map(({ length }) => length)).toEqual([1, 3_000_000]);
  expect(found[1]?.equals(body)).toBe(true);
});
