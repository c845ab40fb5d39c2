import { CutoverError } from "../core/index.ts";
import { keyText } from "./bytes.ts";

/** CUTOVER_DATA_REFUSED for one row. */
export function rowRefused(
  store: string,
  { collection, key }: { readonly collection: string; readonly key: Uint8Array },
  reason: string,
): CutoverError {
  const where = collection === "" ? "" : ` of "${collection}"`;
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `${store} cannot hold row ${keyText(key)}${where}: ${reason}`,
    place: store,
    details: { collection, key: Buffer.from(key.subarray(0, 256)).toString("hex"), reason },
  });
}

/** CUTOVER_DATA_FENCED for a writer of an older epoch. */
export function fenced(store: string, epoch: number, least: number): CutoverError {
  return new CutoverError("CUTOVER_DATA_FENCED", {
    message: `expected a writer of epoch ${least} or later, found epoch ${epoch}: this side is no longer in charge`,
    place: store,
    details: { epoch, least },
  });
}

/** CUTOVER_LEASE_LOST for a move whose place was taken. */
export function staleFence(
  store: string,
  { job, fence }: { readonly job: string; readonly fence: number },
  seen: number,
): CutoverError {
  return new CutoverError("CUTOVER_LEASE_LOST", {
    message: `job "${job}" was taken over: its fence is ${seen}, this writer holds ${fence}`,
    place: store,
    details: { job, fence, seen },
  });
}

/** Whether a lift to `epoch` is of a crossing that is over, while a later one has fenced the store at `least`. */
export const isLate = (epoch: number, least: number): boolean => epoch > 0 && least > epoch + 1;

export function checkEpoch(epoch: number): void {
  if (Number.isSafeInteger(epoch) && epoch >= 0) return;
  throw new CutoverError("CUTOVER_DATA_FENCED", {
    message: `expected an epoch that is a whole number from 0 on, found ${epoch}`,
  });
}
