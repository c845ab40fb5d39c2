import { type Code, type CodeItem, print } from "./definition-code.ts";
import { dangersOf } from "./danger.ts";
import { gateOf } from "./definition-measures.ts";
import type { DefinitionSource } from "./definition-source.ts";
import { claimedStep, fromPlace, type StepItem, type StepOptions } from "./definition-steps.ts";
import { evidenceFor, everySort, unprovenCode } from "./definition-words.ts";
import type { Place } from "./finding.ts";
import type { CheckFinding, CriterionFinding } from "./work-finding.ts";

export interface Claim {
  readonly words: string;
  readonly place: Place;
  /** Keys of the thresholds in its words. */
  readonly thresholds?: readonly string[];
  readonly notes?: readonly string[];
}

/** A check or gate, with the line of the plan that asks for it. */
interface ProofItem extends CodeItem {
  readonly line: number;
}

/** One list of checks or gates: each claim once, in the order of the document. */
export class Proofs {
  readonly #items: ProofItem[] = [];
  readonly #taken = new Set<string>();
  readonly #source: DefinitionSource;
  /** Checks stand before a phase and are asked once; gates are judged, so a measure can take their place at once. */
  readonly #gates: boolean;

  constructor(source: DefinitionSource, of: "checks" | "gates") {
    this.#source = source;
    this.#gates = of === "gates";
  }

  /** In the order of the document. */
  get items(): readonly ProofItem[] {
    return this.#items.toSorted((a, b) => a.line - b.line);
  }

  add(claim: Claim): void {
    const { place, notes = [] } = claim;
    const said = claim.words.trim() === "" ? `line ${place.line}` : claim.words;
    this.#source.told.add(place.line);
    const measured = this.#gates ? this.#measured(claim) : undefined;
    if (measured !== undefined && this.#take(print(measured, 0, 0, 0))) {
      this.#items.push({
        line: place.line,
        notes: [...notes, said],
        code: fromPlace(this.#source, place, measured),
      });
      return;
    }
    let name = said;
    if (!this.#take(name)) {
      name = `${said} (line ${place.line})`;
      for (let number = 2; !this.#take(name); number += 1) name = `${said} (line ${place.line}, ${number})`;
    }
    const code = unprovenCode(name, { from: this.#source.at(place), by: evidenceFor(said, everySort) });
    this.#items.push({ line: place.line, notes, code });
  }

  /** A claim is measured when it holds one limit and the tool has the measure. */
  #measured({ thresholds = [] }: Claim): Code | undefined {
    const [key, ...more] = thresholds;
    const threshold = more.length > 0 ? undefined : this.#source.find(key, "threshold");
    return threshold === undefined ? undefined : gateOf(threshold);
  }

  #take(name: string): boolean {
    if (this.#taken.has(name)) return false;
    this.#taken.add(name);
    return true;
  }
}

export function claimOfCheck(check: CheckFinding): Claim {
  return {
    words: check.text,
    place: check.place,
    thresholds: check.thresholds,
    ...(check.ticked === true
      ? { notes: [`Ticked "${check.mark}" in the plan; a tick proves nothing.`] }
      : {}),
  };
}

/** A point of a checklist that is work: who does it by hand loses what a command in it deletes all the same. */
export function stepOfCheck(source: DefinitionSource, check: CheckFinding, options: StepOptions): StepItem {
  const claim = claimOfCheck(check);
  const irreversible = check.mentions.flatMap(dangersOf).some((danger) => danger.irreversible);
  return { ...claimedStep(source, claim, { ...options, notes: claim.notes ?? [] }), irreversible };
}

export const claimOfCriterion = (criterion: CriterionFinding): Claim => ({
  words: criterion.text,
  place: criterion.place,
  thresholds: criterion.thresholds,
});
