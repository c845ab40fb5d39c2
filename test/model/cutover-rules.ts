/** How a cutover and its stores keep to section 8 of docs/spec/data.md. A mutant breaks one rule. */
export interface CutoverRules {
  /** The fence waits for transactions that are open before it says where the log ends. */
  readonly drains: boolean;
  /** The side in charge is fenced before its log is said to end. */
  readonly fences: boolean;
  /** The log is applied to its end before the turn. */
  readonly appliesFirst: boolean;
  /** The side that was left stays fenced. */
  readonly staysFenced: boolean;
  /** The log for the way back is kept from before the turn on. */
  readonly armsBefore: boolean;
  /** Streams leave out what the other one wrote. */
  readonly loopFree: boolean;
  /** The switch takes each epoch once. */
  readonly decidesOnce: boolean;
  /** A lift that comes late leaves a later fence. */
  readonly leavesLaterFences: boolean;
  /** The stream that led to a side ends before the side is left again. */
  readonly endsStreams: boolean;
  /** An aborted attempt decides its epoch for the side that goes on before it lifts. */
  readonly decidesAborts: boolean;
}

export const cutoverRules: CutoverRules = {
  drains: true,
  fences: true,
  appliesFirst: true,
  staysFenced: true,
  armsBefore: true,
  loopFree: true,
  decidesOnce: true,
  leavesLaterFences: true,
  endsStreams: true,
  decidesAborts: true,
};

/** A rule less each, what it takes to see it, and what comes of it. */
export const cutoverMutants: Readonly<Record<string, CutoverMutant>> = {
  "open transactions are not waited for": { rules: { drains: false } },
  "the side in charge is not fenced": { rules: { fences: false } },
  "the switch is turned before the log is applied": { rules: { appliesFirst: false } },
  "the old side is lifted after the turn": { rules: { staysFenced: false } },
  "the log for the way back is kept only after the turn": { rules: { armsBefore: false } },
  "what a stream wrote goes back by the other one": { rules: { loopFree: false, endsStreams: false } },
  "an epoch is decided twice": { rules: { decidesOnce: false }, needs: { giveBacks: 1 } },
  "a late lift opens a side under a later fence": {
    rules: { leavesLaterFences: false },
    needs: { takeovers: 1 },
  },
  "an attempt that was aborted does not decide its epoch": {
    rules: { decidesAborts: false },
    needs: { takeovers: 1 },
    // The process that was left behind turns the switch, and nobody lifts the side.
    comesTo: /stuck/,
  },
};

export interface CutoverMutant {
  readonly rules: Partial<CutoverRules>;
  readonly needs?: { readonly takeovers?: number; readonly giveBacks?: number };
  /** Default: a write is lost, or the switch is turned to a side that has not everything. */
  readonly comesTo?: RegExp;
}
