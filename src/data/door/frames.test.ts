import { connect } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CutoverError } from "../../core/index.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { decodeError, decodeHello, decodeWelcome, encodeError, encodeHello, operations } from "./calls.ts";
import { connectData } from "./connect-data.ts";
import { FrameReader, framesOf, frameTypes, type FrameType, longestFrame, type Message } from "./frames.ts";
import {
  decodeLogBatch,
  encodeLogBatch,
  packFence,
  packWrite,
  partsOfRows,
  rowsIn,
  sizeOfWrite,
  unpackFence,
  unpackWrite,
} from "./messages.ts";
import { Packer, Unpacker } from "./packing.ts";
import { serveData } from "./serve-data.ts";

const bytes = (maxLength = 40): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((part) => Buffer.from(part));
const change = fc.record({
  collection: fc.constantFrom("", "users", "ä"),
  key: bytes(),
  value: fc.option(bytes()),
});
const types = Object.keys(frameTypes) as FrameType[];

describe("frames", () => {
  test("messages come out as they went in, however the stream is cut and whatever lies between", () => {
    const message = fc.record({
      type: fc.constantFrom(...types),
      call: fc.integer({ min: 0, max: 0xffff_ffff }),
      payload: fc.oneof(
        { weight: 9, arbitrary: bytes(300) },
        {
          weight: 1,
          arbitrary: fc
            .constantFrom(longestFrame - 1, longestFrame, longestFrame + 1, 3 * longestFrame)
            .map((size) => Buffer.alloc(size, size)),
        },
      ),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat({ max: 99_999 })), (sent, cuts) => {
        const stream = Buffer.concat(
          sent.flatMap(({ type, call, payload }) => [...framesOf(type, call, payload)]),
        );
        const reader = new FrameReader("test", 1 << 24);
        const found: Message[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          const end = Math.min(stream.length, at + cut);
          found.push(...reader.read(stream.subarray(at, end)));
          at = end;
        }
        expect(found.map(({ type, call, payload }) => [type, call, payload.toString("hex")])).toEqual(
          sent.map(({ type, call, payload }) => [type, call, payload.toString("hex")]),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("a cancel is heard while a large message of its call still comes in, and calls lie interleaved", () => {
    const large = Buffer.alloc(2 * longestFrame + 5, 7);
    const [one, two] = [1, 2].map((call) => {
      const parts = [...framesOf("call", call, large)];
      return [0, 2, 4].map((at) => Buffer.concat(parts.slice(at, at + 2)));
    }) as [Buffer[], Buffer[]];
    const cancel = Buffer.concat([...framesOf("cancel", 1, Buffer.alloc(0))]);
    const mixed = Buffer.concat([one[0], two[0], one[1], cancel, two[1], two[2], one[2]] as Buffer[]);
    const found = [...new FrameReader("test", 1 << 24).read(mixed)];
    expect(found.map(({ type, call, payload }) => [type, call, payload.equals(large)])).toEqual([
      ["cancel", 1, false],
      ["call", 2, true],
      ["call", 1, true],
    ]);
  });

  test("more than may be held of messages that are not whole is refused", () => {
    const reader = new FrameReader("test", 2 * longestFrame);
    const large = Buffer.concat([...framesOf("call", 1, Buffer.alloc(4 * longestFrame))]);
    expect(() => [...reader.read(large)]).toThrow(CutoverError);
    // One byte in each of many frames costs far more than its bytes.
    const short = Buffer.from([0, 0, 0, 6, frameTypes.call | 0x80, 0, 0, 0, 1, 0]);
    expect(() => [...new FrameReader("test", 1 << 20).read(short)]).toThrow(/neither full nor the last/);
  });

  test("any bytes are read as messages or refused with a code, by frames and by everything in them", () => {
    const readers: ((input: Unpacker) => unknown)[] = [
      (input) => decodeHello(input, "test"),
      (input) => decodeWelcome(input, "test"),
      (input) => unpackWrite(input, "test"),
      (input) => decodeLogBatch(input, "test"),
      (input) => unpackFence(input, "test"),
      rowsIn,
    ];
    fc.assert(
      fc.property(bytes(400), (noise) => {
        for (const read of [
          () => [...new FrameReader("test", 1 << 20).read(noise)],
          ...readers.map((one) => () => one(new Unpacker(noise, "test"))),
        ]) {
          try {
            read();
          } catch (error) {
            expect(error).toMatchObject({ code: "CUTOVER_DATA_FORMAT" });
          }
        }
        expect(decodeError(noise, "test")).toBeInstanceOf(CutoverError);
      }),
      { numRuns: 500 },
    );
  });
});

describe("what messages hold", () => {
  test("rows, changes, logs and fences come out as they went in", () => {
    const input = (data: Buffer): Unpacker => new Unpacker(data, "test");
    const write = fc.record({
      job: fc.string(),
      fence: fc.nat(),
      origin: fc.string(),
      changes: fc.array(change),
      rows: fc.array(change.map((one) => ({ ...one, value: one.key }))),
      checkpoint: bytes(),
    });
    fc.assert(
      fc.property(write, (given) => {
        const packed = packWrite(new Packer(), given).done();
        expect(packed.length).toBeLessThanOrEqual(sizeOfWrite(given));
        expect(unpackWrite(input(packed), "test")).toEqual(given);
        const transactions = [{ tx: "7", position: given.job, at: 1.5, changes: given.changes }];
        const batch = { transactions, head: given.origin };
        expect(decodeLogBatch(input(encodeLogBatch(batch)), "test")).toEqual(batch);
        const rows = given.rows.map(({ key, value }) => ({ key, value }));
        expect([...partsOfRows(rows)].flatMap((part) => rowsIn(input(part)))).toEqual(rows);
        const running = [given.job, given.origin];
        const fence = { kind: "snapshot", xmin: "1", xmax: "9", running } as const;
        expect(unpackFence(input(packFence(new Packer(), fence).done()), "test")).toEqual(fence);
      }),
      { numRuns: 200 },
    );
  });

  test("an error whose details no JSON can hold still comes with its code", () => {
    const details: Record<string, unknown> = {};
    details["self"] = details;
    const error = new CutoverError("CUTOVER_DATA_FULL", { message: "full", details: details as never });
    expect(decodeError(encodeError(error, "a"), "b")).toMatchObject({
      code: "CUTOVER_DATA_FULL",
      message: "full",
    });
    const newer = Buffer.from('{"code":"CUTOVER_DATA_LATER","message":"of a later version"}');
    expect(decodeError(newer, "b")).toMatchObject({
      code: "CUTOVER_DATA_IO",
      message: "of a later version (CUTOVER_DATA_LATER)",
    });
  });
});

describe("a door under noise", () => {
  test("goes on serving whatever is thrown at it, before and after a greeting, and holds nothing of it", async () => {
    const dir = mkdtempSync(join(tmpdir(), "cutover-door-"));
    const store = openMemoryStore();
    await store.write([{ collection: "", key: Buffer.from("k"), value: Buffer.from("v") }]);
    const door = await serveData(store, { socket: join(dir, "s") });
    const client = await connectData(door.address);
    const greeting = Buffer.concat([...framesOf("hello", 0, encodeHello(undefined))]);
    const operation = fc.constantFrom(...Object.values(operations), 0, 99);
    const call = fc
      .tuple(operation, bytes(60), fc.integer({ min: 0, max: 3 }))
      .map(([code, rest, number]) =>
        Buffer.concat([...framesOf("call", number, Buffer.concat([Buffer.from([code]), rest]))]),
      );
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.boolean(),
          fc.array(fc.oneof(call, bytes(100)), { maxLength: 6 }),
          async (greets, parts) => {
            const socket = connect(join(dir, "s"));
            socket.on("error", () => {});
            socket.resume();
            await once(socket, "connect");
            if (greets) socket.write(greeting);
            for (const part of parts) socket.write(part);
            const closed = once(socket, "close");
            socket.end();
            await closed;
            expect((await client.get("", [Buffer.from("k")]))[0]?.length).toBe(1);
          },
        ),
        { numRuns: 150 },
      );
      for (let turn = 0; turn < 1_000 && door.connections > 1; turn++)
        await new Promise((resolve) => setImmediate(resolve));
      expect(door.connections).toBe(1);
    } finally {
      await client[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
