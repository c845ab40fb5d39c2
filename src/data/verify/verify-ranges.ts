import type { Digest, Range } from "../connector.ts";
import { addDigests, emptyDigest } from "../digest/digest.ts";
import type { DigestOptions } from "../digest/leaves.ts";
import { comparedStretches } from "./compared-stretches.ts";
import { confirm, type Sides } from "./confirm.ts";
import { examine, readersOf } from "./examine.ts";
import { Findings } from "./findings.ts";
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

/** Keys looked at again together, and leaves after which that is done however few there are. */
const atOnce = 1_000;
const joined = 64;

/** Keys at which both sides differed, and where they lie. */
interface Open {
  readonly range: Range;
  readonly keys: readonly Uint8Array[];
  /** Source less target. */
  readonly delta: Digest;
  readonly leaves: number;
}

/**
 * A collection whose rows have the same keys on both sides: both are read once, in the order of their keys, and each row that differs is
 * looked at again. By sums of the stores where both can make them.
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
  let [ours, theirs, leaves, unequalLeaves, unequal] = [emptyDigest, emptyDigest, 0, 0, false];
  let after: Uint8Array | undefined;
  let open: Open | undefined;
  const close = async (): Promise<void> => {
    if (open !== undefined) await settle(sides, open, options, findings);
    open = undefined;
  };
  for await (const found of comparedStretches(source, target, { collection }, atOnce, options)) {
    ours = addDigests(ours, found.source);
    theirs = addDigests(theirs, found.target);
    if (found.keys.length > 0) {
      unequal = true;
      const start = open === undefined ? after : open.range.after;
      const { upTo } = found;
      open = {
        range: {
          collection,
          ...(start === undefined ? {} : { after: start }),
          ...(upTo === undefined ? {} : { upTo }),
        },
        keys: [...(open?.keys ?? []), ...found.keys],
        delta: addDigests(open?.delta ?? emptyDigest, found.delta),
        leaves: open?.leaves ?? 0,
      };
    }
    if (found.endsLeaf) {
      leaves++;
      if (unequal) unequalLeaves++;
      unequal = false;
      if (open !== undefined) open = { ...open, leaves: open.leaves + 1 };
    }
    if (open !== undefined && (open.leaves >= joined || open.keys.length >= atOnce)) await close();
    after = found.upTo;
  }
  await close();
  return { name: collection, by: "rows", source: ours, target: theirs, leaves, unequalLeaves };
}

/** Looks at the rows again. Of sides at rest all have to be as they were. */
async function settle(
  sides: Sides,
  { range, keys, delta }: Open,
  options: DigestOptions,
  findings: Findings,
): Promise<void> {
  const { collection } = range;
  const look = new Findings(findings.limit);
  for (let at = 0; at < keys.length; at += atOnce) {
    const places = keys.slice(at, at + atOnce).map((key) => ({ collection, key }));
    const confirmed = await confirm(sides, places);
    if (sides.caughtUp === undefined && confirmed.differences.length < places.length)
      return await examine(sides, range, delta, options, findings);
    look.add(confirmed);
  }
  findings.merge(look);
}
