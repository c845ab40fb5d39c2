import { onlyKnown } from "../known-options.ts";
import { CutoverError, type RandomBytes } from "../../core/index.ts";
import type { Digest, Reader } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests } from "../digest/digest.ts";
import { leafRows as defaultLeafRows } from "../digest/leaves.ts";
import { newSeed, rowHash, seedText } from "../digest/row-hash.ts";
import type { DataMap } from "../map.ts";
import type { Sides } from "./confirm.ts";
import type { Difference, DifferenceCounts } from "./difference.ts";
import { Findings, type Unexplained } from "./findings.ts";
import { namesOf } from "./collections.ts";
import type { PlaceOwners } from "./place-owners.ts";
import type { TouchedPlaces } from "./touched.ts";
import { verifyMapped } from "./verify-mapped.ts";
import { type CollectionVerdict, verifyRanges } from "./verify-ranges.ts";

export interface VerifyOptions {
  readonly source: Reader;
  readonly target: Reader;
  /**
   * Collections of the source. Default: all; without a map also those that only the target has, whose rows are then
   * extra.
   */
  readonly collections?: readonly string[];
  /** With a map: collections of the target that belong to its images. Default: all of the target. */
  readonly targets?: readonly string[];
  /** Compares f(old) with new, and rows without an image with the quarantine. Absent: old with new, byte by byte. */
  readonly map?: DataMap;
  /**
   * While a move is going on: resolves when the target has everything that the source had when it was called. Absent: both
   * sides stand still.
   */
  readonly caughtUp?: (signal?: AbortSignal) => Promise<void>;
  /**
   * With a map and `caughtUp`: the `Touched` through which the move goes, begun before this. Places in it are left out, as nothing tells
   * late from wrong without reading everything again: have them looked at by `verifyTouched` when both sides stand still.
   */
  readonly touched?: TouchedPlaces;
  /** Differences listed; all are counted, with a map until so many were found. Default 1000. */
  readonly limit?: number;
  /** Rows of a leaf. Default 1000. */
  readonly leafRows?: number;
  /** Where the seed of the hashes comes from. */
  readonly random: RandomBytes;
  readonly signal?: AbortSignal;
  /** Rows and bytes read on both sides since the last call. */
  readonly onRead?: (rows: number, bytes: number) => void;
}

/** What a verification found. It can be kept as evidence: with the seed, the digests can be taken again. */
export interface Verification {
  /** No difference, nothing that did not settle, no digest unexplained. */
  readonly equal: boolean;
  /** 16 hexadecimal digits. */
  readonly seed: string;
  readonly source: Digest;
  readonly target: Digest;
  /** One entry for each collection; empty with a map, whose images may lie anywhere. */
  readonly collections: readonly CollectionVerdict[];
  /** With a map one: all rows. */
  readonly leaves: number;
  readonly unequalLeaves: number;
  readonly counts: DifferenceCounts;
  /** With a map: there are more differences than were counted. */
  readonly atLeast: boolean;
  readonly differences: readonly Difference[];
  /** Places that were equal when they were looked at again: the target had been behind. */
  readonly arrived: number;
  /** Places that changed again and again, so that nothing can be said of them. */
  readonly unsettled: number;
  /** Rows that have no image. They are in quarantine, or are among the differences. */
  readonly aside: number;
  readonly unexplained: readonly Unexplained[];
}

const known: Readonly<Record<keyof VerifyOptions, true>> = {
  source: true,
  target: true,
  collections: true,
  targets: true,
  map: true,
  caughtUp: true,
  touched: true,
  limit: true,
  leafRows: true,
  random: true,
  signal: true,
  onRead: true,
};

/**
 * Holds two stores against each other: digests of all leaves by one scan, then row by row where they differ, each
 * difference looked at again before it counts. Reads by `scan` (or `blocks`) and `get` alone; a copy is made by none of them.
 *
 * @throws CUTOVER_DATA_COLLECTION for a collection that the source does not have or that has no key;
 *   CUTOVER_DATA_ORDER when a store gives rows out of order; CUTOVER_DATA_OPTIONS
 */
export async function verifyData(options: VerifyOptions): Promise<Verification> {
  onlyKnown("verifyData", options, known);
  return await verified(options);
}

/** The same; `owners`, with a map, are told of all images that the first pass reads, so that looks after it know who is where. */
export async function verified(
  options: VerifyOptions & { readonly owners?: PlaceOwners },
): Promise<Verification> {
  const { limit = 1_000, leafRows = defaultLeafRows, signal, onRead, map, caughtUp } = options;
  atLeastOne("limit", limit);
  atLeastOne("leafRows", leafRows);
  if (map === undefined && options.targets !== undefined)
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message:
        "expected targets only together with a map, found them alone: without one names are equal on both sides",
    });
  const { touched, owners } = options;
  if (touched !== undefined && (map === undefined || caughtUp === undefined))
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: "expected touched only together with a map and caughtUp, found it without one of them",
    });
  const { collections, targets } = await namesOf(options);
  const hash = await rowHash(newSeed(options.random));
  const digests = {
    hash,
    leafRows,
    ...(signal === undefined ? {} : { signal }),
    ...(onRead === undefined ? {} : { onRead }),
  };
  const sides: Sides = {
    source: options.source,
    target: options.target,
    collections,
    targets: new Set(targets),
    ...(map === undefined ? {} : { map }),
    ...(caughtUp === undefined ? {} : { caughtUp }),
    ...(touched === undefined ? {} : { touched }),
    ...(owners === undefined ? {} : { owners }),
    ...(signal === undefined ? {} : { signal }),
  };
  const findings = new Findings(limit);
  const verdict = await (map === undefined
    ? byRanges(sides, digests, findings)
    : byImages({ ...sides, map }, digests, findings));
  const { counts, listed, arrived, unsettled, unexplained } = findings;
  return {
    equal: findings.total === 0 && unsettled === 0 && unexplained.length === 0,
    seed: seedText(hash.seed),
    ...verdict,
    counts,
    differences: listed,
    arrived,
    unsettled,
    unexplained,
  };
}

type Verdict = Pick<
  Verification,
  "source" | "target" | "collections" | "leaves" | "unequalLeaves" | "atLeast" | "aside"
>;

async function byRanges(
  sides: Sides,
  options: Parameters<typeof verifyRanges>[2],
  findings: Findings,
): Promise<Verdict> {
  const collections: CollectionVerdict[] = [];
  for (const name of new Set([...sides.collections, ...sides.targets]))
    collections.push(await verifyRanges(sides, name, options, findings));
  return {
    collections,
    source: collections.reduce((sum, { source }) => addDigests(sum, source), emptyDigest),
    target: collections.reduce((sum, { target }) => addDigests(sum, target), emptyDigest),
    leaves: collections.reduce((sum, { leaves }) => sum + leaves, 0),
    unequalLeaves: collections.reduce((sum, { unequalLeaves }) => sum + unequalLeaves, 0),
    atLeast: false,
    aside: 0,
  };
}

async function byImages(
  sides: Parameters<typeof verifyMapped>[0],
  options: Parameters<typeof verifyMapped>[1],
  findings: Findings,
): Promise<Verdict> {
  const verdict = await verifyMapped(sides, options, findings);
  const unequalLeaves = equalDigests(verdict.source, verdict.target) ? 0 : 1;
  return { ...verdict, collections: [], leaves: 1, unequalLeaves };
}

function atLeastOne(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected ${name} to be a whole number of at least 1, found ${value}`,
  });
}
