import type { Digest, Range, Reader } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests, subtractDigests } from "../digest/digest.ts";
import { type DigestOptions, digestRange, leafPairs } from "../digest/leaves.ts";
import { confirm, type Sides } from "./confirm.ts";
import { Findings } from "./findings.ts";
import { locateRange } from "./locate-range.ts";

/** One collection as both sides hold it. */
export interface CollectionVerdict {
  readonly name: string;
  readonly source: Digest;
  readonly target: Digest;
  readonly leaves: number;
  readonly unequalLeaves: number;
}

/** Keys confirmed at once. */
const atOnce = 1_000;
/** Leaves side by side that are read again together: fewer scans where much is wrong, still a bounded stretch. */
const joined = 64;
/** Digests of a stretch are taken again so often when what was found in it does not explain them. */
const rounds = 3;

/** A collection whose rows have the same keys on both sides: leaf by leaf, then row by row where leaves differ. */
export async function verifyRanges(
  sides: Sides,
  collection: string,
  options: DigestOptions,
  findings: Findings,
): Promise<CollectionVerdict> {
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
  return { name: collection, source: ours, target: theirs, leaves, unequalLeaves };
}

/** Finds the differences of a stretch, and holds them against the delta of its digests. */
async function examine(
  sides: Sides,
  range: Range,
  firstDelta: Digest,
  options: DigestOptions,
  findings: Findings,
): Promise<void> {
  const { collection } = range;
  const [source, target] = readersOf(sides, collection);
  const quiet = { ...options, onRead: () => {} };
  let delta = firstDelta;
  for (let round = 1; ; round++) {
    let found = emptyDigest;
    // Only the last look is counted: one that did not explain the delta saw another state than the digests.
    const look = new Findings(findings.limit);
    for await (const part of locateRange(source, target, range, atOnce, quiet)) {
      found = addDigests(found, part.delta);
      if (part.keys.length === 0) continue;
      const places = part.keys.map((key) => ({ collection, key }));
      look.add(await confirm(sides, places));
    }
    const explained = equalDigests(found, delta);
    if (explained || round === rounds) {
      findings.merge(look);
      if (!explained && sides.caughtUp !== undefined) findings.restless++;
      else if (!explained) findings.unexplained.push({ ...range, delta, found });
      return;
    }
    await sides.caughtUp?.(sides.signal);
    const [a, b] = [await digestRange(source, range, quiet), await digestRange(target, range, quiet)];
    delta = subtractDigests(a, b);
  }
}

function readersOf(sides: Sides, collection: string): readonly [Reader | undefined, Reader | undefined] {
  return [
    sides.collections.includes(collection) ? sides.source : undefined,
    sides.targets.has(collection) ? sides.target : undefined,
  ];
}
