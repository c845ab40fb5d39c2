/** The rows that are moved: keys in order, values that no compression makes smaller; the same for the same seed. */
export interface MadeRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** What values are: bytes by chance, or JSON of that length, as of a store of records. */
export type Values = "bytes" | "JSON";

export function* madeRows(
  count: number,
  bytes: number,
  values: Values = "bytes",
  seed = 7,
): Generator<MadeRow> {
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
  for (let at = 0; at < count; at++) {
    if (values === "JSON") {
      yield { key: keyOf(at), value: jsonOf(at, bytes, next) };
      continue;
    }
    const value = Buffer.allocUnsafe(bytes);
    // The low bits of such a generator repeat soon, and LevelDB would find that.
    for (let place = 0; place + 4 <= bytes; place += 4)
      value.writeUInt32LE((next() ^ (next() >>> 16)) >>> 0, place);
    for (let place = bytes - (bytes % 4); place < bytes; place++) value[place] = next() >>> 24;
    yield { key: keyOf(at), value };
  }
}

export const keyOf = (at: number): Buffer => Buffer.from(`key:${String(at).padStart(12, "0")}`);

function jsonOf(at: number, bytes: number, next: () => number): Buffer {
  const begin = `{"id":${at},"layer":"episodic","at":1732${String(next()).padStart(15, "0")},"text":"`;
  let text = "";
  while (begin.length + text.length + 2 < bytes) text += (next() ^ (next() >>> 16)).toString(36);
  return Buffer.from(`${begin}${text.slice(0, Math.max(0, bytes - begin.length - 2))}"}`);
}
