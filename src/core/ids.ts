import { randomFillSync } from "node:crypto";

/** Source of random bytes; handed in so that tests are repeatable. */
export type RandomBytes = (length: number) => Uint8Array;

/** Random bytes drawn ahead: asking the system for sixteen costs as much as for thousands. */
const pool = new Uint8Array(4_096);
let used = pool.length;

const randomBytes: RandomBytes = (length) => {
  if (length > pool.length) return randomFillSync(new Uint8Array(length));
  if (used + length > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return pool.subarray(used, (used += length));
};

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
  let text = "";
  for (const byte of random(length)) text += alphabet[byte % 32];
  return text;
}
