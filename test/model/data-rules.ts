/** How a worker and the source keep to the rules of docs/spec/data.md. A mutant breaks one. */
export interface MoveRules {
  /** Rows and checkpoint in one transaction, or the one after the other. */
  readonly checkpoint: "with-rows" | "before-rows" | "after-rows";
  /** What was applied to keys is known after a crash. */
  readonly keepsWindow: boolean;
  /** The source waits for open transactions before it says where its log ends. */
  readonly drains: boolean;
  /** The worker applies the log to where it ends before the switch. */
  readonly appliesToTheEnd: boolean;
  /** Copied rows are held against what the chunk has seen. */
  readonly looksAtFence: boolean;
  /** A chunk waits until the log is applied to where it was read. */
  readonly appliesFirst: boolean;
  /** Snapshots with holes are taken for numbers. */
  readonly numbersSnapshots: boolean;
  /** The source is told what the target has committed, not what is going to be. */
  readonly acknowledgesCommitted: boolean;
  /** Deletes are kept in the window as other changes are. */
  readonly tracksDeletes: boolean;
  /** The checkpoint is read after the job was claimed. */
  readonly claimsFirst: boolean;
  /** The log is kept from before the first chunk on. */
  readonly capturesFirst: boolean;
  /** The end of the log is asked for after the chunk was read. */
  readonly headAfterChunk: boolean;
  /** The target refuses smaller fences than it has seen. */
  readonly refusesStale: boolean;
}

export const moveRules: MoveRules = {
  checkpoint: "with-rows",
  keepsWindow: true,
  drains: true,
  appliesToTheEnd: true,
  looksAtFence: true,
  appliesFirst: true,
  numbersSnapshots: false,
  acknowledgesCommitted: true,
  tracksDeletes: true,
  claimsFirst: true,
  capturesFirst: true,
  headAfterChunk: true,
  refusesStale: true,
};

/** A rule less each; what comes of it, and with which kind of log. */
export const moveMutants: Readonly<Record<string, MoveMutant>> = {
  "the checkpoint is written before the rows": {
    rules: { checkpoint: "before-rows" },
    kind: "sequence",
    comesTo: /switched with/,
  },
  "the checkpoint is written after the rows": {
    rules: { checkpoint: "after-rows" },
    kind: "sequence",
    comesTo: /back to/,
  },
  "what was applied is forgotten at a crash": {
    rules: { keepsWindow: false },
    kind: "snapshot",
    comesTo: /back to|switched with/,
  },
  "open transactions are not waited for at the cutover": {
    rules: { drains: false },
    kind: "snapshot",
    comesTo: /switched with/,
  },
  "the log is not applied to its end before the switch": {
    rules: { appliesToTheEnd: false },
    kind: "sequence",
    comesTo: /switched with/,
  },
  "what a chunk has seen is not looked at": {
    rules: { looksAtFence: false },
    kind: "sequence",
    comesTo: /back to|switched with/,
  },
  "changes are applied after copying goes on": {
    rules: { appliesFirst: false },
    kind: "sequence",
    comesTo: /back to/,
  },
  "a snapshot with holes is taken for a number": {
    rules: { numbersSnapshots: true },
    kind: "snapshot",
    comesTo: /back to|switched with/,
  },
  "the source is told before the target has committed": {
    rules: { acknowledgesCommitted: false },
    kind: "sequence",
    comesTo: /is gone, needed from/,
  },
  "deletes are not kept in the window": {
    rules: { tracksDeletes: false },
    kind: "sequence",
    comesTo: /back to|switched with/,
  },
  "the checkpoint is read before the job is claimed": {
    rules: { claimsFirst: false },
    kind: "sequence",
    takeovers: 1,
    comesTo: /back to|is gone, needed from/,
  },
  "a worker whose job was taken over still writes": {
    rules: { refusesStale: false },
    kind: "sequence",
    takeovers: 1,
    comesTo: /back to|is gone, needed from|switched with/,
  },
  "the log is kept only after the first chunk was read": {
    rules: { capturesFirst: false },
    kind: "sequence",
    comesTo: /switched with|is gone, needed from/,
  },
  "the end of the log is asked for before the chunk is read": {
    rules: { headAfterChunk: false },
    kind: "sequence",
    comesTo: /back to/,
  },
};

export interface MoveMutant {
  readonly rules: Partial<MoveRules>;
  readonly kind: "sequence" | "snapshot";
  readonly takeovers?: number;
  readonly comesTo: RegExp;
}
