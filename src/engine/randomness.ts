import type { RandomBytes } from "../core/index.ts";

/** Even numbers in [0, 1) from the one source of randomness. */
export function randomFraction(random: RandomBytes): () => number {
  return () => {
    const [a = 0, b = 0, c = 0, d = 0] = random(4);
    return (a + b * 256 + c * 65_536 + d * 16_777_216) / 4_294_967_296;
  };
}
