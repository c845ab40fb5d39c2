import { CutoverError } from "../core/index.ts";

/** What every call on a closed store is refused with: unlike one that is away, it will not come back. */
export const closedStore = (place: string): CutoverError =>
  new CutoverError("CUTOVER_STORE_CLOSED", { message: "expected an open store, found it closed", place });
