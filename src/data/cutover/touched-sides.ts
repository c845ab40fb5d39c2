import { Touched, type TouchedPlaces } from "../verify/touched.ts";
import type { Side } from "./arrows.ts";

/** Rows of each side that are remembered: some 60 MB. */
const most = 250_000;

/** What a stream has touched, told as rows of the old side and places of the new one, whichever way it leads. */
export class TouchedSides {
  readonly touched: Touched = new Touched({ limit: most });
  readonly #to: Side;

  constructor(to: Side) {
    this.#to = to;
  }

  get complete(): boolean {
    return this.touched.complete;
  }

  get size(): number {
    return this.touched.size;
  }

  begin(): void {
    this.touched.begin();
  }

  now(): TouchedPlaces {
    const { complete, sourceKeys, targetPlaces } = this.touched;
    return this.#turned({ complete, sourceKeys, targetPlaces });
  }

  take(): TouchedPlaces {
    return this.#turned(this.touched.take());
  }

  again(places: Omit<TouchedPlaces, "complete">): void {
    this.touched.again(this.#turned({ complete: true, ...places }));
  }

  #turned(places: TouchedPlaces): TouchedPlaces {
    if (this.#to === "new") return places;
    return { complete: places.complete, sourceKeys: places.targetPlaces, targetPlaces: places.sourceKeys };
  }
}
