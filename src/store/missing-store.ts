import { CutoverError } from "../core/index.ts";

/** For who asked that none be made. */
export const missingStore = (place: string): CutoverError =>
  new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: "expected a store, found none",
    place,
    details: { missing: true },
    remedy:
      "correct its address; it is made by what works with it, as a run, a worker or a queue that is opened",
  });
