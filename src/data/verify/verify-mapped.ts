import { hasCode } from "../../core/index.ts";
import type { Digest, Reader } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests, subtractDigests } from "../digest/digest.ts";
import type { DigestOptions } from "../digest/leaves.ts";
import type { RowHash } from "../digest/row-hash.ts";
import { type DataMap, decodeAside, keptIn, type Place } from "../map.ts";
import { BucketSums } from "./bucket-sums.ts";
import { confirm, type Sides } from "./confirm.ts";
import { placeId, type Wanted, wantedBy } from "./expected.ts";
import { Findings } from "./findings.ts";

export interface MappedVerdict {
  readonly source: Digest;
  readonly target: Digest;
  readonly buckets: number;
  readonly unequalBuckets: number;
  /** Rows that have no image and belong in quarantine. */
  readonly aside: number;
  /** Differences were found beyond those that are listed, and not all were counted. */
  readonly atLeast: boolean;
}

/** Rows of unequal buckets that are held in memory at once. */
const held = 200_000;
const rounds = 3;

/**
 * f(old) against new. Images need not come in the order of their keys, so there are no ranges both sides share: digests
 * are summed by the hash of the image's place instead, on both sides. Where they differ, both sides are read again, and
 * the rows of those buckets compared.
 */
export async function verifyMapped(
  sides: Sides & { readonly map: DataMap },
  options: DigestOptions & { readonly about: number; readonly leafRows: number },
  findings: Findings,
): Promise<MappedVerdict> {
  const hashes = new PlaceHashes(options.hash);
  const bits = BucketSums.bitsFor(options.about, options.leafRows);
  const [ours, theirs] = [new BucketSums(bits), new BucketSums(bits)];
  let aside = 0;
  const read = async (): Promise<void> => {
    for await (const batch of ourRows(sides)) {
      tally(batch, options);
      for (const wanted of batch) {
        if (wanted.aside !== undefined) aside++;
        hashes.add(ours, wanted);
      }
    }
  };
  const readTarget = async (): Promise<void> => {
    for await (const batch of theirRows(sides)) {
      tally(batch, options);
      for (const wanted of batch) hashes.add(theirs, wanted);
    }
  };
  await Promise.all([read(), readTarget()]);
  const unequal: number[] = [];
  let [source, target] = [emptyDigest, emptyDigest];
  for (let bucket = 0; bucket < ours.size; bucket++) {
    const [a, b] = [ours.digest(bucket), theirs.digest(bucket)];
    source = addDigests(source, a);
    target = addDigests(target, b);
    if (!equalDigests(a, b)) unequal.push(bucket);
  }
  let next = 0;
  while (next < unequal.length && findings.total < Math.max(1, findings.limit)) {
    const part: number[] = [];
    let delta = emptyDigest;
    for (let rows = 0; next < unequal.length && (part.length === 0 || rows < held); next++) {
      const bucket = unequal[next] as number;
      const [a, b] = [ours.digest(bucket), theirs.digest(bucket)];
      rows += a.count + b.count;
      part.push(bucket);
      delta = addDigests(delta, subtractDigests(a, b));
    }
    await examine(sides, new Set(part), ours, delta, hashes, findings);
  }
  const atLeast = next < unequal.length;
  return { source, target, buckets: ours.size, unequalBuckets: unequal.length, aside, atLeast };
}

