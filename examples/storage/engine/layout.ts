import { type DataMap, type Image, noImage, type Place, type SourceRow } from "cutover/data";
import { type Kind, type Layer, layers, type Memory, memoryText, readMemory } from "./memory.ts";

/**
 * Old: `layer:key`, five layers. New: `number/layer/key`, so that layers lie in their order, and two layers more: dreams have
 * left the episodic layer, and patterns the semantic one.
 */
const newLayers = ["sensory", "working", "episodic", "dream", "semantic", "pattern", "core"] as const;
type NewLayer = (typeof newLayers)[number];

/** Where the memories of an old layer lie in the new layout. */
const homes: Readonly<Record<Layer, Partial<Readonly<Record<Kind, NewLayer>>>>> = {
  sensory: { plain: "sensory" },
  working: { plain: "working" },
  episodic: { plain: "episodic", dream: "dream" },
  semantic: { plain: "semantic", pattern: "pattern" },
  core: { plain: "core" },
};

export const oldKey = (layer: Layer, id: string): Buffer => Buffer.from(`${layer}:${id}`);
const newKey = (layer: NewLayer, id: string): Buffer =>
  Buffer.from(`${newLayers.indexOf(layer) + 1}/${layer}/${id}`);

export function readOldKey(key: Uint8Array): Pick<Memory, "layer" | "id"> | undefined {
  const text = Buffer.from(key).toString("utf8");
  const colon = text.indexOf(":");
  const layer = layers.find((each) => each === text.slice(0, Math.max(colon, 0)));
  return layer === undefined ? undefined : { layer, id: text.slice(colon + 1) };
}

function readNewKey(key: Uint8Array): (Pick<Memory, "layer" | "id"> & { readonly kind: Kind }) | undefined {
  const [number, name, ...rest] = Buffer.from(key).toString("utf8").split("/");
  if (newLayers[Number(number) - 1] !== name || rest.length === 0) return undefined;
  for (const layer of layers)
    for (const [kind, home] of Object.entries(homes[layer]))
      if (home === name) return { layer, id: rest.join("/"), kind: kind as Kind };
  return undefined;
}

/** All places where a memory of this layer may lie in the new layout. */
export const newKeys = (layer: Layer, id: string): readonly Buffer[] =>
  Object.values(homes[layer]).map((home) => newKey(home, id));

export interface Stored {
  readonly key: Buffer;
  readonly value: Buffer;
}

export const inOld = (memory: Memory): Stored => ({
  key: oldKey(memory.layer, memory.id),
  value: Buffer.from(memoryText(1, memory)),
});

export function inNew(memory: Memory): Stored {
  const home = homes[memory.layer][memory.kind];
  if (home === undefined) throw noImage(`a memory of kind ${memory.kind} in the layer ${memory.layer}`);
  return { key: newKey(home, memory.id), value: Buffer.from(memoryText(2, memory)) };
}

export function fromOld({
  key,
  value,
}: {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}): Memory | undefined {
  const [place, said] = [readOldKey(key), readMemory(1, value)];
  return place === undefined || said === undefined ? undefined : { ...place, ...said };
}

export function fromNew({
  key,
  value,
}: {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}): Memory | undefined {
  const [place, said] = [readNewKey(key), readMemory(2, value)];
  return place === undefined || said === undefined ? undefined : { ...said, ...place };
}

/** Old rows as new ones. What is no memory is set aside with the reason. */
export const toNew: DataMap = {
  map: (row): Image => {
    const memory = fromOld(row);
    if (memory === undefined) throw noImage("it is not a memory");
    return inNew(memory);
  },
  places: (collection, key) => {
    const place = readOldKey(key);
    return place === undefined
      ? []
      : newKeys(place.layer, place.id).map((each) => ({ collection, key: each }));
  },
};

/** New rows as old ones: the same memory, so the way back loses nothing. */
export const toOld: {
  readonly map: (row: SourceRow) => Image;
  readonly places: (collection: string, key: Uint8Array) => readonly Place[];
} = {
  map: (row): Image => {
    const memory = fromNew(row);
    if (memory === undefined) throw noImage("it is not a memory");
    return inOld(memory);
  },
  places: (collection, key) => {
    const place = readNewKey(key);
    return place === undefined ? [] : [{ collection, key: oldKey(place.layer, place.id) }];
  },
};
