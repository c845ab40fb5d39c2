/**
 * Order of two texts by their code points, as databases have it that compare the bytes of UTF-8. JavaScript's `<` compares
 * halves of surrogate pairs, which puts U+1F600 before U+FF5E.
 */
export function byCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Halves of pairs stand for code points behind all that one unit can tell. */
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);
