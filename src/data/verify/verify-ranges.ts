import type { Digest, Range } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests, subtractDigests } from "../digest/digest.ts";
import { type DigestOptions, leafPairs } from "../digest/leaves.ts";
import type { Sides } from "./confirm.ts";
import { examine, readersOf } from "./examine.ts";
import type { Findings } from "./findings.ts";
import { verifySums } from "./verify-sums.ts";

/** One collection as both sides hold it. */
export interface CollectionVerdict {
  readonly name: string;
  /**
   * How it was held against the other: by `rows`, which were all read, or by `sums` that the stores made where the rows lie, and rows where
   * those differed. The digests of both ways have nothing to do with each other.
   */
  readonly by: "rows" | "sums";
  readonly source: Digest;
  readonly target: Digest;
  readonly leaves: number;
  readonly unequalLeaves: number;
}

/** Leaves side by side that are read again together: fewer scans where much is wrong, still a bounded stretch. */
const joined = 64;

/**
 * A collection whose rows have the same keys on both sides: leaf by leaf, then row by row where leaves differ. By sums of the stores
 * where both can make them.
 */
export async function verifyRanges(
  sides: Sides,
  collection: string,
  options: DigestOptions,
  findings: Findings,
): Promise<CollectionVerdict> {
  const summed = await verifySums(sides, collection, options, findings);
  if (summed !== undefined) return summed;
  const [source, target] = readersOf(sides, collection);
  let [ours, theirs, leaves, unequalLeaves] = [emptyDigest, emptyDigest, 0, 0];
  let after: Uint8Array | undefined;
  let open: { range: Range; delta: Digest; leaves: number } | undefined;
  const close = async (): Promise<void> => {
    if (open !== undefined) await examine(sides, open.range, open.delta, options, findings);
    open = undefined;
  };
  for await (const leaf of leafPairs(source, target, { collection }, options)) {
    leaves++;
    ours = addDigests(ours, leaf.source);
    theirs = addDigests(theirs, leaf.target);
    const end = leaf.upTo === undefined ? {} : { upTo: leaf.upTo };
    if (equalDigests(leaf.source, leaf.target)) await close();
    else {
      unequalLeaves++;
      const delta = subtractDigests(leaf.source, leaf.target);
      const range = { collection, ...(after === undefined ? {} : { after }), ...end };
      if (open === undefined) open = { range, delta, leaves: 1 };
      else {
        const { after: start } = open.range;
        open = {
          range: { collection, ...(start === undefined ? {} : { after: start }), ...end },
          delta: addDigests(open.delta, delta),
          leaves: open.leaves + 1,
        };
      }
      if (open.leaves >= joined) await close();
    }
    after = leaf.upTo;
  }
  await close();
  return { name: collection, by: "rows", source: ours, target: theirs, leaves, unequalLeaves };
}
