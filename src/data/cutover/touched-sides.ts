import type { Place } from "../map.ts";
import { placeId } from "../verify/expected.ts";
import { Touched, type TouchedPlaces } from "../verify/touched.ts";
import type { Side } from "./arrows.ts";

/** Rows of each side that are remembered: some 60 MB. */
const most = 250_000;

/** What a stream has touched, told as rows of the old side and places of the new one, whichever way it leads. */
export class TouchedSides {
  readonly touched: Touched = new Touched({ limit: most });
  readonly #to: Side;
  /**
   * Keys of the log that the look before this one took. Such a key may have been read from the log before that look and its image
   * written after it: then the place is here without the row it comes from, and would look as if nothing should be there.
   */
  #before: readonly Place[] = [];

  constructor(to: Side) {
    this.#to = to;
  }

  get complete(): boolean {
    return this.touched.complete;
  }

  get size(): number {
    return this.touched.size;
  }

  /** As it stands whenever it is looked at. */
  get live(): TouchedPlaces {
    const [now, touched] = [(): TouchedPlaces => this.now(), this.touched];
    return {
      get complete() {
        return touched.complete;
      },
      get sourceKeys() {
        return now().sourceKeys;
      },
      get targetPlaces() {
        return now().targetPlaces;
      },
    };
  }

  begin(): void {
    this.#before = [];
    this.touched.begin();
  }

  now(): TouchedPlaces {
    const { complete, sourceKeys, targetPlaces } = this.touched;
    return this.#turned({ complete, sourceKeys: this.#withBefore(sourceKeys), targetPlaces });
  }

  take(): TouchedPlaces {
    const taken = this.touched.take();
    const sourceKeys = this.#withBefore(taken.sourceKeys);
    this.#before = taken.sourceKeys;
    return this.#turned({ ...taken, sourceKeys });
  }

  again(places: Omit<TouchedPlaces, "complete">): void {
    this.touched.again(this.#turned({ complete: true, ...places }));
  }

  /** On the way back places of the log have no need of it: the rows that were written tell where their images are. */
  #withBefore(keys: readonly Place[]): readonly Place[] {
    if (this.#to !== "new" || this.#before.length === 0) return keys;
    return [...new Map([...this.#before, ...keys].map((place) => [placeId(place), place])).values()];
  }

  #turned(places: TouchedPlaces): TouchedPlaces {
    if (this.#to === "new") return places;
    return { complete: places.complete, sourceKeys: places.targetPlaces, targetPlaces: places.sourceKeys };
  }
}
