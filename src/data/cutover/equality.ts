import { CutoverError } from "../../core/index.ts";
import type { Change, Reader } from "../connector.ts";
import { type DigestForm, digestForm } from "../digest/digest.ts";
import { keptIn, type Place, type SourceRow } from "../map.ts";
import { namesOf } from "../verify/collections.ts";
import { type Difference, differenceText } from "../verify/difference.ts";
import { placeId } from "../verify/expected.ts";
import { PlaceOwners } from "../verify/place-owners.ts";
import type { Touched, TouchedPlaces } from "../verify/touched.ts";
import { clashesAt } from "../verify/touched-clashes.ts";
import { lookAtTouched, type TouchedDifference, type TouchedLook } from "../verify/verify-touched.ts";
import { type Verification, verified, verifyData } from "../verify/verify.ts";
import type { Side } from "./arrows.ts";
import type { Ground } from "./ground.ts";
import { wrongImages } from "./sampled-rows.ts";
import type { SinceCrossing } from "./since-crossing.ts";
import type { Stream } from "./stream.ts";
import { asidePlaces } from "./way-back.ts";

/** Differences that one verification lists, and rows read or written at once. */
const listed = 200_000;
const atOnce = 500;

/** What a verification of everything says of two sides. */
export interface Proven {
  readonly differences: readonly Difference[];
  /** Nothing speaks against it. */
  readonly equal: boolean;
  /** Not all differences are listed. */
  readonly more: boolean;
  /** Places that changed at every look. */
  readonly unsettled: number;
  readonly seed: string;
  readonly digests: { readonly old: DigestForm; readonly new: DigestForm };
}

/** Places that were read again, and those of the new side that are not equal. */
export interface Looked {
  readonly looked: number;
  readonly places: readonly Place[];
}

/** How a verification stands to the stream that goes on meanwhile. */
export interface Live {
  /** As in `verifyData`. */
  readonly caughtUp: () => Promise<void>;
  readonly touched: TouchedPlaces;
}

/** Whether both sides hold the same: old and new byte by byte, or through a map f(old) and new, in both directions alike. */
export class Equality {
  readonly #ground: Ground;
  readonly #to: Side;
  /** Which rows have their images where, as the verification of everything saw it, and looks since. */
  readonly #owners: PlaceOwners | undefined;
  #names: Awaited<ReturnType<typeof namesOf>> | undefined;

  constructor(ground: Ground, to: Side) {
    this.#ground = ground;
    this.#to = to;
    // On the way back the new side says what is right, and two rows of the old one that have one image are as it says.
    this.#owners = to === "new" && ground.map !== undefined ? new PlaceOwners() : undefined;
  }

  /** Looks see where a row has taken another one's place. Otherwise `clashes` has to be asked, which reads the old side. */
  get seesClashes(): boolean {
    return this.#owners === undefined || this.#owners.complete;
  }

  /** Everything that may be slow of a look. */
  async ready(): Promise<void> {
    this.#names ??= await namesOf(this.#asked());
  }

  /**
   * Reads everything. `live`: while one side follows the other; through a map what was touched meanwhile is left out, and is to be
   * looked at after it.
   */
  async everything(signal: AbortSignal, live?: Live): Promise<Proven> {
    const { map, tell, random } = this.#ground;
    const owners = live === undefined ? undefined : this.#owners;
    const found = await verified({
      ...this.#asked(),
      ...(owners === undefined ? {} : { owners }),
      ...(live === undefined ? {} : { caughtUp: live.caughtUp }),
      ...(live === undefined || map === undefined ? {} : { touched: live.touched }),
      limit: listed,
      random,
      signal,
      onRead: (rows, bytes) => tell({ type: "read", rows, bytes }),
    });
    return await this.#proven(found, "old", live !== undefined, await this.#touchedClashes(signal, live));
  }

