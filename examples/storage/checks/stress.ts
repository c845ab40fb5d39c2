import { deepStrictEqual, ok } from "node:assert/strict";
import { ask } from "../engine/client.ts";

const lanes = 16;
const forMs = 2_000;

/** Many writers at once, each of which reads back what it wrote; fewer than one call in a thousand may fail. */
export const stress = async (dir: string): Promise<readonly string[]> => {
  const until = Date.now() + forMs;
  let [calls, failed] = [0, 0];
  const call = async (method: "GET" | "POST", path: string, body?: object): Promise<unknown> => {
    calls++;
    return await ask(dir, method, path, body).catch(() => void failed++);
  };
  const lane = async (number: number): Promise<void> => {
    // No multiple of four, so that nothing grows out of it.
    const id = `stress-${String(4 * number + 1).padStart(8, "0")}`;
    try {
      for (let write = 1; Date.now() < until; write++) {
        const text = `write ${write} of lane ${number}`;
        await call("POST", "/remember", { layer: "sensory", id, write, text, weight: 0.5 });
        const found = (await call("GET", `/recall?layer=sensory&id=${id}`)) as
          { memory: { text: string } | null } | undefined;
        if (found !== undefined) deepStrictEqual(found.memory?.text, text);
      }
    } finally {
      await ask(dir, "POST", "/forget", { layer: "sensory", id, write: 0 });
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  ok(failed / calls < 0.001, `expected fewer than 0.1 % failed calls, found ${failed} of ${calls}`);
  return [`${calls} calls of ${lanes} writers in ${forMs} ms, ${failed} failed; each read what it wrote`];
};