/** Compares the rows of some buckets; what both sides hold alike is forgotten at once. */
async function examine(
  sides: Sides & { readonly map: DataMap },
  buckets: ReadonlySet<number>,
  sums: BucketSums,
  firstDelta: Digest,
  hashes: PlaceHashes,
  findings: Findings,
): Promise<void> {
  let delta = firstDelta;
  for (let round = 1; ; round++) {
    const here = new Map<string, Candidate>();
    for await (const batch of ourRows(sides)) {
      for (const wanted of batch) {
        const keyHash = hashes.key(wanted);
        if (!buckets.has(sums.of(keyHash))) continue;
        const id = placeId(wanted);
        const known = here.get(id);
        const rowHash = hashes.row(wanted);
        here.set(id, {
          place: { collection: wanted.collection, key: wanted.key },
          delta: addDigests(known?.delta ?? emptyDigest, { count: 1, rows: rowHash, keys: keyHash }),
        });
      }
    }
    for await (const batch of theirRows(sides)) {
      for (const wanted of batch) {
        const keyHash = hashes.key(wanted);
        if (!buckets.has(sums.of(keyHash))) continue;
        const id = placeId(wanted);
        const left = subtractDigests(here.get(id)?.delta ?? emptyDigest, {
          count: 1,
          rows: hashes.row(wanted),
          keys: keyHash,
        });
        if (equalDigests(left, emptyDigest)) here.delete(id);
        else here.set(id, { place: { collection: wanted.collection, key: wanted.key }, delta: left });
      }
    }
    const candidates = [...here.values()];
    const found = candidates.reduce((sum, { delta: each }) => addDigests(sum, each), emptyDigest);
    const look = new Findings(findings.limit);
    look.add(
      await confirm(
        sides,
        candidates.map(({ place }) => place),
      ),
    );
    const explained = equalDigests(found, delta);
    // While a move goes on each key stands for itself: both sides read whole once more would see another state again.
    if (explained || round === rounds || sides.caughtUp !== undefined) {
      findings.merge(look);
      if (!explained && sides.caughtUp !== undefined) findings.restless++;
      else if (!explained) findings.unexplained.push({ collection: "", delta, found });
      return;
    }
    // What was found saw another state than the digests: this pass is the digest for the next one.
    delta = found;
  }
}

interface Candidate {
  readonly place: Place;
  readonly delta: Digest;
}

const ourRows = ({
  source,
  collections,
  map,
  signal,
}: Sides & { readonly map: DataMap }): AsyncGenerator<readonly Wanted[]> =>
  wantedBy(source, collections, map, signal);

/** Rows of the target and, with the values they had, those in this map's quarantine. */
async function* theirRows({
  target,
  targets,
  map,
  signal,
}: Sides & { readonly map: DataMap }): AsyncGenerator<readonly Wanted[]> {
  const options = signal === undefined ? {} : { signal };
  for (const collection of targets)
    for await (const rows of target.scan({ collection }, options))
      yield rows.map(({ key, value }) => ({ collection, key, value }));
  for await (const rows of quarantine(target, map.name ?? "", signal))
    yield rows.map(({ key, value }) => ({ collection: keptIn.aside, key, value: decodeAside(value).value }));
}

/** Rows of `cutover_aside` that belong to one map; none where the store never had such a collection. */
async function* quarantine(
  target: Reader,
  name: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]> {
  const range = {
    collection: keptIn.aside,
    after: Buffer.from(`${name}\0`),
    upTo: Buffer.from(`${name}\u0001`),
  };
  try {
    yield* target.scan(range, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!hasCode(error, "CUTOVER_DATA_COLLECTION")) throw error;
  }
}

/** Hashes of places, and of what stands there; one seed for each collection. */
class PlaceHashes {
  readonly #hash: RowHash;
  readonly #within = new Map<string, RowHash>();

  constructor(hash: RowHash) {
    this.#hash = hash;
  }

  key({ collection, key }: Place): bigint {
    return this.#of(collection).key(key);
  }

  row({ collection, key, value }: Wanted): bigint {
    return this.#of(collection).row(key, value);
  }

  add(sums: BucketSums, wanted: Wanted): void {
    const keyHash = this.key(wanted);
    sums.add(sums.of(keyHash), keyHash, this.row(wanted));
  }

  #of(collection: string): RowHash {
    let hash = this.#within.get(collection);
    if (hash === undefined) this.#within.set(collection, (hash = this.#hash.within(collection)));
    return hash;
  }
}

function tally(batch: readonly Wanted[], { onRead }: DigestOptions): void {
  onRead?.(
    batch.length,
    batch.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
  );
}
