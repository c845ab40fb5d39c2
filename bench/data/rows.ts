/** The rows that are moved: keys in order, values that no compression makes smaller; the same for the same seed. */
export interface MadeRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

export function* madeRows(count: number, bytes: number, seed = 7): Generator<MadeRow> {
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
  for (let at = 0; at < count; at++) {
    const value = Buffer.allocUnsafe(bytes);
    // The low bits of such a generator repeat soon, and LevelDB would find that.
    for (let place = 0; place + 4 <= bytes; place += 4)
      value.writeUInt32LE((next() ^ (next() >>> 16)) >>> 0, place);
    for (let place = bytes - (bytes % 4); place < bytes; place++) value[place] = next() >>> 24;
    yield { key: keyOf(at), value };
  }
}

export const keyOf = (at: number): Buffer => Buffer.from(`key:${String(at).padStart(12, "0")}`);
