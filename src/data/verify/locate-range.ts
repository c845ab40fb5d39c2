import { compareBytes, equalBytes } from "../bytes.ts";
import type { Digest, Range, Reader } from "../connector.ts";
import { addDigests, emptyDigest, subtractDigests } from "../digest/digest.ts";
import { openCursor } from "../digest/row-cursor.ts";
import type { DigestOptions } from "../digest/leaves.ts";

/** What stands between the two sides of a range: keys to look at again, and how much of the digests' delta they explain. */
export interface Located {
  readonly keys: readonly Uint8Array[];
  /** Digest of the rows that only the source has in this form, less that of those only the target has. */
  readonly delta: Digest;
}

/**
 * Both sides of a range row by row, compared as bytes: no hash decides here. Gives what it found in parts of `size` keys, the
 * last one also when it is empty.
 */
export async function* locateRange(
  source: Reader | undefined,
  target: Reader | undefined,
  range: Range,
  size: number,
  { hash, signal }: DigestOptions,
): AsyncGenerator<Located> {
  await using left = openCursor(source, range, signal);
  await using right = openCursor(target, range, signal);
  let keys: Uint8Array[] = [];
  const [lost, gained] = [hash.sum(), hash.sum()];
  let delta = emptyDigest;
  const give = (): Located => {
    delta = addDigests(delta, subtractDigests(lost.take(), gained.take()));
    const located = { keys, delta };
    keys = [];
    delta = emptyDigest;
    return located;
  };
  for (;;) {
    // Waiting for each row would cost more than comparing it.
    if (left.at >= left.rows.length) await left.filled();
    if (right.at >= right.rows.length) await right.filled();
    const [a, b] = [left.rows[left.at], right.rows[right.at]];
    if (a === undefined && b === undefined) break;
    const order = a === undefined ? 1 : b === undefined ? -1 : compareBytes(a.key, b.key);
    if (order <= 0) left.at++;
    if (order >= 0) right.at++;
    if (order === 0 && a !== undefined && b !== undefined && equalBytes(a.value, b.value)) continue;
    if (order <= 0 && a !== undefined) lost.add(a.key, a.value);
    if (order >= 0 && b !== undefined) gained.add(b.key, b.value);
    keys.push(((order <= 0 ? a : b) as { readonly key: Uint8Array }).key);
    if (keys.length >= size) yield give();
  }
  yield give();
}
