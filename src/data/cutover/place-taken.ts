import type { CutoverError } from "../../core/index.ts";
import type { Place } from "../map.ts";
import type { Difference } from "../verify/difference.ts";
import { placeId } from "../verify/expected.ts";
import { differs, Equality } from "./equality.ts";
import type { Ground } from "./ground.ts";

/**
 * In the pause a row was found to have taken another one's place. Which one that is takes reading the old side, which is
 * done when writers go on (`named`).
 */
export class PlaceTaken extends Error {
  readonly #ground: Ground;
  readonly #places: readonly Place[];
  readonly #found: readonly Difference[];

  constructor(ground: Ground, places: readonly Place[], found: readonly Difference[]) {
    super("a row has taken another one's place");
    this.#ground = ground;
    this.#places = places;
    this.#found = found;
  }

  /** CUTOVER_DATA_DIFFERS with the rows as far as they still meet. */
  async named(): Promise<CutoverError> {
    const { signal } = this.#ground;
    const named = await new Equality(this.#ground, "new").clashes(this.#places, signal).catch(() => []);
    const seen = new Set(named.map(placeId));
    const others = this.#found.filter((place) => !seen.has(placeId(place)));
    return differs(this.#ground, [...named, ...others], "when writers were stopped");
  }
}
