import type { Digest } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests, subtractDigests } from "../digest/digest.ts";
import type { DigestOptions } from "../digest/leaves.ts";
import { confirm } from "./confirm.ts";
import { DifferenceSketch } from "./difference-sketch.ts";
import type { Wanted } from "./expected.ts";
import { Findings } from "./findings.ts";
import { type MappedSides, ourRows, theirRows } from "./mapped-rows.ts";
import { PlaceHashes } from "./place-hashes.ts";
import { compareSuspects, type Suspect, suspects, touchedHashes } from "./suspects.ts";

export interface MappedVerdict {
  readonly source: Digest;
  readonly target: Digest;
  /** Rows that have no image and belong in quarantine. */
  readonly aside: number;
  /** Differences were found beyond those that are listed, and not all were counted. */
  readonly atLeast: boolean;
}

const rounds = 3;

/**
 * f(old) against new. Images need not come in the order of their keys, so there are no ranges both sides share: one pass over each
 * side sums up which rows they do not share, whatever the order. Where there are any, both sides are read again for these, and
 * they are compared. What a move has touched since before is no difference: it is left to whoever looks at it later.
 */
export async function verifyMapped(
  sides: MappedSides,
  options: DigestOptions,
  findings: Findings,
): Promise<MappedVerdict> {
  const hashes = new PlaceHashes(options.hash);
  for (let round = 1; ; round++) {
    const { sketch, ...digests } = await digest(
      sides,
      hashes,
      round === 1 ? options : { hash: options.hash },
    );
    const { source, target } = digests;
    const places = new Set(sketch.open().map(({ keyHash }) => keyHash));
    const leftover = { places, rest: sketch, total: source.count + target.count };
    if (places.size === 0 && sketch.filled === 0) return { ...digests, atLeast: false };
    const look = new Findings(findings.limit);
    const moving = sides.caughtUp !== undefined;
    const { atLeast, found } = moving
      ? await lookWhileMoving(sides, hashes, leftover, look)
      : await lookAtRest(sides, hashes, leftover, look);
    const delta = subtractDigests(source, target);
    // What was found of two sides at rest has to explain their digests; when it does not, they are taken again.
    const explained = moving || atLeast || equalDigests(found, delta);
    if (!explained && round < rounds) continue;
    findings.merge(look);
    if (!explained) findings.unexplained.push({ collection: "", delta, found });
    return { ...digests, atLeast };
  }
}

/** One pass over each side, both at the same time. */
async function digest(
  sides: MappedSides,
  hashes: PlaceHashes,
  options: DigestOptions,
): Promise<Omit<MappedVerdict, "atLeast"> & { readonly sketch: DifferenceSketch }> {
  const sketch = new DifferenceSketch();
  let aside = 0;
  const { owners } = sides;
  owners?.begin(hashes);
  const read = async (batches: AsyncIterable<readonly Wanted[]>, sign: 1 | -1): Promise<Digest> => {
    const sums = new BigUint64Array(2);
    let count = 0;
    for await (const batch of batches) {
      tally(batch, options);
      for (const wanted of batch) {
        if (wanted.aside !== undefined) aside++;
        const [keyHash, rowHash] = [hashes.key(wanted), hashes.row(wanted)];
        sketch.add(keyHash, rowHash, sign);
        if (sign === 1) owners?.add(wanted, keyHash);
        sums[0]! += rowHash;
        sums[1]! += keyHash;
        count++;
      }
    }
    return { count, rows: sums[0] ?? 0n, keys: sums[1] ?? 0n };
  };
  const [source, target] = await Promise.all([read(ourRows(sides), 1), read(theirRows(sides), -1)]);
  return { source, target, aside, sketch };
}

interface Looked {
  readonly atLeast: boolean;
  /** By how much the digests differ for what was found. */
  readonly found: Digest;
}

type Leftover = Parameters<typeof suspects>[2];

/** Nobody writes: what is equal when it is read again was not found, and stays unexplained. */
async function lookAtRest(
  sides: MappedSides,
  hashes: PlaceHashes,
  leftover: Leftover,
  look: Findings,
): Promise<Looked> {
  let found = emptyDigest;
  for await (const part of suspects(sides, hashes, leftover, new Set())) {
    const { differences, same } = await compareSuspects(sides, part.found);
    look.add({ differences, arrived: 0, unsettled: [] });
    const equal = new Set(same);
    for (const suspect of part.found)
      if (!equal.has(suspect)) found = addDigests(found, deltaOf(suspect, hashes));
    if (!part.last && look.total >= look.limit) return { atLeast: true, found };
  }
  return { atLeast: false, found };
}

/** A row that is late is no difference: it is known as touched, or looked at again. */
async function lookWhileMoving(
  sides: MappedSides,
  hashes: PlaceHashes,
  leftover: Leftover,
  look: Findings,
): Promise<Looked> {
  const found = emptyDigest;
  let touched = await touchedNow(sides, hashes);
  if (touched !== undefined && leftover.rest.filled === 0) {
    const known = touched;
    if ([...leftover.places].every((place) => known.has(place))) return { atLeast: false, found };
  }
  for await (const part of suspects(sides, hashes, leftover, touched ?? new Set())) {
    touched = await touchedNow(sides, hashes);
    const known = touched;
    if (known === undefined)
      look.add(
        await confirm(
          sides,
          part.found.map(({ place }) => place),
        ),
      );
    else {
      const still = part.found.filter(({ place }) => !known.has(hashes.key(place)));
      const { differences, same } = await compareSuspects(sides, still);
      look.add({ differences, arrived: same.length, unsettled: [] });
    }
    if (!part.last && look.total >= look.limit) return { atLeast: true, found };
  }
  return { atLeast: false, found };
}

/**
 * Hashes of the places that were touched, once the target has all that the source has: where both sides differ by a change since the
 * verification began, the place is among them. Undefined when not all are known.
 */
async function touchedNow(sides: MappedSides, hashes: PlaceHashes): Promise<ReadonlySet<bigint> | undefined> {
  const { touched, caughtUp, map, signal } = sides;
  if (touched?.complete !== true) return undefined;
  await caughtUp?.(signal);
  return touched.complete ? touchedHashes(hashes, map.name ?? "", touched) : undefined;
}

const deltaOf = ({ place, count, rows }: Suspect, hashes: PlaceHashes): Digest => ({
  count,
  rows,
  keys: BigInt.asUintN(64, BigInt(count) * hashes.key(place)),
});

function tally(batch: readonly Wanted[], { onRead }: DigestOptions): void {
  onRead?.(
    batch.length,
    batch.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
  );
}
