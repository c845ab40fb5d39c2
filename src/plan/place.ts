import { keepPlace as keepPlaceOnly } from "../core/index.ts";
import { keepOrigin } from "./origin.ts";

// The rooms that make steps mark places too and must not load this one to do so: the words live in core.
export { markPlace, placeOf } from "../core/index.ts";

/** A copy stands where its original stands, in the definition and in the plan it was written from. */
export const keepPlace = <T extends object>(copy: T, original: object): T =>
  keepOrigin(keepPlaceOnly(copy, original), original);
