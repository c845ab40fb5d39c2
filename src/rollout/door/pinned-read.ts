import type { Side } from "../../core/index.ts";
import { answer } from "./answers.ts";
import type { AnyFunction } from "./apart.ts";
import { answerByShare, answerThenShadow, keyOf, type RoutedParts } from "./routed.ts";

/** Keys whose newest state only one side has. */
export interface Pins {
  /** False when there are none: then nobody needs the key. */
  any(): boolean;
  sideOf(key: string): Side | undefined;
}

/**
 * The function of a read. A key whose newest state only one side has is read there, whatever the stage says; then the
 * other side is neither compared nor asked in its place.
 */
export function pinnedRead(parts: RoutedParts, pins: Pins): AnyFunction {
  const { ledger } = parts;

  return function (this: unknown, ...args: unknown[]): unknown {
    const { stage } = ledger.state;
    if (pins.any()) {
      const key = keyOf(parts, args);
      const side = key === undefined ? undefined : pins.sideOf(key);
      if (side !== undefined) {
        if (stage === "shadow") ledger.cohort.tally.shadowSkipped++;
        return answer(ledger, parts[side], ledger.cohort[side], this, args);
      }
    }
    switch (stage) {
      case "off":
      case "dualwrite":
        return answer(ledger, parts.old, ledger.cohort.old, this, args);
      case "shadow":
        return answerThenShadow(parts, this, args);
      case "live":
        return answerByShare(parts, true, this, args);
      case "rampdown":
      case "complete":
        return answer(ledger, parts.new, ledger.cohort.new, this, args);
    }
  };
}
