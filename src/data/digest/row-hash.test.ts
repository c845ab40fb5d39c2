import { expect, test } from "vitest";
import xxhash from "xxhash-wasm";
import { rowHash } from "./row-hash.ts";

test("a large value, hashed in parts, has the hash of the whole", async () => {
  const api = await xxhash();
  const hash = await rowHash(7n);
  for (const size of [1_048_575, 1_048_576, 1_048_577, 2_097_152, 3_500_001]) {
    const bytes = Buffer.from(Array.from({ length: size }, (_, at) => (at * 7 + (at >> 9)) & 255));
    expect(hash.key(bytes)).toBe(api.h64Raw(bytes, 7n));
    expect(hash.row(Buffer.from("k"), bytes)).toBe(api.h64Raw(bytes, api.h64Raw(Buffer.from("k"), 7n)));
  }
});
