import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { request } from "node:http";
import { ask } from "../engine/client.ts";
import { type Layer } from "../engine/memory.ts";
import { places } from "../engine/places.ts";

/** One memory goes through all layers of the running engine, and is heard of on the feed. */
export const integration = async (dir: string): Promise<readonly string[]> => {
  const grown: readonly (readonly [Layer, number])[] = [
    ["sensory", 768],
    ["working", 192],
    ["episodic", 48],
    ["semantic", 12],
    ["core", 3],
  ];
  const id = (number: number): string => `check-${String(number).padStart(8, "0")}`;
  const keys = grown.map(([layer, number]) => `${layer}:${id(number)}`);
  const heard = feedTells(dir, keys[0] ?? "");
  try {
    const wish = { layer: "sensory", id: id(768), write: 7, text: 'a "quoted" text', weight: 0.25 };
    const told = await ask(dir, "POST", "/remember", wish);
    deepStrictEqual(told["keys"], keys);
    const kinds: unknown[] = [];
    for (const [layer, number] of grown) {
      const { memory } = (await ask(dir, "GET", `/recall?layer=${layer}&id=${id(number)}`)) as {
        memory: { at: string; text: string; kind: string };
      };
      strictEqual(memory.at, told["at"]);
      strictEqual(memory.text, wish.text);
      kinds.push(memory.kind);
    }
    deepStrictEqual(kinds, ["plain", "plain", "dream", "pattern", "plain"]);
    ok(await heard, "expected the feed to tell of it");
  } finally {
    for (const [layer, number] of grown)
      await ask(dir, "POST", "/forget", { layer, id: id(number), write: 7 });
  }
  const gone = await ask(dir, "GET", `/recall?layer=core&id=${id(3)}`);
  strictEqual(gone["memory"], null);
  return [
    "one memory grew through five layers into a dream and a pattern, was recalled, heard of and forgotten",
  ];
};

/** True once the feed named the key; false after 5 s. */
function feedTells(dir: string, key: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath: places(dir).api, path: "/feed", timeout: 5_000 }, (response) => {
      let text = "";
      response.on("data", (part: Buffer) => {
        text += part.toString("utf8");
        if (!text.includes(JSON.stringify(key))) return;
        resolve(true);
        call.destroy();
      });
    });
    call.on("timeout", () => call.destroy());
    call.on("close", () => resolve(false));
    call.on("error", () => resolve(false));
    call.end();
  });
}
