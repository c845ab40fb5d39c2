import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BoundedOutput } from "./bounded-output.ts";

function write(limit: number, chunks: readonly Buffer[]): BoundedOutput {
  const output = new BoundedOutput(limit);
  for (const chunk of chunks) output.write(chunk);
  return output;
}

describe("captured output", () => {
  test("is whole when it fits, however it came in pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 20 }), (pieces) => {
        const chunks = pieces.map((piece) => Buffer.from(piece));
        const output = write(600, chunks);
        expect(output.cut).toBe(false);
        expect(output.text()).toBe(Buffer.concat(chunks).toString("utf8"));
      }),
    );
  });

  test("is cut in the middle with a note of how much, never longer than the limit", () => {
    const lines = Array.from({ length: 5_000 }, (_, i) => Buffer.from(`line ${i}\n`));
    const output = write(1_000, lines);
    const text = output.text();
    expect(output.cut).toBe(true);
    expect(text.startsWith("line 0\n")).toBe(true);
    expect(text.endsWith("line 4999\n")).toBe(true);
    expect(text).toMatch(/\n… 46\.\d kB left out …\n/);
    expect(Buffer.byteLength(text)).toBeLessThan(1_100);
  });

  test("keeps characters whole on both sides of the cut", () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 64 }), fc.constantFrom("é", "日", "🚀"), (limit, character) => {
        const output = write(limit, [Buffer.from(character.repeat(100))]);
        expect(output.text().replace(/\n… .* left out …\n/, "")).toMatch(
          new RegExp(`^(${character})*$`, "u"),
        );
      }),
    );
  });

  test("holds no more than a few times its limit in memory while gigabytes pass", () => {
    const output = new BoundedOutput(64 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 2_000; i++) output.write(Buffer.alloc(64 * 1024, i));
    expect(output.total).toBe(2_000 * 64 * 1024);
    expect(output.text().length).toBeLessThan(70_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(140 * 2 ** 20);
  });
});
