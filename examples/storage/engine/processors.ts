import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { CutoverError } from "cutover";
import type { Kind, Layer } from "./memory.ts";

/** What a memory of one layer becomes in the next; undefined: nothing. */
export type Grow = (memory: {
  readonly layer: Layer;
  readonly number: number;
  readonly weight: number;
}) => { readonly layer: Layer; readonly number: number; readonly kind: Kind } | undefined;

/** The component that is upgraded: a file beside the engine, which loads it anew when it is told to. */
export interface Processors {
  readonly version: number;
  readonly grow: Grow;
}

export async function loadProcessors(file: string): Promise<Processors> {
  // Under the same name a module would be the one loaded before.
  const text = await readFile(file, "utf8");
  const stamp = Buffer.from(text).toString("base64url").length + Date.now();
  const { version, grow } = (await import(`${pathToFileURL(file).href}?${stamp}`)) as Partial<Processors>;
  if (typeof version === "number" && typeof grow === "function") return { version, grow };
  throw new CutoverError("CUTOVER_STEP_FAILED", {
    message: "expected processors with `version` and `grow`, found others",
    place: file,
  });
}
