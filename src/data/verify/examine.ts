import type { Digest, Range, Reader } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests, subtractDigests } from "../digest/digest.ts";
import { type DigestOptions, digestRange } from "../digest/leaves.ts";
import { confirm, type Sides } from "./confirm.ts";
import { Findings } from "./findings.ts";
import { locateRange } from "./locate-range.ts";

/** Keys confirmed at once. */
const atOnce = 1_000;
/** Digests of a stretch are taken again so often when what was found in it does not explain them. */
const rounds = 3;

/** Finds the differences of a stretch, and holds them against the delta of its digests. */
export async function examine(
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

export function readersOf(
  sides: Sides,
  collection: string,
): readonly [Reader | undefined, Reader | undefined] {
  return [
    sides.collections.includes(collection) ? sides.source : undefined,
    sides.targets.has(collection) ? sides.target : undefined,
  ];
}
