import { CutoverError } from "cutover";

/** From what is sensed to what is known for good. */
export const layers = ["sensory", "working", "episodic", "semantic", "core"] as const;
export type Layer = (typeof layers)[number];

export const kinds = ["plain", "dream", "pattern"] as const;
export type Kind = (typeof kinds)[number];

export interface Memory {
  readonly layer: Layer;
  readonly id: string;
  /** Number of the write it came with, given by whoever writes; 0: it was there before. */
  readonly write: number;
  /** When, in nanoseconds since 1970: above 2^53, so never a JavaScript number. */
  readonly at: bigint;
  readonly kind: Kind;
  readonly text: string;
  readonly weight: number;
  /** Key of the memory it grew out of. */
  readonly from: string | null;
}

/** The value as it is stored: JSON with the timestamp as a number, digit by digit. */
export function memoryText(version: 1 | 2, memory: Memory): string {
  const { write, at, kind, text, weight, from } = memory;
  // In the new layout the layer says what kind it is.
  const said = version === 1 ? `"kind":${JSON.stringify(kind)},` : "";
  return `{"v":${version},"write":${write},"at":${at},${said}"text":${JSON.stringify(text)},"weight":${weight},"from":${JSON.stringify(from)}}`;
}

/** What a stored value says, `at` as the text has it. Undefined: it is no memory. */
export function readMemory(version: 1 | 2, value: Uint8Array): Omit<Memory, "layer" | "id"> | undefined {
  const written = Buffer.from(value).toString("utf8");
  let found: Partial<Record<string, unknown>>;
  try {
    found = JSON.parse(written) as Partial<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  // Within a text a quote stands behind a backslash: this can be the member alone.
  const at = /,"at":(\d+),/.exec(written)?.[1];
  if (found === null || typeof found !== "object" || found["v"] !== version || at === undefined)
    return undefined;
  const { write, text, weight, from, kind = "plain" } = found;
  if (typeof write !== "number" || typeof text !== "string" || typeof weight !== "number") return undefined;
  if (from !== null && typeof from !== "string") return undefined;
  if (!(kinds as readonly unknown[]).includes(kind)) return undefined;
  return { write, at: BigInt(at), kind: kind as Kind, text, weight, from };
}

export function readLayer(name: string): Layer {
  const found = layers.find((layer) => layer === name);
  if (found !== undefined) return found;
  throw new CutoverError("CUTOVER_DATA_UNMAPPED", {
    message: `expected one of the layers ${layers.join(", ")}, found "${name}"`,
  });
}
