import { randomBytes } from "node:crypto";

/** Source of random bytes; handed in so that tests are repeatable. */
export type RandomBytes = (length: number) => Uint8Array;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford: no i, l, o, u

/** Time-ordered id: 10 characters of milliseconds, 16 of randomness (the shape of a ULID, lower case). */
export function timeId(now: number, random: RandomBytes = randomBytes): string {
  let time = "";
  for (let left = Math.floor(now), i = 0; i < 10; i++) {
    time = alphabet[left % 32] + time;
    left = Math.floor(left / 32);
  }
  return time + letters(16, random);
}

/** Short id for people to type: a prefix letter and `length` characters, e.g. `r7f3k`. */
export function shortId(prefix: string, length = 5, random: RandomBytes = randomBytes): string {
  return prefix + letters(length, random);
}

function letters(length: number, random: RandomBytes): string {
  return Array.from(random(length), (byte) => alphabet[byte % 32]).join("");
}
