import { CutoverError } from "../../core/index.ts";
import type { Standing } from "./switch.ts";

/** The standing before anybody turned the switch. */
export const firstStanding: Standing = { side: "old", epoch: 0 };

/**
 * The law of a switch, for whoever keeps one: what a turn to `to` means while `now` is in charge.
 * @returns true when it is to be decided, false when it was decided just so already
 * @throws CUTOVER_DATA_EPOCH when the epoch was decided otherwise, or a later one is in charge
 */
export function isDecision(now: Standing, to: Standing, place: string): boolean {
  checkStanding(to, place);
  if (to.epoch > now.epoch) return true;
  if (to.epoch === now.epoch && to.side === now.side) return false;
  throw new CutoverError("CUTOVER_DATA_EPOCH", {
    message: `expected to decide epoch ${to.epoch} for the ${to.side} side, found that the ${now.side} side is in charge since epoch ${now.epoch}`,
    place,
    details: { wanted: { ...to }, found: { side: now.side, epoch: now.epoch } },
  });
}

/** @throws CUTOVER_DATA_OPTIONS for what is no standing */
export function checkStanding(standing: Standing, place: string): void {
  const { side, epoch, ...unknown } = (standing as Standing | undefined) ?? {
    side: undefined,
    epoch: Number.NaN,
  };
  if (
    (side === "old" || side === "new") &&
    Number.isSafeInteger(epoch) &&
    epoch >= 0 &&
    Object.keys(unknown).length === 0
  )
    return;
  throw new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected a side ("old" or "new") and an epoch (a whole number from 0 on), found ${JSON.stringify(standing)}`,
    place,
    remedy: "turn the switch to a side and an epoch",
  });
}
