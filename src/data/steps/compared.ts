import { randomBytes } from "node:crypto";
import { CutoverError, type JsonObject } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import { digestForm } from "../digest/digest.ts";
import type { Place } from "../map.ts";
import { confirmTouched, type TouchedConfirmed } from "../verify/confirm-touched.ts";
import { placeId } from "../verify/expected.ts";
import { namesOf } from "../verify/collections.ts";
import { PlaceOwners } from "../verify/place-owners.ts";
import { Touched } from "../verify/touched.ts";
import { clashesAt } from "../verify/touched-clashes.ts";
import { lookAtTouched } from "../verify/verify-touched.ts";
import { differenceText } from "../verify/difference.ts";
import { type Verification, verified, verifyData } from "../verify/verify.ts";
import { followed, type OpenedPair, type Pair, pairInput } from "./pair.ts";
import { count, RowProgress, rowsText } from "./step-progress.ts";

/** Rows written during a verification that are remembered: some 60 MB. */
const mostTouched = 250_000;
/** Differences named in results and errors. */
const named = 5;

/** Compares both sides, after the new one was brought up to date where a backfill of this run is to be followed. */
export async function compare(
  context: StepContext,
  pair: Pair,
  both: OpenedPair,
  progress: RowProgress,
  limit: number,
): Promise<Verification> {
  const touched = new Touched({ limit: mostTouched });
  const caughtUp = await followed(context, pair, both, touched);
  if (caughtUp !== undefined) {
    progress.part("brings the new side up to date");
    await caughtUp();
  }
  const known = (await both.source.collections()).filter(({ name }) => both.names.includes(name));
  // Both sides are read.
  const rows = known.every((each) => each.rows !== undefined)
    ? 2 * known.reduce((sum, each) => sum + (each.rows ?? 0), 0)
    : undefined;
  progress.part("compares", rows);
  const sides = {
    source: both.source,
    target: both.target,
    ...(pair.collections === undefined ? {} : { collections: pair.collections }),
    ...(pair.map === undefined ? {} : { map: pair.map }),
    ...(pair.into === undefined ? {} : { targets: pair.into }),
    signal: context.signal,
  };
  const options = {
    ...sides,
    ...(caughtUp === undefined ? {} : { caughtUp }),
    limit,
    random: (length: number) => new Uint8Array(randomBytes(length)),
    onRead: (read: number, bytes: number) => progress.add(read, bytes),
  };
  if (pair.map === undefined || caughtUp === undefined) return await verifyData(options);
  touched.begin();
  const owners = new PlaceOwners();
  const found = await verified({ ...options, touched, owners });
  const written = new Map<string, Place>();
  const looked = await confirmTouched({
    touched,
    look: (places) => {
      for (const place of places.targetPlaces) written.set(placeId(place), place);
      return lookAtTouched({ ...sides, touched: places, owners });
    },
    caughtUp,
  });
  // More was written meanwhile than is remembered: then differences are told from what is late by reading everything again.
  if (looked === undefined) return await verifyData(options);
  const taken = looked.differences.filter(({ taken }) => taken !== undefined);
  const others = looked.differences.filter(({ taken }) => taken === undefined);
  const seen = new Set([...found.differences, ...others].map(placeId));
  // More images than are remembered: then rows that meet are looked for among all.
  const asked = owners.complete ? taken : [...written.values()];
  const { collections, targets } = await namesOf({ ...options, target: both.target });
  const clashes = await clashesAt(
    { ...options, collections, targets, map: pair.map },
    asked.filter((place) => !seen.has(placeId(place))),
  );
  return withTouched(found, { ...looked, differences: [...others, ...clashes] }, limit);
}

/** A verification together with the places that it had left out, as a move was writing them. */
function withTouched(
  found: Verification,
  { differences, unsettled }: TouchedConfirmed,
  limit: number,
): Verification {
  const counts = { ...found.counts };
  for (const { kind } of differences) counts[kind]++;
  return {
    ...found,
    equal: found.equal && differences.length === 0 && unsettled === 0,
    counts,
    differences: [...found.differences, ...differences].slice(0, limit),
    unsettled: found.unsettled + unsettled,
  };
}

/** `3 missing · 1 different`; empty when there is none. */
export function countsWords({ counts, atLeast, unsettled, unexplained }: Verification): string {
  const words = Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([kind, n]) => `${atLeast ? "at least " : ""}${count(n)} ${kind}`);
  if (unsettled > 0) words.push(`${count(unsettled)} that changed again and again`);
  if (unexplained.length > 0)
    words.push(`${count(unexplained.length)} stretches whose digests differ by more than their rows`);
  return words.join(" · ");
}

/** A verification as evidence: with the seed the digests can be taken again. */
export function verificationFacts(pair: Pair, found: Verification): JsonObject {
  const { equal, seed, source, target, counts, atLeast, arrived, unsettled, aside, unexplained, leaves } =
    found;
  return {
    ...pairInput(pair),
    equal,
    seed,
    source: { ...digestForm(source) },
    target: { ...digestForm(target) },
    leaves,
    // Digests of tables that the servers summed are theirs: nobody else can take them again.
    bySums: found.collections.filter(({ by }) => by === "sums").map(({ name }) => name),
    counts: { ...counts },
    atLeast,
    arrived,
    unsettled,
    aside,
    unexplained: unexplained.length,
    first: firstOf(found),
  };
}

export const firstOf = ({ differences }: Pick<Verification, "differences">): readonly string[] =>
  differences.slice(0, named).map(differenceText);

export function equalWords({ source, aside, arrived }: Verification): string {
  return [
    rowsText(source.count),
    "0 differ",
    ...(arrived > 0 ? [`${count(arrived)} had been behind`] : []),
    ...(aside > 0 ? [`${count(aside)} set aside`] : []),
  ].join(" · ");
}

/** @throws CUTOVER_DATA_DIFFERS with counts and the first few */
export function requireEqual(pair: Pair, { source, target }: OpenedPair, found: Verification): void {
  if (found.equal) return;
  const first = firstOf(found);
  throw new CutoverError("CUTOVER_DATA_DIFFERS", {
    message: `expected ${target.name} to hold what ${source.name} holds${pair.map === undefined ? "" : ", mapped"}; found ${countsWords(found)}${first.length === 0 ? "" : `: ${first.join(", ")}`}`,
    place: target.name,
    details: {
      counts: { ...found.counts },
      atLeast: found.atLeast,
      unsettled: found.unsettled,
      unexplained: found.unexplained.length,
      first,
    },
  });
}