  /** Rows that meet at one place of what was touched during a verification through a map. */
  async #touchedClashes(signal: AbortSignal, live: Live | undefined): Promise<readonly Difference[]> {
    if (live === undefined || this.#owners === undefined) return [];
    // What was written while everything was read is among what was touched only once it has come over.
    await live.caughtUp();
    // More than is remembered: then everything was read for each look, and clashes are among what was found.
    if (!live.touched.complete) return [];
    if (!this.seesClashes) return await this.clashes(live.touched.targetPlaces, signal, live.caughtUp);
    const { differences } = await this.look(live.touched, signal);
    return await this.clashes(takenOf(differences), signal, live.caughtUp);
  }

  /** Which rows of the old side meet at these places. Reads all of it, and nothing for no places. */
  async clashes(
    places: readonly Place[],
    signal: AbortSignal,
    caughtUp?: () => Promise<void>,
  ): Promise<readonly Difference[]> {
    const { sides, map, tell, collections } = this.#ground;
    if (map === undefined || this.#to === "old") return [];
    return await clashesAt(
      {
        source: sides.old,
        target: sides.new,
        collections: collections.old,
        targets: collections.new,
        map,
        ...(caughtUp === undefined ? {} : { caughtUp }),
        signal,
        onRead: (rows, bytes) => tell({ type: "read", rows, bytes }),
      },
      places,
    );
  }

  /** The same, while the old side follows the new one: it is the new side that says what is right. */
  async everythingBack(signal: AbortSignal, live: Live): Promise<Proven> {
    const { sides, map, tell, random, collections } = this.#ground;
    if (map !== undefined) return await this.everything(signal, live);
    const found = await verifyData({
      source: sides.new,
      target: sides.old,
      collections: collections.new,
      caughtUp: live.caughtUp,
      limit: listed,
      random,
      signal,
      onRead: (rows, bytes) => tell({ type: "read", rows, bytes }),
    });
    return await this.#proven(found, "new", true);
  }

  /**
   * On the way back: places that a stream has brought to the old side since both were equal, read on both sides, without holding more
   * than some of them. Gives what is not equal; some of it may be late.
   */
  async *since(since: SinceCrossing, signal: AbortSignal): AsyncGenerator<Looked> {
    const { sides, wayBack } = this.#ground;
    // Through a map what is left on the old side is looked at from there, and what the new side has from there.
    if (wayBack !== undefined)
      for await (const batch of since.rows(sides.old)) {
        const found = await this.look({ complete: true, sourceKeys: batch, targetPlaces: [] }, signal);
        // What the map sets aside lies in a collection of its own, and nothing of it is brought back.
        const places = found.differences.filter(({ collection }) => collection !== keptIn.aside);
        yield { looked: batch.length, places };
      }
    for await (const batch of since.places(sides.old)) {
      signal.throwIfAborted();
      if (wayBack === undefined) {
        const found = await this.look({ complete: true, sourceKeys: batch, targetPlaces: batch }, signal);
        yield { looked: batch.length, places: found.differences };
        continue;
      }
      const wrong = await wrongImages(this.#ground, await rowsAt(sides.new, batch));
      const aside = wrong.length === 0 ? new Set() : await asidePlaces(sides.old, wayBack.name);
      yield {
        looked: batch.length,
        places: wrong.map(({ row }) => row).filter((row) => !aside.has(placeId(row))),
      };
    }
  }

  /** Reads these places on both sides. */
  async look(touched: TouchedPlaces, signal: AbortSignal): Promise<TouchedLook> {
    await this.ready();
    const names = this.#names;
    const found = await lookAtTouched({
      ...this.#asked(),
      touched,
      ...(names === undefined ? {} : { names }),
      ...(this.#owners === undefined ? {} : { owners: this.#owners }),
      signal,
    });
    return { ...found, differences: await this.#counting(found.differences) };
  }

  /** Writes what the new side has at these places to the old one. */
  async takeBack(stream: Stream, places: readonly Place[], touched: Touched): Promise<void> {
    const { sides, fence } = this.#ground;
    const target = stream.receiver(touched);
    const { job } = stream.name;
    for (let at = 0; at < places.length; at += atOnce) {
      const part = places.slice(at, at + atOnce);
      const changes: Change[] = [];
      for (const [collection, of] of Map.groupBy(part, (place) => place.collection)) {
        const keys = of.map(({ key }) => key);
        const values = await sides.new.get(collection, keys);
        for (const [index, key] of keys.entries())
          changes.push({ collection, key, value: values[index] ?? null });
      }
      await target.applyTxn({ job, fence, origin: job, changes, rows: [] });
    }
  }

  #asked(): Pick<Parameters<typeof verifyData>[0], "source" | "target" | "collections" | "targets" | "map"> {
    const { sides, map, collections } = this.#ground;
    return {
      source: sides.old,
      target: sides.new,
      collections: collections.old,
      ...(map === undefined ? {} : { map, targets: collections.new }),
    };
  }

  async #proven(
    found: Verification,
    source: Side,
    live: boolean,
    clashes: readonly Difference[] = [],
  ): Promise<Proven> {
    const seen = new Set(clashes.map(placeId));
    const others = found.differences.filter((place) => clashes.length === 0 || !seen.has(placeId(place)));
    const differences = [...(await this.#counting(others)), ...clashes];
    const { counts, atLeast, unsettled, unexplained, seed } = found;
    const total = counts.missing + counts.extra + counts.different + counts.clash;
    const explained = unexplained.length === 0 && (live || unsettled === 0);
    const [old, young] = source === "old" ? [found.source, found.target] : [found.target, found.source];
    return {
      differences,
      // A row that changed at every look was touched, and is read again in the pause.
      equal:
        (found.equal && clashes.length === 0) ||
        (differences.length === 0 && total === found.differences.length && explained),
      more: atLeast || total > found.differences.length,
      unsettled,
      seed,
      digests: { old: digestForm(old), new: digestForm(young) },
    };
  }

  /**
   * Differences that count. On the way back through a map the new side says what is right: a row that is on the old side as the way
   * back says is right, also where the map would not make the same row of it again, as of a field that the old side does not
   * have; and so is one that has no image there and is set aside.
   */
  async #counting<T extends Difference>(differences: readonly T[]): Promise<readonly T[]> {
    const { wayBack, sides, signal } = this.#ground;
    if (this.#to === "new" || wayBack === undefined || differences.length === 0) return differences;
    const aside = await asidePlaces(sides.old, wayBack.name);
    const counting: T[] = [];
    for (let at = 0; at < differences.length; at += atOnce) {
      signal.throwIfAborted();
      const part = differences.slice(at, at + atOnce).filter((place) => !aside.has(placeId(place)));
      const rows = await rowsAt(sides.new, part);
      const wrong = await wrongImages(this.#ground, rows);
      const right = new Set(rows.map((row) => placeId(row)));
      for (const { row } of wrong) right.delete(placeId(row));
      counting.push(...part.filter((place) => !right.has(placeId(place))));
    }
    return counting;
  }
}

/** The rows that are at these places. */
async function rowsAt(store: Reader, places: readonly Place[]): Promise<readonly SourceRow[]> {
  const rows: SourceRow[] = [];
  for (const [collection, of] of Map.groupBy(places, (place) => place.collection)) {
    if (collection.startsWith("cutover_")) continue;
    const keys = of.map(({ key }) => key);
    const values = await store.get(collection, keys);
    for (const [index, key] of keys.entries()) {
      const value = values[index];
      if (value !== undefined) rows.push({ collection, key, value });
    }
  }
  return rows;
}

/** Places at which a row seems to have taken another one's. */
export const takenOf = (differences: readonly TouchedDifference[]): readonly Place[] =>
  differences
    .filter(({ kind, taken }) => kind === "clash" || taken !== undefined)
    .map(({ collection, key }) => ({ collection, key }));

/** CUTOVER_DATA_DIFFERS with the first few. */
export function differs({ sides }: Ground, differences: readonly Difference[], when: string): CutoverError {
  const first = differences.slice(0, 5).map(differenceText);
  return new CutoverError("CUTOVER_DATA_DIFFERS", {
    message: `expected ${sides.old.name} and ${sides.new.name} to hold the same ${when}; found ${differences.length === 0 ? "digests that no row explains" : `${differences.length} places where they do not: ${first.join(", ")}`}`,
    place: sides.new.name,
    details: { differences: differences.length, first },
  });
}
